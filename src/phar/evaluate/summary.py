"""All figures of several models on one truth, as one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phar import __version__
from phar.evaluate.controls import commonest, shuffled
from phar.evaluate.metrics import TOPK, WindowMetrics
from phar.evaluate.resampling import Array, Figure, documented, draws, figure, per_video, ratio
from phar.evaluate.table import FUSED, Answers, Table
from phar.evaluate.temporal import SegmentMetrics
from phar.export.target import EVALUATION_MARK

#: Answers that are not a stream's.
_OTHERS = (FUSED, "fused_open", "fused_still")
#: Mistakes listed.
_NUM_CONFUSED = 10


@dataclass(frozen=True)
class Model:
    """What is compared: a profile's answers, or another tool's."""

    name: str
    table: Table
    answers: Mapping[str, Answers]
    """By name: `fused` first, `fused_open`, `fused_still`, then the streams'."""
    about: Mapping[str, Any]
    """What it is, as the document says it."""


def summarize(models: Sequence[Model], *, controls: bool = False) -> dict[str, Any]:
    """Measure every model on its own table, all of the same videos, and compare all with the first."""
    first = models[0]
    weights = draws(len(first.table.truths))
    known = SegmentMetrics(first.table, first.answers[FUSED], weights)
    document: dict[str, Any] = {
        EVALUATION_MARK: "1.0",
        "phar_version": __version__,
        "videos": [truth.name for truth in first.table.truths],
        "windows": first.table.num_windows,
        "hours": round(known.hours(), 6),
        "labels": list(first.table.labels),
        "models": [],
    }
    top1 = []
    for model in models:
        measured = {name: _answers(model.table, each, weights) for name, each in model.answers.items()}
        entry: dict[str, Any] = {
            "name": model.name,
            **model.about,
            "windows": model.table.num_windows,
            "answers": measured,
            "spoke": _spoke(model, weights),
        }
        metrics = WindowMetrics(model.table, model.answers[FUSED], weights)
        if controls:
            entry["controls"] = documented({"shuffled": shuffled(metrics), "commonest": commonest(metrics)})
        document["models"].append(entry)
        top1.append(_top1_drawn(metrics, weights))
    if len(models) > 1:
        document["differences"] = [
            {
                "model": model.name,
                "from": first.name,
                "top1": _difference(top1[number], top1[0], len(first.table.truths)).document(),
            }
            for number, model in enumerate(models)
            if number
        ]
    return document


def _answers(table: Table, answers: Answers, weights: Array) -> dict[str, Any]:
    metrics = WindowMetrics(table, answers, weights)
    segments = SegmentMetrics(table, answers, weights)
    reliability = metrics.reliability()
    pure = table.purity >= 1 - 1e-3
    return documented(
        {
            **{f"top{k}": metrics.topk(k) for k in TOPK},
            "top1_named": metrics.named(),
            "top1_pure": metrics.mean(metrics.ranks == 1, pure),
            "mean_class_accuracy": metrics.mean_class_accuracy(),
            "macro_f1": metrics.macro_f1(),
            "map": metrics.mean_average_precision(),
            "calibration_error": reliability["error"],
            "labels": metrics.by_label(),
            "categories": metrics.by_category(),
            "confusion": metrics.counts.sum(axis=0).astype(int).tolist(),
            "confused": _confused(metrics),
            "reliability": reliability["bins"],
            "segments": {
                **segments.by_overlap(),
                "false_alarms_per_hour": segments.false_alarms_per_hour(),
                **segments.boundaries(),
                "tag_f1": segments.tag_f1(),
            },
        }
    )


def _spoke(model: Model, weights: Array) -> dict[str, Any]:
    """Where each stream spoke: how many windows, and how right it, RGB and the fused answer were."""
    found = {}
    for name, answers in model.answers.items():
        if name in _OTHERS:
            continue
        there = answers.spoke
        compared = {"stream": answers, "rgb": model.answers.get("rgb"), "fused": model.answers[FUSED]}
        found[name] = {
            "windows": int(there.sum()),
            **documented(
                {
                    key: Figure(None)
                    if each is None
                    else (metrics := WindowMetrics(model.table, each, weights)).mean(
                        metrics.ranks == 1, there
                    )
                    for key, each in compared.items()
                }
            ),
        }
    return found


def _confused(metrics: WindowMetrics) -> list[dict[str, Any]]:
    names = [*metrics.table.labels, "silent"]
    pairs = Counter(
        (names[true], names[said])
        for true, said in zip(metrics.truth, metrics.answers.said, strict=True)
        if true != said
    )
    return [
        {"truth": true, "said": said, "windows": number}
        for (true, said), number in pairs.most_common(_NUM_CONFUSED)
    ]


def _top1_drawn(metrics: WindowMetrics, weights: Array) -> tuple[float, Array]:
    right = (metrics.ranks == 1).astype(float)
    num_videos = len(metrics.table.truths)
    sums = per_video(right, metrics.table.video, num_videos)
    numbers = per_video(np.ones(len(right)), metrics.table.video, num_videos)
    return float(right.mean()), ratio(weights @ sums, weights @ numbers)


def _difference(one: tuple[float, Array], other: tuple[float, Array], num_videos: int) -> Figure:
    # The same draws for both: what all videos share cancels out.
    return figure(one[0] - other[0], one[1] - other[1] if num_videos > 1 else None)
