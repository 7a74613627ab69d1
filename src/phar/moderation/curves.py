"""Pictures of a calibration: what scores are worth, and what each threshold costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phar.export import replacing
from phar.moderation.calibrate import Calibrated
from phar.moderation.thresholds import Outcome, Promise

#: Bars that show how often windows of a score were examples.
_NUM_BINS = 10

_CURVE, _CHOSEN, _FAINT = "#2b6cb0", "#c05621", "#a0aec0"


def write_curves(results: Mapping[str, Calibrated], promise: Promise, path: Path) -> None:
    """Write a picture, .png or .svg, two panels a category; replaces `path` in one step.

    The figures above the bars are numbers of windows.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 0.5 + 3.3 * len(results)), layout="constrained")
    rows = figure.subplots(len(results), 2, squeeze=False)
    for (name, result), (left, right) in zip(results.items(), rows, strict=True):
        _draw_calibration(left, name, result)
        _draw_cost(right, name, result, promise)
    suffix = path.suffix.lower().removeprefix(".")
    with replacing(path) as partial:
        figure.savefig(partial, format=suffix, dpi=110, metadata={"Date": None} if suffix == "svg" else None)


def _draw_calibration(axes: Any, name: str, result: Calibrated) -> None:
    known = [(row.score, row.truth) for row in result.data.rows if row.truth is not None]
    scores = np.array([score for score, _ in known])
    truths = np.array([truth for _, truth in known], float)
    bins = np.minimum((scores * _NUM_BINS).astype(int), _NUM_BINS - 1)
    for number in np.unique(bins):
        inside = bins == number
        axes.bar(
            (number + 0.5) / _NUM_BINS,
            truths[inside].mean(),
            0.9 / _NUM_BINS,
            color=_FAINT,
            alpha=0.5,
            zorder=1,
        )
        count = int(inside.sum())
        axes.annotate(f"{count}", ((number + 0.5) / _NUM_BINS, 1.02), ha="center", size=6, color="#4a5568")
    if result.calibration is not None:
        axes.plot(
            result.calibration.scores,
            result.calibration.probabilities,
            color=_CURVE,
            zorder=3,
            label="calibrated",
        )
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=0.8, linestyle=":", zorder=2)
    axes.axvline(
        result.chosen.threshold, color=_CHOSEN, linewidth=1, linestyle="--", zorder=4, label="threshold"
    )
    axes.legend(fontsize=7, frameon=False, loc="center left")
    axes.set(xlim=(0, 1), ylim=(0, 1.08), xlabel="score", ylabel="probability, and share of examples")
    axes.set_title(f"{name}: what a score is worth", size=10)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_cost(axes: Any, name: str, result: Calibrated, promise: Promise) -> None:
    if promise.kind == "precision":
        shown = [each for each in result.curve if each.true_alarms + each.false_alarms]
        cost = [_share(each) for each in shown]
        axes.set(xlim=(0, 1.02), xlabel="precision of alarms")
        point = _share(result.chosen)
    else:
        shown = list(result.curve)
        cost = [each.per_hour for each in shown]
        axes.set_xscale("symlog", linthresh=promise.target)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set(xlim=(0, max(10 * promise.target, 2 * result.bound)), xlabel="false alarms an hour")
        point = result.chosen.per_hour
    gain, label = _gain(shown)
    axes.plot(cost, gain, color=_CURVE, marker=".", markersize=3, linewidth=1)
    (height,), _ = _gain([result.chosen])
    axes.plot([point, result.bound], [height, height], color=_CHOSEN, linewidth=2, solid_capstyle="butt")
    axes.plot([point], [height], "o", color=_CHOSEN, label=f"chosen, and its {promise.confidence:.0%} bound")
    axes.axvline(promise.target, color="#4a5568", linewidth=0.8, linestyle=":", label="promised")
    axes.set(ylim=(-0.03, 1.05), ylabel=label)
    axes.set_title(f"{name}: what a threshold costs", size=10)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)


def _gain(outcomes: Sequence[Outcome]) -> tuple[list[float], str]:
    """Recall of events; where the data hold none, 0."""
    if outcomes and outcomes[0].events:
        return [each.event_recall for each in outcomes], "events found"
    return [0.0] * len(outcomes), "events found (the data hold none)"


def _share(outcome: Outcome) -> float:
    alarms = outcome.true_alarms + outcome.false_alarms
    return outcome.true_alarms / alarms if alarms else float("nan")
