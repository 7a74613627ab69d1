"""Window scores into segments: who is named when, and for how long.

The steps, in this order, are the same for `segments` (one name at a time) and `lanes` (each label
for itself, so that labels may overlap):

1. each score becomes the median of its neighbourhood of `smooth_s` seconds;
2. a window passes with at least its label's threshold, and barely passes with `hysteresis` less:
   a run of windows that barely pass counts if one of them passes;
3. spans of `none` up to `max_gap_s` long between two runs of one label are bridged;
4. runs shorter than `min_length_s` become `none`, and gaps that this left are bridged as before.

The page that `phar.export.html` writes takes the same steps in the reader's browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from phar.schema import NONE, Prediction, Segment, SegmentSpec
from phar.timeline.windows import owned_spans

Spans = Sequence[tuple[float, float]]


def window_labels(predictions: Sequence[Prediction], labels: Sequence[str], spec: SegmentSpec) -> list[str]:
    """Name each window for itself: its best label, or `none` if that label's score is below its threshold."""
    named = []
    for prediction in predictions:
        best = int(prediction.probs.argmax())
        score = float(prediction.probs[best])
        passed = score > 0 and score >= spec.threshold_of(labels[best])
        named.append(labels[best] if passed else NONE)
    return named


def segments(predictions: Sequence[Prediction], labels: Sequence[str], spec: SegmentSpec) -> list[Segment]:
    """Merge windows of equal label into segments that cover the video without overlap.

    Where two windows overlap, the boundary between them is the middle of the overlap, so a stride
    shorter than a window gives boundaries as fine as the stride. A segment's score is the mean
    fused score of its label, for `none` the mean best score, weighted by the time each window owns.

    Args:
        predictions: one per window, in time order.
        labels: (L,) names of the elements of `Prediction.probs`.
        spec: thresholds and lengths.
    """
    if not predictions:
        return []
    spans = owned_spans([prediction.window for prediction in predictions])
    scores = _smoothed(_table(predictions), spans, spec.smooth_s)
    best = scores.argmax(axis=1)
    peaks = scores[np.arange(len(scores)), best]
    thresholds = np.array([spec.threshold_of(label) for label in labels])[best]
    names = [
        labels[i] if peak > 0 and peak >= threshold - spec.hysteresis else NONE
        for i, peak, threshold in zip(best, peaks, thresholds, strict=True)
    ]
    names = _settled(names, peaks >= thresholds, spans, spec)
    column = {label: i for i, label in enumerate(labels)}
    raw = _table(predictions)
    return [
        Segment(
            name,
            spans[first][0],
            spans[last - 1][1],
            _mean(
                raw[first:last, column[name]] if name != NONE else raw[first:last].max(axis=1),
                spans[first:last],
            ),
        )
        for name, first, last in _runs(names)
    ]


def lanes(
    predictions: Sequence[Prediction], labels: Sequence[str], spec: SegmentSpec
) -> Mapping[str, list[Segment]]:
    """Return, for every label by name, the segments in which it passes, whatever else is seen there.

    Segments of one label do not overlap or touch; those of two labels may. `none` has no lane.
    """
    if not predictions:
        return {label: [] for label in labels if label != NONE}
    spans = owned_spans([prediction.window for prediction in predictions])
    raw = _table(predictions)
    scores = _smoothed(raw, spans, spec.smooth_s)
    found = {}
    for i, label in enumerate(labels):
        if label == NONE:
            continue
        threshold = spec.threshold_of(label)
        column = scores[:, i]
        names = [label if p > 0 and p >= threshold - spec.hysteresis else NONE for p in column]
        names = _settled(names, column >= threshold, spans, spec)
        found[label] = [
            Segment(label, spans[first][0], spans[last - 1][1], _mean(raw[first:last, i], spans[first:last]))
            for name, first, last in _runs(names)
            if name == label
        ]
    return found


def snapped(found: Sequence[Segment], shots_s: Sequence[float], reach_s: float) -> list[Segment]:
    """Move boundaries between segments to the nearest change of shot, if one is within `reach_s`.

    The first start and the last end stay. Of two boundaries that reach for one change the nearer
    takes it, and no segment is emptied: a boundary stays where it is rather than pass a neighbour.

    Args:
        found: segments that cover a span without gaps, as `segments` returns them.
        shots_s: source times of the first frame of each shot, increasing.
        reach_s: the farthest a boundary may move.
    """
    bounds = [segment.start_s for segment in found] + [segment.end_s for segment in found[-1:]]
    inner = range(1, len(bounds) - 1)
    moves = sorted(
        (abs(shot - bounds[i]), i, shot)
        for i in inner
        for shot in shots_s
        if abs(shot - bounds[i]) <= reach_s
    )
    fixed: set[int] = set()
    taken: set[float] = set()
    for _, i, shot in moves:
        if i not in fixed and shot not in taken and bounds[i - 1] < shot < bounds[i + 1]:
            bounds[i] = shot
            fixed.add(i)
            taken.add(shot)
    return [
        replace(segment, start_s=start, end_s=end)
        for segment, (start, end) in zip(found, pairwise(bounds), strict=True)
    ]


def _table(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Return the fused scores as (W, L)."""
    return np.stack([prediction.probs for prediction in predictions]).astype(np.float64)


def _smoothed(scores: NDArray[np.float64], spans: Spans, smooth_s: float) -> NDArray[np.float64]:
    """Return the median of each label's scores over the windows whose middles are within `smooth_s` / 2."""
    if smooth_s <= 0:
        return scores
    middles = np.array([(start + end) / 2 for start, end in spans])
    # Middles are sums of decimals: a hair more reach, so that a neighbour on the edge always counts.
    reach = smooth_s / 2 + 1e-6
    firsts = np.searchsorted(middles, middles - reach, side="left")
    lasts = np.searchsorted(middles, middles + reach, side="right")
    return np.stack([np.median(scores[a:b], axis=0) for a, b in zip(firsts, lasts, strict=True)])


def _settled(names: list[str], passed: NDArray[np.bool_], spans: Spans, spec: SegmentSpec) -> list[str]:
    """Return the windows' names after hysteresis, bridging and dropping."""
    names = list(names)
    for name, first, last in _runs(names):
        if name != NONE and not passed[first:last].any():
            names[first:last] = [NONE] * (last - first)
    _bridge(names, spans, spec)
    for name, first, last in _runs(names):
        if name != NONE and spans[last - 1][1] - spans[first][0] < spec.min_length_of(name):
            names[first:last] = [NONE] * (last - first)
    _bridge(names, spans, spec)
    return names


def _bridge(names: list[str], spans: Spans, spec: SegmentSpec) -> None:
    runs = _runs(names)
    for (before, _, _), (gap, first, last), (after, _, _) in zip(runs, runs[1:], runs[2:], strict=False):
        length_s = spans[last - 1][1] - spans[first][0]
        if gap == NONE and before == after and length_s <= spec.max_gap_of(before):
            names[first:last] = [before] * (last - first)


def _mean(scores: NDArray[np.float64], spans: Spans) -> float:
    return float(np.average(scores, weights=[end - start for start, end in spans]))


def _runs(names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return (name, first, last) of each run of equal neighbours, half-open."""
    changes = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
    return [(names[first], first, last) for first, last in pairwise([0, *changes, len(names)])]
