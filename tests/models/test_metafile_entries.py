"""The metafile that comes with phar: every entry is whole, and phar17's are where its profile looks."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from phar.models import Checkpoint, catalogue, wanted
from phar.profile import RESOURCES, load_labels
from phar.profile.resources import checkpoints_folder, find_checkpoint
from phar.training.metafile import record_checkpoint

METAFILE = RESOURCES / "checkpoints" / "metafile.yml"
ENTRIES = list(catalogue().values())
PUBLISHED = [entry for entry in ENTRIES if entry.url is not None]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: Checkpoint) -> None:
    assert entry.licence == "Apache-2.0"
    assert entry.config is not None
    assert (RESOURCES / entry.config).is_file()
    if entry.labels is not None:
        assert load_labels(RESOURCES / entry.labels)
    assert entry.below.startswith(f"{entry.profile}/")


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_openmmlab_names_tell_the_first_digits(entry: Checkpoint) -> None:
    prefix = entry.facts.get("sha256_prefix")
    if "download.openmmlab.com" in entry.url:
        assert re.search(r"-([0-9a-f]{8})(_\d{8})?\.pth$", entry.url)[1] == prefix
    else:
        assert prefix is None


def test_phar17_asks_for_what_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHAR_CHECKPOINTS", raising=False)
    assert [item.name for item in wanted("phar17", "balanced")] == [
        "phar17-rgb",
        "phar17-skeleton",
        "phar17-audio",
        "rtmdet-tiny",
        "rtmpose-s",
    ]
    assert [item.name for item in wanted("phar17")][5:] == ["faster-rcnn-r50", "hrnet-w32"]
    assert {item.checkpoint.name for item in wanted("phar17")} < {entry.name for entry in PUBLISHED}


def test_recording_a_bundled_one_keeps_all_others(tmp_path: Path) -> None:
    metafile = tmp_path / "metafile.yml"
    shutil.copy(METAFILE, metafile)
    (tmp_path / "new.bin").write_bytes(b"weights")
    record_checkpoint(metafile, "new", {"checkpoint": "new.bin"})
    before, after = METAFILE.read_text(), metafile.read_text()
    assert after.startswith(before.rstrip("\n"))
    assert list(yaml.safe_load(after)["models"]) == [*yaml.safe_load(before)["models"], "new"]


def test_where_downloads_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phar.profile.resources.RESOURCES", tmp_path / "checkout")
    monkeypatch.delenv("PHAR_CHECKPOINTS", raising=False)
    assert checkpoints_folder() == tmp_path / "checkout" / "checkpoints"
    monkeypatch.setenv("PHAR_CHECKPOINTS", str(tmp_path / "named"))
    assert checkpoints_folder() == tmp_path / "named"
    monkeypatch.delenv("PHAR_CHECKPOINTS")
    # An installed package writes nothing into itself.
    monkeypatch.setattr("phar.profile.resources._PACKAGE", tmp_path / "checkout")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert checkpoints_folder() == tmp_path / "data" / "phar" / "checkpoints"


def test_a_checkpoint_is_found_among_downloads_and_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phar.profile.resources.RESOURCES", tmp_path / "phar")
    monkeypatch.setenv("PHAR_CHECKPOINTS", str(tmp_path / "named"))
    bundled, named = tmp_path / "phar/checkpoints/a/net.pth", tmp_path / "named/a/net.pth"
    assert find_checkpoint("a/net.pth") == named
    bundled.parent.mkdir(parents=True)
    bundled.write_bytes(b"")
    assert find_checkpoint("a/net.pth") == bundled
    named.parent.mkdir(parents=True)
    named.write_bytes(b"")
    assert find_checkpoint("a/net.pth") == named
