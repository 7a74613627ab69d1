"""Measure the skim pass: how many true spans it proposes, how much it passes over, how fast it is.

    python benchmarks/skim.py [--seed 2000000] [--videos 4] [--spans 10] [--keep DIR] [--time VIDEO]

Renders long videos in which actions are rare: `none` for 15 to 45 s, then an action of 6 to 14 s, and so on.
A span counts as found if the proposals cover at least half of it. With --time the pass is timed on a file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from phar.clock import Stopwatch
from phar.profile import load_profile
from phar.schema import NONE
from phar.streams.skim import Proposals, Skimmer
from phar.streams.table import load_skimmer
from phar.synth import Clip, World, load_world, write_clip


def rare(world: World, seed: int, index: int, num_spans: int) -> Clip:
    """Return a long video with `num_spans` actions between stretches of `none`."""
    rng = np.random.default_rng([seed, index])
    labels = [label for label in world.labels if label != NONE]
    plan: list[tuple[str, float]] = []
    for _ in range(num_spans):
        plan.append((NONE, float(rng.uniform(15, 45))))
        plan.append((str(rng.choice(labels)), float(rng.uniform(6, 14))))
    return world.sequence(seed, index, [*plan, (NONE, 20.0)])


def covered_s(proposals: Proposals, start_s: float, end_s: float) -> float:
    """Return how much of [start_s, end_s) is proposed, seconds."""
    return sum(max(0.0, min(b, end_s) - max(a, start_s)) for a, b in proposals.spans)


def timed(skimmer: Skimmer, video: Path) -> float:
    """Return the median seconds of three passes after one that warms up."""
    skimmer.propose(video)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        skimmer.propose(video)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Render, skim, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--seed", type=int, default=2_000_000)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--spans", type=int, default=10, help="actions per video")
    parser.add_argument("--keep", type=Path, help="render into this folder and keep the videos")
    parser.add_argument("--time", type=Path, metavar="VIDEO", help="time the pass on this file")
    options = parser.parse_args()
    skimmer = load_skimmer(load_profile(options.profile), device="auto", backend="auto", clock=Stopwatch())
    world = load_world()
    found = total = pictures = 0
    passed_s = none_s = length_s = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(options.videos):
            clip = rare(world, options.seed, index, options.spans)
            path = folder / f"rare-{options.seed}-{index:03}-{options.spans}.mp4"
            if not path.exists():
                write_clip(clip, path)
            proposals = skimmer.propose(path)
            pictures += proposals.num_pictures
            length_s += clip.duration_s
            for segment in clip.segments:
                seconds = segment.end_s - segment.start_s
                proposed_s = covered_s(proposals, segment.start_s, segment.end_s)
                if segment.label == NONE:
                    none_s += seconds
                    passed_s += seconds - proposed_s
                else:
                    total += 1
                    found += proposed_s >= seconds / 2
                    if proposed_s < seconds / 2:
                        print(
                            f"missed: {path.name} {segment.label} {segment.start_s:.1f}-{segment.end_s:.1f}"
                        )
    if total:
        print(f"{found} of {total} spans found: recall {found / total:.3f}")
        print(f"passed over {passed_s:.0f} s of {none_s:.0f} s without action, of {length_s:.0f} s in all")
        print(f"{pictures} pictures, one in {length_s / pictures:.1f} s")
    if options.time:
        from phar.media import probe

        seconds = timed(skimmer, options.time)
        print(f"{probe(options.time).duration_s / seconds:.0f}x real time: {seconds:.2f} s, median of 3")


if __name__ == "__main__":
    main()
