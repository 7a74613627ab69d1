"""Measure what a second worker of one core adds: the same videos by one worker of a Ray cluster, then by two.

    python benchmarks/ray_throughput.py [--videos 8] [--split-minutes MIN] [--rounds 3]

Each worker has one core for nets and decoding. Copies of the bundled sample are analysed, each with a byte of
its own at the end. The loading of nets is not timed: every worker first analyses a video that does not count.
Rounds alternate between one worker and two. Needs two cores that do nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

# Before anything that computes is imported, here or in a worker.
os.environ["OMP_NUM_THREADS"] = "1"

import ray

from phar.batch.actors import Share
from phar.batch.cluster import RayEngine
from phar.batch.engine import Failed, Finished, Progress
from phar.batch.job import ANALYSE, Places, VideoJob, VideoTask
from phar.batch.limits import Limits
from phar.batch.sources import Stamp
from phar.profile import load_profile

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "five_scenes.mp4"


class Meter:
    """Hands out warm-up videos first, and the videos that count once every worker is warm."""

    def __init__(self, warm: list[VideoTask], counted: list[VideoTask]) -> None:
        self._warm = deque(warm)
        self._num_cold = len(warm)
        self._counted = deque(counted)
        self._started = self._ended = 0.0
        self.video_s = 0.0

    def feed(self) -> VideoTask | None:
        """Return the next task."""
        if self._warm:
            return self._warm.popleft()
        if self._num_cold or not self._counted:
            return None
        if not self._started:
            self._started = time.perf_counter()
        return self._counted.popleft()

    def told(self, event: Finished | Failed | Progress) -> None:
        """Count a video that is done."""
        if isinstance(event, Failed):
            raise SystemExit(f"{event.task.path}: {event.message}")
        if isinstance(event, Finished):
            if self._num_cold:
                self._num_cold -= 1
            else:
                self._ended = time.perf_counter()
                self.video_s += event.result.video.duration_s

    @property
    def seconds(self) -> float:
        """From the first task that counts to the last result."""
        return self._ended - self._started


def tasks(folder: Path, name: str, num_videos: int) -> list[VideoTask]:
    """Write copies of the sample and return an analysis of each."""
    found = []
    for i in range(num_videos):
        path = folder / f"{name}{i}.mp4"
        path.write_bytes(SAMPLE.read_bytes() + f"{name}{i}".encode())
        found.append(VideoTask(i, ANALYSE, str(path), path.name, Stamp.of(str(path)), name))
    return found


def measured(num_workers: int, num_videos: int, split_s: float | None, folder: Path) -> float:
    """Return seconds of video per second."""
    profile = load_profile("demo")
    job = VideoJob(profile, Places(folder / "out"), num_threads=1, device="cpu", split_s=split_s)
    meter = Meter(tasks(folder, "warm", num_workers), tasks(folder, "video", num_videos))
    engine = RayEngine(Limits(None), Share(1, 0), num_workers=num_workers)
    for event in engine.run(job, meter.feed):
        meter.told(event)
    return meter.video_s / meter.seconds


def main() -> None:
    """Run both in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--split-minutes", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    split_s = args.split_minutes and args.split_minutes * 60
    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20)
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(args.rounds):
        for num_workers, found in speeds.items():
            with tempfile.TemporaryDirectory() as folder:
                found.append(measured(num_workers, args.videos, split_s, Path(folder)))
    ray.shutdown()
    print("| workers of one core | times real time, each round | median |\n|---|---|---|")
    for num_workers, found in speeds.items():
        rounds = ", ".join(f"{each:.2f}" for each in found)
        print(f"| {num_workers} | {rounds} | {statistics.median(found):.2f} |")
    print(f"\ntwo over one: {statistics.median(speeds[2]) / statistics.median(speeds[1]):.2f}")


if __name__ == "__main__":
    main()
