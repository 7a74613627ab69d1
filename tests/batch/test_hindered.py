"""Disks that are full or may not be written, sources that vanish, clocks that go back."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from scripted_batch import NUM_VIDEOS, Start
from written import outputs

#: Runs a shell script in which file systems may be mounted that nobody else sees.
ALONE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-euc")

#: Everything is on a disk of 8 MB of which so much is free; the batch runs there, and again with more room.
FULL = """
mount -t tmpfs -o size=8m none "$OUT"
head -c $((8388608 - FREE)) /dev/zero > "$OUT/ballast"
for run in 1 2; do
    "$@" > "$SAID/$run.out" 2> "$SAID/$run.err" && code=0 || code=$?
    echo $code > "$SAID/$run.code"
    find "$OUT" -name '*.part*' >> "$SAID/left"
    rm -f "$OUT/ballast"
done
cp -a "$OUT" "$SAID/out"
"""

#: The folder of the outputs may only be read.
READ_ONLY = 'mount --bind "$OUT" "$OUT"; mount -o remount,bind,ro "$OUT"; exec "$@"'


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for what scripts tell, named to them as SAID; the folder of outputs is OUT."""
    try:
        probe = [*ALONE, 'mount -t tmpfs none "$0"', tmp_path]
        subprocess.run(probe, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    folder = tmp_path / "said"
    folder.mkdir()
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("SAID", str(folder))
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    return folder


@pytest.mark.parametrize("free_bytes", [0, 90_000, 350_000])
def test_a_full_disk_ends_the_batch_and_the_next_goes_on(
    start: Start, tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int
) -> None:
    assert start(tmp_path / "undisturbed", "--workers", "2").wait(280) == 7
    (tmp_path / "log").unlink()
    monkeypatch.setenv("FREE", str(free_bytes))
    process = start(tmp_path / "out", "--workers", "2", within=(*ALONE, FULL, "sh"))
    assert process.wait(280) == 0, process.stderr and process.stderr.read()
    assert (said / "1.code").read_text() == "5\n"
    err = (said / "1.err").read_text().splitlines()
    # The broken video may have failed before.
    assert [line for line in err if "is broken" not in line] == err[-1:]
    assert " cannot be written: " in err[-1] or " can no longer be written: " in err[-1]
    assert (said / "left").read_text() == ""
    assert (said / "2.code").read_text() == "7\n"
    assert outputs(said / "out") == outputs(tmp_path / "undisturbed")


def test_outputs_that_may_not_be_written(start: Start, tmp_path: Path, said: Path) -> None:
    assert start(tmp_path / "out").wait(280) == 7
    before = outputs(tmp_path / "out")
    (tmp_path / "log").unlink()
    for out in (tmp_path / "out", tmp_path / "out" / "new"):
        process = start(out, "--topk", "2", within=(*ALONE, READ_ONLY, "sh"))
        _, err = process.communicate(timeout=280)
        assert process.returncode == 5
        assert err.count(b"\n") == 1
        assert b" cannot be written: " in err
    assert not (tmp_path / "log").exists()
    assert outputs(tmp_path / "out") == before


def test_a_library_that_vanishes_in_the_middle_is_tried_again_when_it_is_back(
    start: Start, tmp_path: Path, scripted_library: Path
) -> None:
    assert start(tmp_path / "undisturbed", "--workers", "2").wait(280) == 7
    (tmp_path / "log").unlink()
    process = start(tmp_path / "out", "--workers", "2")
    assert process.stdout is not None
    assert b": analysed " in process.stdout.readline()
    scripted_library.rename(tmp_path / "away")
    _, err = process.communicate(timeout=280)
    assert process.returncode == 7
    failures = err.splitlines()
    assert 2 <= len(failures) <= NUM_VIDEOS + 1
    expected = (b": No such file or directory", b": is broken")
    assert [line for line in failures if not line.endswith(expected)] == []
    # Also those that were under way, of which nothing is known but that they went away.
    (tmp_path / "away").rename(scripted_library)
    assert start(tmp_path / "out", "--workers", "2").wait(280) == 7
    assert outputs(tmp_path / "out") == outputs(tmp_path / "undisturbed")


def test_one_video_that_vanishes_while_it_is_analysed(
    start: Start, tmp_path: Path, scripted_library: Path
) -> None:
    (scripted_library / "long.mp4").write_bytes(bytes(7 * 40))
    process = start(tmp_path / "out", "--workers", "1")
    deadline = time.monotonic() + 60
    log = tmp_path / "log"
    while not (log.exists() and "long" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    (scripted_library / "long.mp4").rename(tmp_path / "long.mp4")
    _, err = process.communicate(timeout=280)
    assert process.returncode == 7
    assert f"{scripted_library}/long.mp4: No such file or directory" in err.decode()
    assert not (tmp_path / "out/reports/library/long.mp4.json").exists()
    (tmp_path / "long.mp4").rename(scripted_library / "long.mp4")
    log.unlink()
    assert start(tmp_path / "out").wait(280) == 7
    assert log.read_text().splitlines() == [f"{str(scripted_library / 'long.mp4')!a}"]
    assert (tmp_path / "out/reports/library/long.mp4.json").exists()


def test_a_clock_that_goes_back(start: Start, tmp_path: Path, scripted_library: Path) -> None:
    """Files of tomorrow are read once, and one that is written anew counts, whatever date it gets."""
    tomorrow = time.time() + 86400
    for path in scripted_library.rglob("*.mp4"):
        os.utime(path, (tomorrow, tomorrow))
    flags = ("--workers", "2", "--since", "1h")
    assert start(tmp_path / "out", *flags).wait(280) == 7
    (tmp_path / "log").unlink()
    path = scripted_library / "1" / "video 1.mp4"
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, (tomorrow - 7200, tomorrow - 7200))
    assert start(tmp_path / "out", *flags).wait(280) == 7
    assert (tmp_path / "log").read_text().splitlines() == [f"{str(path)!a}"]
    report = json.loads((tmp_path / "out/reports/library/1/video 1.mp4.json").read_text())
    assert report["video"]["duration_s"] == path.stat().st_size
