"""A library of files that `scripted` takes for videos, and a batch of them as a process of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NUM_VIDEOS = 10

SCRIPTED = Path(__file__).with_name("scripted.py")

Start = Callable[..., subprocess.Popen[bytes]]


def make_library(folder: Path) -> None:
    """Write files of random content in three folders, two more of the same content, and one broken."""
    rng = random.Random(8)
    for i in range(NUM_VIDEOS):
        path = folder / f"{i % 3}" / f"video {i}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randint(10, 60)))
    (folder / "0" / "again.mp4").write_bytes((folder / "1" / "video 1.mp4").read_bytes())
    (folder / "2" / "broken.mp4").write_bytes(b"broken")


def begin(
    library: Path, out: Path, profile: Path, log: Path, *flags: str | Path, within: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    """Begin a batch in a process group of its own; what it analyses is a line each in `log`.

    within: a command that runs the command given as its arguments.
    """
    command = [sys.executable, SCRIPTED, "batch", library, "--out", out, "--profile", profile]
    return subprocess.Popen(
        [*within, *command, "--format", "timestamps", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SCRIPTED_LOG": str(log)},
        start_new_session=True,
    )
