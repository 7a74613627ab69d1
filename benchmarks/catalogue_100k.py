"""How long a catalogue of many videos takes to answer.

    python benchmarks/catalogue_100k.py [--videos 100000] [--repeats 7]

makes a catalogue of made-up videos with `phar batch`'s own writer in a temporary folder and asks it what
`phar find` asks, in this process and by the command; prints the median of each question in seconds.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import redirect_stdout
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from phar.batch.catalogue import Catalogue, Seen
from phar.batch.sources import Found, Stamp
from phar.cli import main as phar
from phar.schema import NONE, Segment, Tag, Video

LABELS = tuple(f"label-{i:02}" for i in range(20))


def made_up(rng: random.Random) -> Seen:
    """Return a video of about half an hour with some of the labels, in about forty segments."""
    duration_s = min(max(rng.lognormvariate(7.4, 0.6), 60.0), 4 * 3600.0)
    # The first labels are in most videos, the last in few.
    chosen = [label for i, label in enumerate(LABELS) if rng.random() < 0.9 / (1 + 0.3 * i)] or [LABELS[0]]
    bounds = sorted(rng.uniform(0, duration_s) for _ in range(rng.randint(10, 70)))
    segments = []
    seconds: defaultdict[str, float] = defaultdict(float)
    for start, end in pairwise([0.0, *bounds, duration_s]):
        label = rng.choice(chosen) if rng.random() < 0.8 else NONE
        segments.append(Segment(label, start, end, rng.uniform(0.3, 1)))
        seconds[label] += end - start
    return Seen(
        video=Video("", duration_s, Fraction(25), 1280, 720, True),
        tags=tuple(
            Tag(label, total, total / duration_s, rng.uniform(0.3, 1), 9) for label, total in seconds.items()
        ),
        segments=tuple(segments),
        timing={"total_s": duration_s / 5, "realtime_factor": 5.0},
        warnings=(),
        created="2024-05-31T12:00:00+00:00",
        has_poses=False,
    )


def fill(folder: Path, num_videos: int) -> float:
    """Write the catalogue and return how many seconds the writing took."""
    rng = random.Random(1)
    found = [
        Found(
            f"/library/{i % 1000:03}/video {i:06}.mp4",
            f"library/{i % 1000:03}/video {i:06}.mp4",
            Stamp(10**9, i),
        )
        for i in range(num_videos)
    ]
    writing_s = 0.0
    with Catalogue(folder) as catalogue:
        start = time.perf_counter()
        catalogue.enrol(found)
        catalogue.name_labels(LABELS)
        writing_s += time.perf_counter() - start
        for i, item in enumerate(found):
            seen = made_up(rng)
            assert item.stamp is not None
            start = time.perf_counter()
            catalogue.looked(i + 1, f"{i:064x}", item.stamp)
            catalogue.done(i + 1, seen, f"{i:064x}", "analysis", "settings")
            writing_s += time.perf_counter() - start
    return writing_s


def median_s(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Make, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        writing_s = fill(Path(folder), args.videos)
        size_mb = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
        print(f"{args.videos} videos, {size_mb:.0f} MB, {writing_s / args.videos * 1e3:.2f} ms to write one")
        common, rare = LABELS[0], LABELS[-1]
        video = "/library/000/video 000000.mp4"
        questions: dict[str, list[str]] = {
            "common label, 30 s, by score": ["--label", common, "--min-seconds", "30", "--sort", "score"],
            "the same, first 50": [
                "--label",
                common,
                "--min-seconds",
                "30",
                "--sort",
                "score",
                "--limit",
                "50",
            ],
            "rare label, by seconds": ["--label", rare, "--sort", "seconds"],
            "two labels and not a third": ["--label", common, "--label", LABELS[1], "--not", LABELS[2]],
            "common label in one folder": ["--label", common, "--under", "/library/007"],
            "all videos, by length": ["--sort", "duration"],
            "most alike": ["--like", video],
            "most alike with a label": ["--like", video, "--label", rare, "--limit", "50"],
            "statistics": ["--stats"],
            "statistics of one folder": ["--stats", "--under", "/library/007"],
        }
        print(f"{'question':30} {'hits':>7} {'find':>7} {'command':>7}")
        for name, flags in questions.items():
            argv = ["find", "--catalogue", folder, *flags]
            said = io.StringIO()
            with redirect_stdout(said):
                inside_s = median_s(partial(phar.main, argv), args.repeats)
            command = [sys.executable, "-m", "phar.cli.main", *argv]
            whole_s = median_s(partial(subprocess.run, command, stdout=-3, check=True), args.repeats)
            hits = len(said.getvalue().splitlines()) // args.repeats
            print(f"{name:30} {hits:7} {inside_s:7.3f} {whole_s:7.3f}")
        start = time.perf_counter()
        phar.main(["find", "--catalogue", folder, "--parquet", str(Path(folder) / "parquet")])
        print(f"Parquet in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
