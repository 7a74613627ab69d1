"""The picture of a training: loss and accuracy over iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from phar.export.target import replacing
from phar.openmmlab.training import MEASURES, best_row

#: Colours that stay apart for colour-blind people. Source: Okabe and Ito, https://jfly.uni-koeln.de/color/.
_TRAIN, _VAL = "#0072B2", "#D55E00"
_NAMES = {
    "acc/top1": "top-1",
    "acc/mean1": "mean over classes",
    "coco/bbox_mAP": "AP",
    "coco/bbox_mAP_50": "AP50",
    "PCK": "PCK@0.1",
}


def draw_curves(rows: Sequence[Mapping[str, float]], kind: str, path: Path) -> None:
    """Draw the rows of a log to a PNG; the best validation is marked. Raises OutputError."""
    from matplotlib.figure import Figure

    measure = MEASURES[kind]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses = [(row["iteration"], row["loss"]) for row in rows if "loss" in row]
    if losses:
        left.plot(*zip(*losses, strict=True), color=_TRAIN, linewidth=1.4)
    left.set(xlabel="iteration", ylabel="training loss", yscale="log")
    trained = [(row["iteration"], row["train_top1"]) for row in rows if "train_top1" in row]
    if trained:
        right.plot(*zip(*trained, strict=True), color=_TRAIN, linewidth=1, alpha=0.6, label="training, top-1")
    shown = [column for column in measure.columns if column in _NAMES]
    for column, style in zip(shown, ("-", "--", ":"), strict=False):
        points = [(row["iteration"], row[column]) for row in rows if column in row]
        if points:
            label = f"validation, {_NAMES[column]}"
            right.plot(*zip(*points, strict=True), style, color=_VAL, marker=".", label=label)
    best = best_row(rows, measure)
    if best is not None:
        right.annotate(
            f"{best[measure.best]:.3f}",
            (best["iteration"], best[measure.best]),
            (0, 6),
            textcoords="offset points",
            ha="center",
            size=9,
        )
    right.set(xlabel="iteration", ylim=(0, 1.05))
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="lower right", frameon=False, fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
