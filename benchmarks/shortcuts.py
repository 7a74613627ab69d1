"""Measure what each shortcut gains in speed and costs in accuracy, through the whole pipeline.

    python benchmarks/shortcuts.py [--seed 2000000] [--clips 26] [--videos 22] [--keep DIR] [--only NAME ...]

Analyses the held-out videos of the rendered world once per variant of the `demo` profile, the variants
taking turns on each video, and prints a Markdown table: seconds without loading, fused top-1 over all
windows, and how they differ from those of the `accurate` preset. `int8` needs `phar models quantize demo`.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from phar.evaluate.truth import VideoTruth
from phar.evaluate.world import rendered
from phar.pipeline import Analyzer
from phar.profile import load_profile, with_overrides, with_preset
from phar.schema import ModelError, Report
from phar.synth import load_world

#: Name to preset, overrides and backend; the first is what the others are compared with.
VARIANTS: dict[str, tuple[str | None, dict[str, Any], str]] = {
    "accurate": ("accurate", {}, "auto"),
    "accurate, torch": ("accurate", {}, "torch"),
    "detector on every 2nd frame (balanced)": ("balanced", {}, "auto"),
    "detector on every 6th frame (fast)": ("fast", {}, "auto"),
    "int8": ("int8", {}, "auto"),
    "one person a frame": ("balanced", {"persons": {"max_persons": 1}}, "auto"),
}


@dataclass
class Run:
    """What one variant said and took."""

    analyzer: Analyzer
    seconds: float = 0.0
    said: list[str | None] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)

    def add(self, report: Report, truth: VideoTruth) -> None:
        """Note one video's report."""
        self.seconds += report.timing["total_s"] - report.timing["main"].get("load", 0.0)
        for prediction in report.predictions:
            about = truth.of(prediction.window)
            said = report.labels[int(prediction.probs.argmax())] if prediction.probs.any() else None
            self.said.append(said)
            self.right.append(about is not None and said in about.also)
            self.scores.append(prediction.probs)


def main() -> None:
    """Analyse and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2_000_000)
    parser.add_argument("--clips", type=int, default=26)
    parser.add_argument("--videos", type=int, default=22)
    parser.add_argument("--keep", type=Path, help="render into this folder and keep the videos")
    parser.add_argument("--only", nargs="+", choices=tuple(VARIANTS), metavar="NAME")
    options = parser.parse_args()
    base = load_profile("demo")
    runs: dict[str, Run] = {}
    for name in options.only or VARIANTS:
        preset, overrides, backend = VARIANTS[name]
        try:
            analyzer = Analyzer(with_overrides(with_preset(base, preset), overrides), backend=backend)
        except ModelError as error:
            print(f"{name}: left out, {error}")
            continue
        runs[name] = Run(analyzer)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        num_videos = options.clips + options.videos
        for truth in rendered(load_world(), options.seed, options.clips, options.videos, folder):
            for run in runs.values():
                run.add(run.analyzer.analyze(truth.path), truth)
    print(table(runs, num_videos))


def table(runs: dict[str, Run], num_videos: int) -> str:
    """Return the comparison as Markdown."""
    first = next(iter(runs.values()))
    lines = [
        f"{len(first.right)} windows of {num_videos} videos",
        "",
        "| variant | seconds | times as fast | fused top-1 | points | same top-1 | largest difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, run in runs.items():
        fused, reference = np.mean(run.right), np.mean(first.right)
        same = np.mean([a == b for a, b in zip(run.said, first.said, strict=True)])
        most = max(float(np.abs(a - b).max()) for a, b in zip(run.scores, first.scores, strict=True))
        lines.append(
            f"| {name} | {run.seconds:.0f} | {first.seconds / run.seconds:.2f} | {fused:.1%} "
            f"| {100 * (fused - reference):+.1f} | {same:.1%} | {most:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
