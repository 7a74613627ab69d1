"""Time arithmetic: a duration into windows, predictions into segments and tags.

Everything here is pure. Window bounds are computed from the decimal value of
the stride with whole-number arithmetic, so the 100,000th window is as exact as
the first.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from phar.schema import NONE, Prediction, Segment, SegmentSpec, Tag, Window


def windows(duration_s: float, window_s: float, stride_s: float) -> list[Window]:
    """Cover [0, duration_s) with windows of `window_s` every `stride_s`.

    The last window ends at `duration_s` and may be shorter; there is no window
    that lies wholly inside the one before it. A video shorter than one window
    is one window.

    Raises:
        ValueError: a length is not positive, or the stride leaves gaps.
    """
    length, stride, end = _exact(window_s), _exact(stride_s), _exact(duration_s)
    if min(length, stride, end) <= 0:
        raise ValueError(f"duration {duration_s}, window {window_s} and stride {stride_s} must be positive")
    if stride > length:
        raise ValueError(f"stride {stride_s} s is longer than the window of {window_s} s and leaves gaps")
    # The last window is the first that reaches the end.
    last = max(0, math.ceil((end - length) / stride))
    return [
        Window(index, float(index * stride), float(min(index * stride + length, end)))
        for index in range(last + 1)
    ]


def window_labels(predictions: Sequence[Prediction], labels: Sequence[str], spec: SegmentSpec) -> list[str]:
    """Name each window: its best label, or `none` if that label's score is below its threshold."""
    return [_name(prediction.probs, labels, spec) for prediction in predictions]


def segments(predictions: Sequence[Prediction], labels: Sequence[str], spec: SegmentSpec) -> list[Segment]:
    """Merge windows of equal label into segments that cover the video without overlap.

    Where two windows overlap, the boundary between them is the middle of the
    overlap. Bridging of gaps (`max_gap_s`) comes before dropping short runs
    (`min_length_s`). A segment's score is the mean fused score of its label,
    for `none` the mean best score, weighted by the time each window owns.

    Args:
        predictions: one per window, in time order.
        labels: (L,) names of the elements of `Prediction.probs`.
        spec: thresholds and lengths.
    """
    if not predictions:
        return []
    spans = owned_spans([prediction.window for prediction in predictions])
    names = window_labels(predictions, labels, spec)
    runs = _runs(names, spans)
    if spec.max_gap_s > 0:
        for before, gap, after in zip(runs, runs[1:], runs[2:], strict=False):
            length = spans[gap[1] - 1][1] - spans[gap[0]][0]
            around = names[before[0]]
            if names[gap[0]] == NONE and around == names[after[0]] and length <= spec.max_gap_s:
                names[gap[0] : gap[1]] = [around] * (gap[1] - gap[0])
        runs = _runs(names, spans)
    if spec.min_length_s > 0:
        for first, last in runs:
            if spans[last - 1][1] - spans[first][0] < spec.min_length_s:
                names[first:last] = [NONE] * (last - first)
        runs = _runs(names, spans)
    column = {label: i for i, label in enumerate(labels)}
    found = []
    for first, last in runs:
        name = names[first]
        lengths = np.array([end - start for start, end in spans[first:last]])
        members = predictions[first:last]
        if name == NONE:
            scores = [float(member.probs.max()) for member in members]
        else:
            scores = [float(member.probs[column[name]]) for member in members]
        score = float(np.average(scores, weights=lengths))
        found.append(Segment(name, spans[first][0], spans[last - 1][1], score))
    return found


def owned_spans(cover: Sequence[Window]) -> list[tuple[float, float]]:
    """Divide time between windows: each owns up to the middle of its overlap with the next.

    Returns:
        One (start_s, end_s) per window, without overlaps or gaps.
    """
    bounds = [cover[0].start_s]
    for window, following in pairwise(cover):
        bounds.append(float((_exact(window.end_s) + _exact(following.start_s)) / 2))
    bounds.append(cover[-1].end_s)
    return list(pairwise(bounds))


def tags(found: Iterable[Segment], cover: Sequence[Window], duration_s: float) -> list[Tag]:
    """Sum segments up per label, longest first, ties by name.

    Args:
        found: segments that do not overlap, as `segments` returns them.
        cover: the windows they came from; `Tag.clips` counts those whose owned
            span has its middle inside a segment of the label.
        duration_s: length of the video.
    """
    found = sorted(found, key=lambda segment: segment.start_s)
    seconds: defaultdict[str, Fraction] = defaultdict(Fraction)
    weighted: defaultdict[str, float] = defaultdict(float)
    for segment in found:
        length = _exact(segment.end_s) - _exact(segment.start_s)
        seconds[segment.label] += length
        weighted[segment.label] += float(length) * segment.score
    clips: Counter[str] = Counter()
    middles = [(start + end) / 2 for start, end in owned_spans(cover)] if cover else []
    starts = np.array([segment.start_s for segment in found])
    for middle in middles:
        index = int(np.searchsorted(starts, middle, side="right")) - 1
        if index >= 0 and middle < found[index].end_s:
            clips[found[index].label] += 1
    rows = [
        Tag(
            label=label,
            seconds=float(total),
            share=min(1.0, float(total) / duration_s),
            score=weighted[label] / float(total),
            clips=clips[label],
        )
        for label, total in seconds.items()
    ]
    return sorted(rows, key=lambda tag: (-tag.seconds, tag.label))


def top_tags(
    ranked: Iterable[Sequence[tuple[str, float]]], topk: int = 3, among: int = 2
) -> list[tuple[str, int]]:
    """Count each label that is among a window's best, and return the most frequent.

    Args:
        ranked: per window, (label, score) pairs in any order.
        topk: how many labels to return.
        among: how many of a window's best labels count.

    Returns:
        (label, number of windows), most frequent first; ties go to the larger
        sum of scores, then to the name.

    Source: the tagging rule of the original project, which counts the top 2.
    """
    counts: Counter[str] = Counter()
    sums: defaultdict[str, float] = defaultdict(float)
    for window in ranked:
        for label, score in sorted(window, key=lambda pair: -pair[1])[:among]:
            counts[label] += 1
            sums[label] += score
    order = sorted(counts, key=lambda label: (-counts[label], -sums[label], label))
    return [(label, counts[label]) for label in order[:topk]]


def _exact(seconds: float) -> Fraction:
    """Read a float as the decimal it prints as: 0.1 is one tenth."""
    return Fraction(repr(float(seconds)))


def _name(probs: NDArray[np.float32], labels: Sequence[str], spec: SegmentSpec) -> str:
    best = int(probs.argmax())
    score = float(probs[best])
    threshold = spec.label_thresholds.get(labels[best], spec.threshold)
    return labels[best] if score > 0 and score >= threshold else NONE


def _runs(names: Sequence[str], spans: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Return half-open index ranges of equal neighbours."""
    changes = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
    return list(pairwise([0, *changes, len(spans)]))
