"""What segments are worth: whether they are found, how exactly, and how many are false.

Sources: segment average precision with greedy matching by score and the precision's envelope, as the
evaluation of ActivityNet has it (Heilbron et al., CVPR 2015); temporal overlap is intersection over union.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_curve

from phar.dataset.spans import intersection, length_s
from phar.evaluate.resampling import Array, Figure, average_precision_drawn, figure, median_drawn, ratio
from phar.evaluate.table import Answers, Table
from phar.evaluate.truth import TrueSpan
from phar.schema import NONE, Segment

#: Least overlaps at which a segment is found.
OVERLAPS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class SegmentMetrics:
    """The figures of one set of answers. Time of which nothing is known counts neither way."""

    table: Table
    answers: Answers
    weights: Array
    """(draws, V) how often each video is in each draw."""

    @cached_property
    def true(self) -> list[list[TrueSpan]]:
        """(V,) the true segments of every label but `none`."""
        return [truth.segments() for truth in self.table.truths]

    @cached_property
    def found(self) -> list[list[Segment]]:
        """(V,) what was found, without `none` and what lies mostly where nothing is known."""
        kept = []
        for known, segments in zip(self._known, self.answers.segments, strict=True):
            kept.append(
                [
                    each
                    for each in segments
                    if each.label != NONE
                    and 2 * length_s(intersection([(each.start_s, each.end_s)], known))
                    >= each.end_s - each.start_s
                ]
            )
        return kept

    @cached_property
    def _known(self) -> list[list[tuple[float, float]]]:
        pairs = zip(self.table.truths, self.table.durations_s, strict=True)
        return [truth.known(float(duration_s)) for truth, duration_s in pairs]

    def hours(self) -> float:
        """Length of what is known."""
        return sum(length_s(spans) for spans in self._known) / 3600

    def by_overlap(self) -> dict[str, dict[str, Any]]:
        """Mean average precision at each of `OVERLAPS`, and each label's."""
        return {f"{overlap:g}": self._mean_average_precision(overlap) for overlap in OVERLAPS}

    def _mean_average_precision(self, overlap: float) -> dict[str, Any]:
        labels = sorted({span.label for spans in self.true for span in spans})
        each = {label: self._average_precision(label, overlap) for label in labels}
        if not each:
            return {"map": Figure(None), "labels": {}}
        drawn = np.stack([values for _, values in each.values()], axis=1)
        counted = np.isfinite(drawn)
        mean = ratio(np.where(counted, drawn, 0).sum(axis=1), counted.sum(axis=1).astype(float))
        value = float(np.mean([known.value or 0.0 for known, _ in each.values()]))
        return {
            "map": self._figure(value, mean),
            "labels": {label: known for label, (known, _) in each.items()},
        }

    def _average_precision(self, label: str, overlap: float) -> tuple[Figure, Array]:
        right: list[bool] = []
        scores: list[float] = []
        video: list[int] = []
        num_true = np.zeros(len(self.true))
        for number, (true, found) in enumerate(zip(self.true, self.found, strict=True)):
            own = [span for span in true if span.label == label]
            mine = [segment for segment in found if segment.label == label]
            num_true[number] = len(own)
            right += matched(own, mine, overlap)
            scores += [segment.score for segment in mine]
            video += [number] * len(mine)
        flags, ranked = np.array(right, dtype=bool), np.array(scores)
        value = average_precision(flags, ranked, int(num_true.sum()))
        drawn = average_precision_drawn(
            flags, ranked, np.array(video, dtype=np.int64), self.weights, num_true, envelope=True
        )
        return self._figure(value, drawn), drawn

    def false_alarms_per_hour(self) -> Figure:
        """Segments in which their label is never true, by the hour of what is known."""
        false = np.array(
            [
                sum(
                    not any(_overlap_s(span, segment) > 0 and span.label == segment.label for span in true)
                    for segment in found
                )
                for true, found in zip(self.true, self.found, strict=True)
            ],
            dtype=float,
        )
        hours = np.array([length_s(spans) / 3600 for spans in self._known])
        value = ratio(np.array([false.sum()]), np.array([hours.sum()]))[0]
        return self._figure(float(value), ratio(self.weights @ false, self.weights @ hours))

    def boundaries(self) -> dict[str, Figure]:
        """How many true segments are found at all, and how far off bounds inside a video are.

        `found`: share of true segments that a segment of their label overlaps. `matched_s`: median distance
        of their starts and ends from those of the segment that overlaps most. `nearest_s`: median distance
        of every true bound from the nearest found one, whatever the labels.
        """
        num_found, num_true = np.zeros(len(self.true)), np.zeros(len(self.true))
        matched_s: list[tuple[float, int]] = []
        nearest_s: list[tuple[float, int]] = []
        for number, (true, found) in enumerate(zip(self.true, self.found, strict=True)):
            num_true[number] = len(true)
            duration_s = float(self.table.durations_s[number])
            for span in true:
                own = [
                    segment
                    for segment in found
                    if segment.label == span.label and _overlap_s(span, segment) > 0
                ]
                if own:
                    num_found[number] += 1
                    best = max(own, key=lambda segment: _overlap_s(span, segment))
                    pairs = ((span.start_s, best.start_s), (span.end_s, best.end_s))
                    matched_s += [(abs(a - b), number) for a, b in pairs if _inside(a, duration_s)]
            said = _bounds(found, duration_s)
            nearest_s += [
                (min((abs(bound - other) for other in said), default=np.inf), number)
                for bound in _bounds(true, duration_s)
            ]
        share = ratio(np.array([num_found.sum()]), np.array([num_true.sum()]))[0]
        return {
            "found": self._figure(float(share), ratio(self.weights @ num_found, self.weights @ num_true)),
            "matched_s": self._median(matched_s),
            "nearest_s": self._median(nearest_s),
        }

    def tag_f1(self) -> Figure:
        """F1 of the labels a video has, over all videos and labels at once."""
        labels = [label for label in self.table.labels if label != NONE]
        true = np.array([[any(s.label == label for s in spans) for label in labels] for spans in self.true])
        said = np.array([[any(s.label == label for s in spans) for label in labels] for spans in self.found])
        if not true.any() and not said.any():
            return Figure(None)
        right, either = (true & said).sum(axis=1), true.sum(axis=1) + said.sum(axis=1)
        drawn = ratio(2.0 * (self.weights @ right), self.weights @ either)
        return self._figure(float(f1_score(true, said, average="micro", zero_division=0.0)), drawn)

    def _median(self, pairs: Sequence[tuple[float, int]]) -> Figure:
        if not pairs:
            return Figure(None)
        values = np.array([value for value, _ in pairs])
        drawn = median_drawn(values, np.array([number for _, number in pairs], dtype=np.int64), self.weights)
        # A bound that nothing is near to is infinitely far.
        if not np.isfinite(np.median(values)):
            return Figure(None)
        return self._figure(float(np.median(values)), np.where(np.isfinite(drawn), drawn, np.nan))

    def _figure(self, value: float, drawn: Array) -> Figure:
        return figure(value, drawn if len(self.true) > 1 else None)


