"""The other commands: phar, tags, export, doctor; and leaving when interrupted."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from phar import __version__
from phar.cli import main as phar
from phar.cli import tags
from phar.export import WRITERS, read_report
from phar.media import at_rate, write_video
from phar.schema import Report


@pytest.fixture
def written(report: Report, tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    WRITERS["json"].write(report, path)
    return path


def test_help_names_every_command(capsys) -> None:
    assert phar.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in phar.COMMANDS)


def test_every_command_is_there() -> None:
    for module, _ in phar.COMMANDS.values():
        assert importlib.util.find_spec(module) is not None


def test_without_a_command_and_with_an_unknown_one(capsys) -> None:
    assert phar.main([]) == 2
    capsys.readouterr()
    assert phar.main(["dance"]) == 2
    assert "command 'dance' is unknown; use one of demo, tags" in capsys.readouterr().err


def test_version(capsys) -> None:
    assert phar.main(["--version"]) == 0
    assert capsys.readouterr().out == f"phar {__version__}\n"


def test_tags_of_a_report_and_of_a_legacy_list_agree(
    report: Report, written: Path, tmp_path: Path, capsys
) -> None:
    legacy = tmp_path / "legacy.json"
    WRITERS["legacy"].write(report, legacy)
    # Two best per window: march wave, ring none, march wave.
    expected = "march\t2\nwave\t2\nring\t1\n"
    for path in (written, legacy):
        assert tags.main([str(path)]) == 0
        assert capsys.readouterr().out == expected


def test_tags_flags(written: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "labels.txt").write_text("ring\nwave\nnone\n")
    assert tags.main([str(written), "--topk", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"label": "march", "clips": 2}]
    assert phar.main(["tags", str(written), "--label-map", str(tmp_path / "labels.txt")]) == 0
    # Only these labels are ranked: wave ring, ring none, wave ring; and none is never a tag.
    assert capsys.readouterr().out == "ring\t3\nwave\t2\n"


@pytest.mark.parametrize("content", [None, "no json", "{}", "[]", '{"0:7": "march"}'])
def test_tags_of_something_else(tmp_path: Path, capsys, content: str | None) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    assert tags.main([str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("phar-tags: ")
    assert err.count("\n") == 1


def test_export_writes_another_form(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert phar.main(["export", str(written), str(out), "--format", "timestamps"]) == 0
    assert json.loads(out.read_text()) == {"0:7": "march", "7:14": "ring", "14:16.5": "none"}


def test_export_makes_segments_anew(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert phar.main(["export", str(written), str(out), "--threshold", "0.7"]) == 0
    again = read_report(out)
    assert [(s.label, s.start_s, s.end_s) for s in again.timestamps] == [
        ("none", 0, 7),
        ("ring", 7, 14),
        ("none", 14, 16.5),
    ]
    assert [(tag.label, tag.seconds, tag.clips) for tag in again.tags] == [("none", 9.5, 2), ("ring", 7, 1)]
    assert again.profile["segments"]["threshold"] == 0.7


def test_export_does_not_replace_the_report_it_reads(written: Path, capsys) -> None:
    assert phar.main(["export", str(written), str(written), "--format", "legacy"]) == 2
    assert "is an input" in capsys.readouterr().err


def test_export_draws_skeletons_of_saved_poses_only_onto_videos(
    written: Path, tmp_path: Path, capsys
) -> None:
    assert phar.main(["export", str(written), str(tmp_path / "out.mp4"), "--draw", "skeleton"]) == 2
    assert "names no saved poses; make it anew with phar-demo --save-poses" in capsys.readouterr().err
    legacy = ["export", str(written), str(tmp_path / "out.json"), "--format", "legacy"]
    assert phar.main([*legacy, "--draw", "skeleton"]) == 2
    assert "--draw is about annotated videos, not legacy" in capsys.readouterr().err


def test_doctor_says_what_is_here(capsys) -> None:
    code = phar.main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["phar"] == __version__
    assert found["operators"] in ("compiled", "fallback")
    assert found["packages"]["torch"]
    assert set(found["cpu"]) == {"name", "cores", "avx2", "avx512", "bf16", "precision"}
    assert "demo" in found["profiles"]
    assert code == (0 if any(profile["usable"] for profile in found["profiles"].values()) else 4)
    phar.main(["doctor"])
    said = capsys.readouterr().out
    assert f"phar {__version__}" in " ".join(said.split())
    assert "profile demo" in said


WAITS = """
import sys, time
import phar.pipeline
from phar.cli import demo

