"""A video as numbers per label and pair of labels, for recommenders and other tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phar.schema import NONE, Report
from phar.timeline.overlaps import lanes_of, together_s
from phar.timeline.windows import owned_spans


@dataclass(frozen=True)
class LabelFeatures:
    """What one label is in one video."""

    seconds: float
    """Total length of its segments, as in the report's tags: one label per moment."""
    share: float
    """`seconds` over the video's duration, in [0, 1]."""
    score: float
    """Mean fused score over the whole video, each window weighted by the time it owns; in [0, 1]."""
    lane_s: float
    """Total length of its lane: seconds during which it is on, whatever else is."""


@dataclass(frozen=True)
class Features:
    """One video's features; `none` is not among the labels."""

    labels: Mapping[str, LabelFeatures]
    together_s: Mapping[tuple[str, str], float]
    """Seconds during which both lanes are on, by pair in the order of the report's labels."""


def features(report: Report) -> Features:
    """Return a report's features, from its tags, its scores and its lanes."""
    tags = {tag.label: tag for tag in report.tags}
    lanes = lanes_of(report)
    scores = _mean_scores(report)
    rows = {
        label: LabelFeatures(
            seconds=tags[label].seconds if label in tags else 0.0,
            share=tags[label].share if label in tags else 0.0,
            score=scores[label],
            lane_s=sum(segment.end_s - segment.start_s for segment in lanes[label]),
        )
        for label in report.labels
        if label != NONE
    }
    return Features(rows, together_s(lanes))


def _mean_scores(report: Report) -> dict[str, float]:
    if not report.predictions:
        return dict.fromkeys(report.labels, 0.0)
    spans = owned_spans([prediction.window for prediction in report.predictions])
    table = np.stack([prediction.probs for prediction in report.predictions]).astype(np.float64)
    means = np.average(table, axis=0, weights=[end - start for start, end in spans])
    return dict(zip(report.labels, means.tolist(), strict=True))
