"""A batch that is killed at any moment and run again ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from written import outputs

NUM_KILLS = 20
NUM_VIDEOS = 10

SCRIPTED = Path(__file__).with_name("scripted.py")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Files that `scripted` takes for videos, two of the same content, one broken."""
    rng = random.Random(8)
    folder = tmp_path / "library"
    for i in range(NUM_VIDEOS):
        path = folder / f"{i % 3}" / f"video {i}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randint(10, 60)))
    (folder / "0" / "again.mp4").write_bytes((folder / "1" / "video 1.mp4").read_bytes())
    (folder / "2" / "broken.mp4").write_bytes(b"broken")
    return folder


@pytest.fixture
def start(tmp_path: Path, small_profile: Path, library: Path) -> Callable[..., subprocess.Popen[bytes]]:
    def begin(out: Path, *flags: str) -> subprocess.Popen[bytes]:
        options = ["--profile", small_profile, "--format", "timestamps", *flags]
        return subprocess.Popen(
            [sys.executable, SCRIPTED, "batch", library, "--out", out, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "SCRIPTED_LOG": str(tmp_path / "log")},
        )

    return begin


def done(out: Path) -> set[str]:
    """Videos that the catalogue calls done or failed."""
    path = out / "catalogue.sqlite"
    if not path.exists():
        return set()
    database = sqlite3.connect(path)
    try:
        rows = database.execute("SELECT path FROM video WHERE status != 'pending'").fetchall()
    except sqlite3.OperationalError:  # killed before the first table was made
        rows = []
    finally:
        database.close()
    return {f"{os.fsdecode(path)!a}" for (path,) in rows}


def test_killed_at_random_moments(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, library: Path
) -> None:
    log = tmp_path / "log"
    # The second round changes the fusion, which needs no analysis.
    rounds: list[list[str]] = [[], ["--coefficients", "0.9", "0.1", "0.4"]]
    expected = []
    for flags in rounds:
        process = start(tmp_path / "undisturbed", "--workers", "2", *flags)
        assert process.wait(60) == 7
        expected.append(outputs(tmp_path / "undisturbed"))
    assert len(expected[0]["video"]) == NUM_VIDEOS + 2
    assert expected[0]["tag"] != expected[1]["tag"]
    assert len(log.read_text().splitlines()) == NUM_VIDEOS + 1, "one analysis for each content"

    rng = random.Random(20)
    kills = 0
    attempt = 0
    while kills < NUM_KILLS:
        attempt += 1
        out = tmp_path / f"disturbed {attempt}"
        for flags, wanted in zip(rounds, expected, strict=True):
            while True:
                before = done(out)
                log.write_text("")
                process = start(out, "--workers", rng.choice("12"), *flags)
                try:
                    code = process.wait(rng.uniform(0.4, 1.5) if kills < NUM_KILLS else 60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
                    code = None
                begun = log.read_text().splitlines()
                assert len(begun) == len(set(begun))
                assert not before & set(begun), "a video that was done was analysed again"
                if code is not None:
                    assert code == 7, process.stderr and process.stderr.read()
                    break
            assert outputs(out) == wanted


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, number: int, code: int
) -> None:
    out = tmp_path / "out"
    # A shell's background jobs ignore the interrupt, and so would the command.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(out, "--workers", "2")
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert b": analysed " in first
    process.send_signal(number)
    said, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1].startswith(b"phar batch: ")
    assert b" analysed" in said.splitlines()[-1]
    assert not list(out.rglob("*.part*"))
    assert not list(out.glob("catalogue.sqlite-*")), "the catalogue was not closed"
    # One line each, the first of which was read before; and one line of each kind at the end.
    assert len(done(out)) == 1 + len(said.splitlines()) - 1 + len(err.splitlines()) - 1


def test_workers_end_with_a_killed_batch(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, library: Path
) -> None:
    (library / "long.mp4").write_bytes(bytes(7 * 3000))
    process = start(tmp_path / "out")
    log = tmp_path / "log"
    deadline = time.monotonic() + 60
    while not (log.exists() and "long" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    process.kill()
    process.wait()
    while any(_runs(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in children)


def _runs(pid: str) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
