"""Measure what each shortcut gains in speed and costs in accuracy, through the whole pipeline.

    python benchmarks/shortcuts.py [--seed 2000000] [--clips 26] [--videos 22] [--keep DIR] [--only NAME ...]

Analyses the held-out videos of the rendered world once per variant of the `demo` profile, the variants
taking turns on each video, and prints a Markdown table: seconds without loading, fused top-1 over all
windows, and how they differ from those of the `accurate` preset. `int8` needs `phar models quantize demo`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from phar.evaluate.truth import VideoTruth
from phar.evaluate.world import rendered
from phar.openmmlab import backends
from phar.pipeline import Analyzer
from phar.profile import Profile, load_profile, with_overrides, with_preset
from phar.schema import ModelError, Report
from phar.synth import load_world


@dataclass(frozen=True)
class Variant:
    """A way to run the profile."""

    preset: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "auto"
    precision: str | None = None
    """Of OpenVINO's arithmetic, where it is not what phar would choose on this machine."""

    def analyzer(self, base: Profile) -> Analyzer:
        """Load its nets. Raises ModelError."""
        profile = with_overrides(with_preset(base, self.preset), dict(self.overrides))
        if self.precision is None:
            return Analyzer(profile, backend=self.backend)
        if self.precision.upper() not in backends.openvino_core().get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            raise ModelError(f"this CPU has no {self.precision}")
        with mock.patch.object(backends, "openvino_precision", return_value=self.precision):
            return Analyzer(profile, backend=self.backend)


#: The first is what the others are compared with.
VARIANTS = {
    "accurate": Variant("accurate"),
    "accurate, torch": Variant("accurate", backend="torch"),
    "accurate, bf16": Variant("accurate", precision="bf16"),
    "detector on every 2nd frame (balanced)": Variant("balanced"),
    "detector on every 6th frame (fast)": Variant("fast"),
    "int8": Variant("int8"),
    "one person a frame": Variant("balanced", {"persons": {"max_persons": 1}}),
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
        try:
            runs[name] = Run(VARIANTS[name].analyzer(base))
        except ModelError as error:
            print(f"{name}: left out, {error}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        num_videos = options.clips + options.videos
        videos = rendered(load_world(), options.seed, options.clips, options.videos, folder)
        for number, truth in enumerate(videos):
            for run in runs.values():
                if number == 0:
                    # Nets are compiled when they first see an input.
                    run.analyzer.analyze(truth.path)
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
