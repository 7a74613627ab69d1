"""The best short spans of a label: high scores, and not all from one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phar.schema import Prediction, Segment
from phar.timeline.windows import owned_spans

#: How much of a score a span loses right beside one that was chosen already.
_CROWDING = 0.3

#: How far away, in parts of the video and at least in seconds, that wears off to a third.
_REACH_SHARE, _REACH_S = 0.05, 20.0


@dataclass(frozen=True)
class Short:
    """One span worth showing."""

    label: str
    start_s: float
    end_s: float
    score: float
    """Mean fused score of the label over the span, in [0, 1]."""
    rank: int
    """1 for the best of its label."""


def shorts(
    predictions: Sequence[Prediction],
    labels: Sequence[str],
    found: Sequence[Segment],
    num: int,
    lengths_s: tuple[float, float],
) -> list[Short]:
    """Choose up to `num` spans, best first, that do not overlap.

    Each choice takes the span whose score, less what it loses by being near to those chosen before, is
    highest; ties go to the earlier one. Segments shorter than the least length give none, longer ones
    than the greatest give the stretches of them that score best.

    Args:
        predictions: one per window, in time order.
        labels: names of the elements of `Prediction.probs`.
        found: segments of one label.
        num: how many spans.
        lengths_s: least and greatest length of a span.
    """
    if not found:
        return []
    spans = owned_spans([prediction.window for prediction in predictions])
    column = list(labels).index(found[0].label)
    scores = np.array([prediction.probs[column] for prediction in predictions], np.float64)
    bounds = np.array(spans)

    def score(start: float, end: float) -> float:
        shared = np.clip(np.minimum(bounds[:, 1], end) - np.maximum(bounds[:, 0], start), 0, None)
        return float((shared * scores).sum() / shared.sum())

    reach_s = max(_REACH_S, _REACH_SHARE * spans[-1][1])
    parts = [(segment.start_s, segment.end_s) for segment in found]
    chosen: list[tuple[float, float, float]] = []
    while len(chosen) < num:
        free = [
            (score(start, end), start, end)
            for part in parts
            for start, end in _stretches(part, bounds, *lengths_s)
        ]
        if not free:
            break
        best = max(free, key=lambda c: (_worth(c, chosen, reach_s), -c[1], c[2]))
        chosen.append(best)
        # What is left of the part it was taken from may hold another.
        parts = [
            left
            for start, end in parts
            for left in ((start, min(end, best[1])), (max(start, best[2]), end))
            if left[0] < left[1]
        ]
    return [
        Short(found[0].label, start, end, value, rank)
        for rank, (value, start, end) in enumerate(chosen, start=1)
    ]


def _worth(
    candidate: tuple[float, float, float], chosen: Sequence[tuple[float, float, float]], reach_s: float
) -> float:
    value, start, end = candidate
    apart_s = min((max(other[1] - end, start - other[2]) for other in chosen), default=math.inf)
    # Rounded, so that scores that differ by nothing but summation are ties.
    return round(value - _CROWDING * math.exp(-apart_s / reach_s), 9)


def _stretches(
    part: tuple[float, float], bounds: NDArray[np.float64], shortest_s: float, longest_s: float
) -> list[tuple[float, float]]:
    """Return the spans of a part of a segment that come into question."""
    first, end_s = part
    if end_s - first < shortest_s:
        return []
    if end_s - first <= longest_s:
        return [part]
    last = end_s - longest_s
    starts = {first, last}
    for start, end in bounds.tolist():
        # From where a window begins, or around its middle.
        for begin in (start, (start + end - longest_s) / 2):
            if first <= begin <= last:
                starts.add(round(begin, 6))
    return [(start, round(start + longest_s, 6)) for start in sorted(starts)]
