"""What becomes of a command whose decoder crashes, and of signals meant for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: Runs `phar export` with another body, which SCRIPT names.
PROGRAM = """
import os, signal, sys, time
import phar.cli.export as command
def run(args):
    print(os.getpid(), flush=True)
    {body}
    return 0
command.run = run
sys.argv = ["phar", "export", "in.json"]
from phar.cli.main import main
sys.exit(main())
"""

#: Sleeps; tells of every interrupt and termination.
PATIENT = """
    for _ in range(2):
        try:
            print("asleep", flush=True)
            time.sleep(60)
        except BaseException as error:
            print(type(error).__name__, flush=True)
            last = error
            time.sleep(0.5)
            raise
"""


def start(body: str) -> subprocess.Popen[str]:
    # A shell's background jobs ignore the interrupt, and so would the command.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(body=body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("os.abort()", 3, "phar export: a decoder crashed (SIGABRT): the video is damaged"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 3, "phar export: a decoder crashed (SIGSEGV): the video"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, ""),
        ("return 5", 5, ""),
        ("1 / 0", 1, "phar export: unexpected ZeroDivisionError"),
    ],
)
def test_how_a_command_ends_is_told_by_its_exit_code(body: str, code: int, said: str) -> None:
    process = start(body)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert int(out) != process.pid
    assert err.startswith(said)
    assert err.count("\n") == bool(said)


@pytest.mark.parametrize("everyone", [False, True], ids=["the command", "its whole group"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_work_once(number: int, code: int, everyone: bool) -> None:
    process = start(PATIENT)
    assert process.stdout is not None
    while process.stdout.readline() != "asleep\n":
        assert process.poll() is None
    if everyone:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out.splitlines() == ["KeyboardInterrupt" if number == signal.SIGINT else "_Terminated"]
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_the_work_ends_with_a_killed_command() -> None:
    process = start("time.sleep(60)")
    assert process.stdout is not None
    child = Path("/proc", process.stdout.readline().strip())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while child.exists() and "Z" not in (child / "stat").read_text().rsplit(")", 1)[1][:3]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