def analyze(video, profile, **options):
    print("working", flush=True)
    time.sleep(60)

phar.pipeline.analyze = analyze
sys.exit(demo.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(
    make_clip: Callable[..., Path], small_profile: Path, tmp_path: Path, number: int, code: int
) -> None:
    out = tmp_path / "out" / "out.json"
    out.parent.mkdir()
    command = [sys.executable, "-c", WAITS, str(make_clip(3)), str(out), "--profile", str(small_profile)]
    # A shell's background jobs ignore the interrupt, and so would the command.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.count("\n") == 1
    assert list(out.parent.iterdir()) == []


def test_a_reader_that_goes_away_is_no_fault(written: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; from phar.cli.tags import main; sys.exit(main(sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-c", code, str(written)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert result.stderr == ""
    assert result.returncode == 128 + signal.SIGPIPE


def test_what_the_system_refuses_is_one_line(written: Path, tmp_path: Path) -> None:
    code = "import sys; from phar.cli.main import main; sys.exit(main(sys.argv[1:]))"
    (tmp_path / "loop.json").symlink_to("loop.json")
    long, too_long = "x" * 5000, "x: File name too long; give it a shorter name\n"
    for command, out, wanted, said in (
        (["tags", str(written)], "/dev/full", 5, "phar tags: No space left on device; make room\n"),
        (["tags", long], os.devnull, 2, too_long),
        (["tags", "loop.json"], os.devnull, 2, "loop.json'; name the file itself\n"),
        (["batch", long, "--out", "out"], os.devnull, 2, too_long),
    ):
        with Path(out).open("w") as stream:
            result = subprocess.run(
                [sys.executable, "-c", code, *command],
                stdout=stream,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                cwd=tmp_path,
            )
        assert result.returncode == wanted
        assert result.stderr.endswith(said)
        assert result.stderr.count("\n") == 1


def test_export_takes_settings_of_single_labels(written: Path, tmp_path: Path) -> None:
    label = read_report(written).labels[0]
    out = tmp_path / "again.json"
    flags = ["--threshold", "0.2", "--threshold", f"{label}=0.9", "--hysteresis", "0.05"]
    assert phar.main(["export", str(written), str(out), *flags, "--smooth", "14"]) == 0
    settings = read_report(out).profile["segments"]
    assert settings["threshold"] == 0.2
    assert settings["label_thresholds"] == {label: 0.9}
    assert (settings["hysteresis"], settings["smooth_s"]) == (0.05, 14)


def test_export_refuses_a_label_the_report_does_not_know(written: Path, tmp_path: Path, capsys) -> None:
    assert phar.main(["export", str(written), str(tmp_path / "o.json"), "--max-gap", "nap=3"]) == 2
    assert "--max-gap: the report has no label 'nap'" in capsys.readouterr().err


def test_export_moves_boundaries_to_changes_of_shot(written: Path, tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    shots = rng.integers(0, 255, (2, 12, 16, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    video, out = tmp_path / "shots.mp4", tmp_path / "out.json"
    write_video(video, at_rate([shots[int(i >= 80)] for i in range(165)], 10), 10)
    flags = [str(written), str(out), "--video", str(video)]
    assert phar.main(["export", *flags, "--snap", "2"]) == 0
    again = read_report(out)
    assert [(s.label, s.start_s, s.end_s) for s in again.timestamps] == [
        ("march", 0, 8),
        ("ring", 8, 14),
        ("none", 14, 16.5),
    ]
    assert [(tag.label, tag.seconds) for tag in again.tags] == [("march", 8), ("ring", 6), ("none", 2.5)]
    assert phar.main(["export", *flags, "--snap", "0.5"]) == 0
    assert [s.start_s for s in read_report(out).timestamps] == [0, 7, 14]
    assert phar.main(["export", str(written), str(out), "--video", "gone.mp4", "--snap", "1"]) == 3
    assert "--snap looks at the video gone.mp4, which does not exist" in capsys.readouterr().err
