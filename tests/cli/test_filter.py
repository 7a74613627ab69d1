"""phar filter: which spans, what is written, what is said, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from phar.cli import filter as command
from phar.cli import main as phar
from phar.export import WRITERS
from phar.media import probe, read_frames
from phar.media.editing import ACTIONS
from phar.schema import Report
from phar.synth import load_world, write_clip

# The fixture's segments: march 0-7 s, ring 7-14 s, none 14-16.5 s.


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen and a half seconds of the rendered world, with its sound."""
    plan = [("march", 7.0), ("ring", 7.0), ("none", 2.5)]
    clip = load_world().sequence("test", 3, plan)
    return write_clip(clip, tmp_path_factory.mktemp("film") / "film.mp4", truth=False)


@pytest.fixture
def written(report: Report, film: Path, tmp_path: Path) -> Path:
    video = dataclasses.replace(probe(film), duration_s=16.5)
    WRITERS["json"].write(dataclasses.replace(report, video=video), tmp_path / "film.json")
    return tmp_path / "film.json"


@pytest.fixture
def run(film: Path, written: Path) -> Callable[..., int]:
    return lambda *arguments: phar.main(["filter", str(film), str(written), *map(str, arguments)])


def test_the_actions_are_those_of_the_editor() -> None:
    assert command._ACTIONS == ACTIONS


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--drop", "ring"], [(7, 14)]),
        (["--drop", "ring", "none"], [(7, 16.5)]),
        (["--drop", "ring", "--invert"], [(0, 7), (14, 16.5)]),
        (["--keep", "ring"], [(0, 7), (14, 16.5)]),
        (["--keep", "ring", "--invert"], [(7, 14)]),
        (["--drop", "ring", "--pad", "1.5"], [(5.5, 15.5)]),
        # What is kept grows, too.
        (["--keep", "ring", "--pad", "1.5"], [(0, 5.5), (15.5, 16.5)]),
        (["--drop", "wave"], []),
        # wave scores 0.3 from 0 to 7 s, but march more.
        (["--drop", "wave", "--overlapping", "--threshold", "0.2"], [(0, 7), (14, 16.5)]),
        (["--drop", "march", "--threshold", "0.7"], []),
    ],
)
def test_asked_spans(
    run, report: Report, capsys, flags: list[str], expected: list[tuple[float, float]]
) -> None:
    assert run(*flags, "--dry-run", "--json") == 0
    asked = json.loads(capsys.readouterr().out)["asked"]
    assert [(span["start_s"], span["end_s"]) for span in asked] == expected


def test_a_cut_is_written_and_said(run, film: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.mp4"
    assert run(out, "--drop", "ring") == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: 1 span, 7.0 of 16.5 s cut; ")
    assert said.err == ""
    # At 15 pictures per second: 7 s, and the last 38 of 248.
    assert len(list(read_frames(out))) == 105 + 38
    # What was written may be replaced.
    assert run(out, "--drop", "ring", "--mode", "fast") == 0
    assert len(list(read_frames(out))) <= 105 + 38


def test_the_dry_run_prints_the_edit_list_and_writes_nothing(run, tmp_path: Path, capsys) -> None:
    before = sorted(tmp_path.iterdir())
    assert run("--keep", "ring", "--action", "blur", "mute", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    # Time as the pictures fill it: the last one ends at 16.533 s.
    assert [line.split("	") for line in lines[:2]] == [
        ["blur+mute", "0:00:00.000", "0:00:07.000", "7.000 s"],
        ["blur+mute", "0:00:14.000", "0:00:16.533", "2.533 s"],
    ]
    assert lines[2].startswith("2 spans, 9.5 of 16.5 s changed; ")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["out.mp4"], 2, "one of the arguments --drop --keep is required"),
        (["out.mp4", "--drop", "dance"], 2, "the report has no label 'dance'; use one of march, wave"),
        (["out.avi", "--drop", "ring"], 2, "suffix '.avi' is no video phar writes; use .mp4"),
        (["--drop", "ring"], 2, "OUT is missing"),
        (["out.mp4", "--drop", "march", "ring", "none"], 2, "nothing of the video would be left"),
        (["out.mp4", "--drop", "ring", "--action", "cut", "mute"], 2, "only mute goes together with another"),
        (["out.mp4", "--drop", "ring", "--action", "blur", "--mode", "fast"], 2, "--mode is about cuts"),
        (["taken.mp4", "--drop", "ring"], 2, "was not written by phar"),
        (["no/out.mp4", "--drop", "ring"], 5, "the folder .*no does not exist"),
    ],
)
def test_refusals(
    run, tmp_path: Path, monkeypatch, capsys, flags: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.mp4").write_bytes(b"somebody's")
    before = sorted(tmp_path.iterdir())
    assert run(*flags) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert sorted(tmp_path.iterdir()) == before


def test_a_report_on_another_video_is_refused(report: Report, film: Path, tmp_path: Path, capsys) -> None:
    WRITERS["json"].write(report, tmp_path / "other.json")
    assert (
        phar.main(
            ["filter", str(film), str(tmp_path / "other.json"), str(tmp_path / "o.mp4"), "--drop", "ring"]
        )
        == 2
    )
    assert "but the report is about a video of 64x48" in capsys.readouterr().err


def test_a_missing_video_is_said(written: Path, capsys) -> None:
    assert phar.main(["filter", "no.mp4", str(written), "o.mp4", "--drop", "ring"]) == 3
    assert "video no.mp4 does not exist" in capsys.readouterr().err


def test_the_video_itself_is_never_replaced(run, film: Path, capsys) -> None:
    before = film.read_bytes()
    assert run(film, "--drop", "ring") == 2
    assert "is an input" in capsys.readouterr().err
    assert film.read_bytes() == before
