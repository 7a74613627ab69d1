"""Measure that a batch of hundreds of videos ends with the handles, threads and memory it began with.

    python benchmarks/soak.py [--videos 300] [--workers 1] [--kills 0] [--keep DIR]

Small videos of 2 to 9 s with sound are made, every tenth cut off in the middle or a text; `phar batch`
analyses them with the bundled nets, and after each the command and its workers are looked at. Prints a
Markdown table; exit code 1 where handles or threads grew, a temporary file was left, or memory grew by more
than a tenth after the first fifth. With --kills the same videos are analysed again and again, killed (-9)
that often in all at random moments: every output must be the same. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

FPS, SOUND_HZ = 25, 16000

#: What is looked at when so much of the library is done.
SHARES = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)

#: Handles and threads that a worker has for the video it is already at when it is looked at.
IN_USE = 8

#: Memory may grow by this much after the first fifth: what is cached for labels and sizes that come later.
ALLOWED_GROWTH = 0.1


@dataclass(frozen=True)
class Look:
    """What one process, or several together, hold."""

    handles: int
    threads: int
    memory_mib: float


def make_library(folder: Path, num_videos: int) -> None:
    """Write the videos."""
    rng = np.random.default_rng(0)
    for index in range(num_videos):
        path = folder / f"{index // 50:02}" / f"{index:03}.{('mp4', 'mkv', 'mov')[index % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if index % 20 == 19:
            path.write_text("no video")
            continue
        _encode(path, 2 + index % 8, rng)
        if index % 20 == 9:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _encode(path: Path, duration_s: int, rng: np.random.Generator) -> None:
    texture = rng.integers(0, 256, (15, 40, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_HZ)
        audio.codec_context.layout = "mono"
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(duration_s * SOUND_HZ) / SOUND_HZ)
        sound = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts, sound.time_base = SOUND_HZ, 0, Fraction(1, SOUND_HZ)
        for index in range(duration_s * FPS):
            shift = 2 * index % 160
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(texture[:, shift : shift + 160]), "rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


def begin(library: Path, out: Path, workers: int, temporary: Path) -> subprocess.Popen[str]:
    """Begin a batch in a process group of its own."""
    options = ["--out", str(out), "--workers", str(workers), "--profile", "demo", "--device", "cpu"]
    return subprocess.Popen(
        [sys.executable, "-m", "phar.cli.main", "batch", str(library), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    )


def soaked(library: Path, out: Path, workers: int, temporary: Path) -> Iterator[tuple[int, Look, Look, int]]:
    """Analyse the library; yield after each video how many are done, the command, its workers, temp files."""
    process = begin(library, out, workers, temporary)
    assert process.stdout is not None
    for num_done, line in enumerate(process.stdout, 1):
        if line.startswith(f"{out}: "):
            print(line.strip(), file=sys.stderr)
            continue
        command = psutil.Process(process.pid)
        children = [child for child in command.children() if "spawn_main" in " ".join(child.cmdline())]
        yield num_done, _look([command]), _look(children), len(list(temporary.iterdir()))
    if process.wait() != 7:
        raise SystemExit(f"phar batch ended with code {process.returncode}")


def _look(processes: list[psutil.Process]) -> Look:
    return Look(
        handles=sum(each.num_fds() for each in processes),
        threads=sum(each.num_threads() for each in processes),
        memory_mib=sum(each.memory_info().rss for each in processes) / 2**20,
    )


def killed(
    library: Path, out: Path, workers: int, temporary: Path, kills: int, whole_s: float
) -> Iterator[tuple[Path, int]]:
    """Analyse the library, killed at random moments, until often enough; yield each output, and kills."""
    rng = random.Random(kills)
    done = 0
    while done < kills:
        here = out / f"from kill {done}"
        process = None
        while process is None or process.returncode != 7:
            process = begin(library, here, workers, temporary)
            try:
                process.communicate(timeout=rng.uniform(0, 0.8) * whole_s if done < kills else None)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done += 1
        yield here, done


def reports(out: Path) -> dict[str, Any]:
    """Return every report by its place, without what tells the time."""
    found = {}
    for path in sorted((out / "reports").rglob("*")):
        if path.is_file():
            document = json.loads(path.read_text())
            found[str(path.relative_to(out))] = {**document, "created": "", "timing": ""}
    return found


def main() -> int:
    """Make the library, analyse it, and print what was held."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=300)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0, help="also kill a second batch this often")
    parser.add_argument("--keep", type=Path, help="folder for library and outputs (default: a passing one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phar-soak-") as passing:
        folder = args.keep or Path(passing)
        library, temporary = folder / "library", folder / "temporary"
        temporary.mkdir(parents=True, exist_ok=True)
        make_library(library, args.videos)
        wanted = {round(share * args.videos) for share in SHARES}
        rows = []
        started = time.monotonic()
        print("| videos done | command: handles | threads | MiB | workers: handles | threads | MiB | files |")
        print("|---|---|---|---|---|---|---|---|")
        for num_done, command, workers, num_files in soaked(library, folder / "out", args.workers, temporary):
            if num_done in wanted:
                rows.append((num_done, command, workers, num_files))
                cells = [
                    f"{each.handles} | {each.threads} | {each.memory_mib:.0f}" for each in (command, workers)
                ]
                print(f"| {num_done} | {' | '.join(cells)} | {num_files} |", flush=True)
        whole_s = time.monotonic() - started
        left = [path.name for path in temporary.iterdir()]
        print(f"\n{args.videos} videos in {whole_s:.0f} s; temporary files left: {left or 'none'}")
        wrong = bool(left) or _grew([row[1] for row in rows[1:]]) or _grew([row[2] for row in rows[1:]])
        wanted_reports = reports(folder / "out")
        for out, kills in killed(library, folder / "killed", args.workers, temporary, args.kills, whole_s):
            same = reports(out) == wanted_reports
            print(f"after {kills} kills: {len(wanted_reports)} reports {'agree' if same else 'DIFFER'}")
            wrong |= not same
    return int(wrong)


def _grew(looks: list[Look]) -> bool:
    """Tell whether the last of some looks holds more than the first."""
    first, last = looks[0], looks[-1]
    return (
        last.handles > first.handles + IN_USE
        or last.threads > first.threads + IN_USE
        or last.memory_mib > first.memory_mib * (1 + ALLOWED_GROWTH)
    )


if __name__ == "__main__":
    sys.exit(main())