def matched(true: Sequence[TrueSpan], found: Sequence[Segment], overlap: float) -> list[bool]:
    """Return for each segment whether it finds a true span that no better scored one has found.

    Both are of one label and video; a segment takes the free span that it overlaps most.
    """
    right = [False] * len(found)
    free = set(range(len(true)))
    for position in sorted(range(len(found)), key=lambda at: -found[at].score):
        fits = {at: _iou(true[at], found[position]) for at in free}
        best = max(fits, key=lambda at: fits[at], default=None)
        if best is not None and fits[best] >= overlap - 1e-9:
            right[position] = True
            free.discard(best)
    return right


def average_precision(right: NDArray[np.bool_], scores: Array, num_true: int) -> float:
    """Area under the envelope of precision over recall, of ranked segments; NaN with nothing to find.

    right: (N,) which are right. num_true: how many there are to be found, N or more of them missed.
    """
    if num_true == 0:
        return float("nan")
    if not right.any():
        return 0.0
    precision, recall, _ = precision_recall_curve(right, scores)
    envelope = np.maximum.accumulate(precision[:-1])
    # scikit-learn's recall is that of the found ones; the missed ones are never reached.
    return float(-(np.diff(recall) * envelope).sum() * right.sum() / num_true)


def _bounds(spans: Sequence[TrueSpan] | Sequence[Segment], duration_s: float) -> list[float]:
    bounds = {bound for span in spans for bound in (span.start_s, span.end_s)}
    return sorted(bound for bound in bounds if _inside(bound, duration_s))


def _inside(bound: float, duration_s: float) -> bool:
    """Where a video begins and ends, nobody has to find out."""
    return 1e-3 < bound < duration_s - 1e-3


def _overlap_s(span: TrueSpan, segment: Segment) -> float:
    return min(span.end_s, segment.end_s) - max(span.start_s, segment.start_s)


def _iou(span: TrueSpan, segment: Segment) -> float:
    shared = max(0.0, _overlap_s(span, segment))
    return shared / (span.end_s - span.start_s + segment.end_s - segment.start_s - shared)
