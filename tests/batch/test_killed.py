"""A batch that is killed at any moment and run again ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from scripted_batch import NUM_VIDEOS, Start
from written import outputs

NUM_KILLS = 20


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


def test_killed_at_random_moments(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    # The second round changes the fusion, which needs no analysis.
    rounds: list[list[str]] = [[], ["--coefficients", "0.9", "0.1", "0.4"]]
    expected, lasted_s = [], []
    for flags in rounds:
        began = time.monotonic()
        process = start(tmp_path / "undisturbed", "--workers", "2", *flags)
        assert process.wait(280) == 7
        lasted_s.append(time.monotonic() - began)
        expected.append(outputs(tmp_path / "undisturbed"))
    assert len(expected[0]["video"]) == NUM_VIDEOS + 2
    assert expected[0]["tag"] != expected[1]["tag"]
    assert len(log.read_text().splitlines()) == NUM_VIDEOS + 1, "one analysis for each content"

    rng = random.Random(20)
    kills = in_flight = 0
    attempt = 0
    while kills < NUM_KILLS:
        attempt += 1
        out = tmp_path / f"disturbed {attempt}"
        for flags, wanted, whole_s in zip(rounds, expected, lasted_s, strict=True):
            while True:
                before = done(out)
                log.write_text("")
                process = start(out, "--workers", rng.choice("12"), *flags)
                try:
                    # From the start of the interpreter to beyond the end of what is left to do.
                    code = process.wait(rng.uniform(0.1, 0.9) * whole_s if kills < NUM_KILLS else 280)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
                    code = None
                begun = log.read_text().splitlines()
                in_flight += code is None and bool(set(begun) - done(out))
                assert len(begun) == len(set(begun))
                assert not before & set(begun), "a video that was done was analysed again"
                if code is not None:
                    assert code == 7, process.stderr and process.stderr.read()
                    break
            assert outputs(out) == wanted
    assert in_flight, "no kill met a video that was under way"


@pytest.mark.parametrize("everyone", [False, True], ids=["the command", "its whole group"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(start: Start, tmp_path: Path, number: int, code: int, everyone: bool) -> None:
    """A terminal's Ctrl-C goes to every process of the group, `kill` to one."""
    out = tmp_path / "out"
    # A shell's background jobs ignore the interrupt, and so would the command.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(out, "--workers", "2")
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert b": analysed " in first
    if everyone:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    said, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1].startswith(b"phar batch: ")
    assert b" analysed" in said.splitlines()[-1]
    assert not list(out.rglob("*.part*"))
    assert not list(out.glob("catalogue.sqlite-*")), "the catalogue was not closed"
    # One line each, the first of which was read before; and one line of each kind at the end.
    before_it = done(out)
    assert len(before_it) == 1 + len(said.splitlines()) - 1 + len(err.splitlines()) - 1
    (tmp_path / "log").write_text("")
    assert start(out, "--workers", "2").wait(280) == 7
    assert not before_it & set((tmp_path / "log").read_text().splitlines())
    assert len(done(out)) == NUM_VIDEOS + 2


def test_workers_end_with_a_killed_batch(start: Start, tmp_path: Path, scripted_library: Path) -> None:
    (scripted_library / "long.mp4").write_bytes(bytes(7 * 3000))
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
