"""phar clips: names, list, crops, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from phar.cli import main as phar
from phar.export import WRITERS
from phar.export.poses import save_poses
from phar.media import at_rate, probe, write_video
from phar.schema import Poses, Report

# The fixture's segments: march 0-7 s, ring 7-14 s, none 14-16.5 s.


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen and a half seconds, 160x90, with a tone."""
    path = tmp_path_factory.mktemp("film") / "my film: 1.mp4"
    tone = (np.sin(np.arange(int(16.5 * 16000)) * 0.1) * 0.2).astype(np.float32)
    write_video(path, at_rate((np.full((90, 160, 3), 60, np.uint8) for _ in range(66)), 4), 4, (tone, 16000))
    return path


@pytest.fixture
def written(report: Report, film: Path, tmp_path: Path) -> Path:
    video = dataclasses.replace(probe(film), duration_s=16.5)
    report = dataclasses.replace(report, video=video, poses_path="film.poses.npz")
    WRITERS["json"].write(report, tmp_path / "film.json")
    times = np.arange(66) / 4
    boxes = np.tile(np.array([100, 10, 130, 80, 0.9], np.float32), (66, 1))
    joints = np.zeros((66, 17, 3), np.float32)
    save_poses(Poses(times, np.arange(66), boxes, joints), tmp_path / "film.poses.npz")
    return tmp_path / "film.json"


@pytest.fixture
def run(film: Path, written: Path, tmp_path: Path) -> Callable[..., int]:
    folder = tmp_path / "shorts"
    return lambda *arguments: phar.main(["clips", str(film), str(written), str(folder), *map(str, arguments)])


def test_names_list_and_files(run, film: Path, tmp_path: Path, capsys) -> None:
    assert run("--label", "march", "ring", "--top", 1, "--length", "2..4", "--crop", "9:16", "--title") == 0
    said = capsys.readouterr()
    folder = tmp_path / "shorts"
    names = ["my_film_1_march_01_00-00-00.mp4", "my_film_1_ring_01_00-00-07.mp4"]
    assert sorted(path.name for path in folder.iterdir()) == ["my_film_1_clips.json", *names]
    assert said.out.splitlines()[0].startswith(f"{folder / names[0]}\t4.0 s\t0.")
    assert said.err == ""
    listing = json.loads((folder / "my_film_1_clips.json").read_text())
    assert listing["video"] == str(film)
    assert [entry["file"] for entry in listing["clips"]] == names
    for entry in listing["clips"]:
        found = probe(folder / entry["file"])
        assert (found.width_px, found.height_px, found.has_audio) == (50, 90, True)
        assert found.duration_s == pytest.approx(entry["end_s"] - entry["start_s"], abs=0.26)
        assert (entry["crop"]["width_px"], entry["crop"]["height_px"]) == (50, 90)
        # The person stands at 115.
        assert {x for _, x, _ in entry["crop"]["centres"]} == {115.0}
    # What was written may be replaced.
    assert run("--label", "march", "--top", 1, "--length", "2..4") == 0


def test_more_than_there_is_is_said(run, tmp_path: Path, capsys) -> None:
    assert run("--label", "march", "wave", "--dry-run") == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1
    assert said.err.splitlines() == [
        "phar clips: warning: march: 1 of 3 shorts; there is no more of it in one piece of at least 5 s",
        "phar clips: warning: wave: 0 of 3 shorts; there is no more of it in one piece of at least 5 s",
    ]
    assert list((tmp_path / "shorts").iterdir()) == []


@pytest.mark.parametrize("name", ["my_film_1_march_01_00-00-00.mp4", "my_film_1_clips.json"])
def test_files_of_others_are_left_alone(run, tmp_path: Path, capsys, name: str) -> None:
    (tmp_path / "shorts").mkdir()
    (tmp_path / "shorts" / name).write_text('{"mine": 1}')
    assert run("--label", "march") == 2
    assert "was not written by phar" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "shorts").iterdir()] == [name]
    assert (tmp_path / "shorts" / name).read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "required: --label"),
        (["--label", "dance"], 2, "the report has no label 'dance'; use one of march, wave"),
        (["--label", "march", "--length", "60..5"], 2, "'60..5' is not a range of seconds such as 5..60"),
        (["--label", "march", "--length", "0..5"], 2, "'0..5' is not a range"),
        (["--label", "march", "--crop", "9x16"], 2, "'9x16' is not an aspect ratio such as 9:16"),
    ],
)
def test_refusals(run, capsys, flags: list[str], code: int, message: str) -> None:
    assert run(*flags) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(re.escape(message), err), err


def test_a_crop_needs_saved_poses(run, tmp_path: Path, capsys) -> None:
    (tmp_path / "film.poses.npz").unlink()
    assert run("--label", "march", "--crop", "9:16") == 2
    assert "make them with phar-demo --save-poses" in capsys.readouterr().err
    assert not (tmp_path / "shorts").exists()
