"""phar export beyond the report's own forms: choices, chapters in a video, markers in Stash."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from phar.cli import main as phar
from phar.export import WRITERS
from phar.media import at_rate, write_video
from phar.schema import Report
from stash_server import Library, serving


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(path, at_rate((np.full((48, 64, 3), 90, np.uint8) for _ in range(42)), 2), 2)
    return path


@pytest.fixture
def written(make_report: Callable[..., Report], clip: Path, tmp_path: Path) -> Path:
    report = make_report(
        [{"rgb": [0.5, 0.4, 0.1, 0]}, {"rgb": [0.3, 0.6, 0.1, 0]}, {"rgb": [0, 0.1, 0.1, 0.8]}], 21
    )
    report = dataclasses.replace(report, video=dataclasses.replace(report.video, path=str(clip)))
    path = tmp_path / "report.json"
    WRITERS["json"].write(report, path)
    return path


def rows(path: Path) -> list[tuple[str, float, float]]:
    with path.open(newline="") as stream:
        return [(row["label"], float(row["start_s"]), float(row["end_s"])) for row in csv.DictReader(stream)]


def export(*arguments: object) -> int:
    return phar.main(["export", *map(str, arguments)])


def test_labels_and_overlap_are_chosen(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert export(written, out) == 0
    assert rows(out) == [("march", 0, 7), ("wave", 7, 14)]
    assert export(written, out, "--labels", "wave", "none") == 0
    assert rows(out) == [("wave", 7, 14), ("none", 14, 21)]
    assert export(written, out, "--overlapping") == 0
    assert rows(out) == [("march", 0, 14), ("wave", 0, 14)]
    assert export(written, out, "--overlapping", "--threshold", "0.55") == 0
    assert rows(out) == [("wave", 7, 14)]


def test_kodi_cuts_what_is_named(written: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "clip.edl"
    assert export(written, out, "--edl-action", "cut") == 2
    assert "--edl-action cut would take every label; name some with --labels" in capsys.readouterr().err
    assert export(written, out, "--edl-action", "cut", "--labels", "march", "wave") == 0
    assert out.read_text().splitlines()[-1] == "00:00:00.000\t00:00:14.000\t0"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_go_into_a_copy_of_the_video(written: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"chapters{suffix}"
    for _ in range(2):
        assert export(written, "--mux", out) == 0
    with av.open(str(out)) as container:
        found = [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in container.chapters()]
    assert found == [("march", 0), ("wave", 7), ("none", 14)]
    assert export(written, tmp_path / "out.ffmetadata", "--mux", out, "--labels", "wave") == 0
    with av.open(str(out)) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["none", "wave", "none"]


def test_a_video_that_has_moved_is_named(written: Path, clip: Path, tmp_path: Path, capsys) -> None:
    moved = clip.rename(tmp_path / "moved.mp4")
    out = tmp_path / "out.mkv"
    assert export(written, "--mux", out) == 3
    assert f"video {clip} does not exist; name it with --video" in capsys.readouterr().err
    assert export(written, "--mux", out, "--video", moved) == 0
    assert out.exists()


def test_a_video_is_never_muxed_into_itself(written: Path, clip: Path, capsys) -> None:
    before = clip.read_bytes()
    assert export(written, "--mux", clip) == 2
    assert "is an input" in capsys.readouterr().err
    assert clip.read_bytes() == before


@pytest.fixture
def library() -> Iterator[Library]:
    with serving(Library(api_key="secret")) as library:
        yield library


def test_markers_are_pushed(written: Path, clip: Path, library: Library, capsys, monkeypatch) -> None:
    scene = library.add_scene(str(clip), duration_s=21)
    assert export(written, "--push", library.url) == 6
    assert "set PHAR_STASH_API_KEY to the one in Stash's settings" in capsys.readouterr().err
    monkeypatch.setenv("PHAR_STASH_API_KEY", "secret")
    assert export(written, "--format", "stash", "--push", library.url) == 0
    assert capsys.readouterr().out == (
        f"scene {scene}: 2 markers created, 0 updated, 0 deleted, 0 unchanged\nnew tags: phar, march, wave\n"
    )
    assert export(written, "--push", library.url, "--overlapping", "--scene", scene) == 0
    assert capsys.readouterr().out == f"scene {scene}: 0 markers created, 2 updated, 0 deleted, 0 unchanged\n"
    assert [row[:3] for row in library.rows(scene)] == [("march", 0, 14), ("wave", 0, 14)]
    assert export(written, "--push", library.url, "--api-key", "wrong") == 6
    assert export(written, "--push", library.url, "--scene", "77") == 5
    assert "Stash has no scene 77" in capsys.readouterr().err


def test_a_file_and_a_push_in_one_go(written: Path, clip: Path, library: Library, tmp_path: Path) -> None:
    scene = library.add_scene(str(clip), duration_s=21)
    assert export(written, tmp_path / "out.vtt", "--push", library.url, "--api-key", "secret") == 0
    assert (tmp_path / "out.vtt").exists()
    assert len(library.rows(scene)) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "OUT is missing: name the file to write, or give --mux or --push"),
        (["--format", "via3"], "OUT is missing"),
        (["--format", "via3", "--mux", "x.mkv"], "--format via3: OUT is missing"),
        (["out.csv", "--scene", "1"], "--api-key and --scene go with --push"),
        (["out.csv", "--overlapping", "--mux", "x.mkv"], "chapters cannot overlap"),
        (["out.vtt", "--overlapping"], "format vtt cannot show labels that overlap"),
        (["out.vtt", "--edl-action", "scene"], "format vtt takes no action"),
        (["--mux", "x.mkv", "--edl-action", "cut"], "--edl-action goes with a file in the format kodi-edl"),
        (["out.json", "--labels", "wave"], "format json is more than segments"),
        (["out.csv", "--labels", "nap"], "the report has no label 'nap'; use march, wave, ring, none"),
        (["out.csv", "--overlapping", "--threshold", "0"], "'march' would be on all the time"),
        (["out.vtt", "--format", "vtt-metadata", "--threshold", "0"], "'march' would be on all the time"),
        (["--push", "localhost:9999"], "'localhost:9999' is no address of a Stash"),
        (["--mux", "x.avi"], "chapters are put into .mp4, .m4v, .mov, .mkv"),
    ],
)
def test_what_makes_no_sense(
    arguments: list[str], said: str, written: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert export(written, *arguments) in (2, 5)
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
