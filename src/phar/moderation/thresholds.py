"""Thresholds that keep a promise: chosen by a confidence bound, never by what was counted once.

Thresholds of a grid that is fixed beforehand are tried from the highest down, each by a test of its own that
the promise does not hold there; the first that is not rejected ends it. Every threshold passed before keeps
the promise together, at the confidence of a single test.

Source: fixed-sequence testing, as in Angelopoulos et al., Learn then Test, 2021, section 3.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from phar.moderation.spans import AlarmSpan, spans_of
from phar.moderation.truth import Case, Cases
from phar.schema import UsageError

#: Scores that are tried: even in log odds, from 0.01 to 1 - 2e-7, the highest first.
GRID = tuple(float(1 / (1 + np.exp(-k / 8))) for k in range(123, -38, -1))


@dataclass(frozen=True)
class Outcome:
    """What happens to a category's data above one threshold."""

    threshold: float
    """On scores before calibration."""
    true_alarms: int
    """Spans that touch a true event."""
    false_alarms: int
    """Spans that people know to touch none."""
    false_by_video: tuple[int, ...]
    hours_by_video: tuple[float, ...]
    """Hours known to be without the category."""
    found: int
    """True events of which some part was in an alarm."""
    events: int
    hits: int
    """Windows that pass and are examples."""
    misses: int
    """Windows that are examples and do not pass."""
    slips: int
    """Windows that pass and are no examples."""

    @property
    def hours(self) -> float:
        """Hours known to be without the category, all together."""
        return sum(self.hours_by_video)

    @property
    def per_hour(self) -> float:
        """False alarms an hour, as counted."""
        return self.false_alarms / self.hours if self.hours > 0 else math.nan

    @property
    def event_recall(self) -> float:
        """Share of the events that were found; not a number without events."""
        return self.found / self.events if self.events else math.nan

    @property
    def precision(self) -> float:
        """Share of the passing windows that are examples."""
        return self.hits / (self.hits + self.slips) if self.hits + self.slips else math.nan

    @property
    def recall(self) -> float:
        """Share of the examples that pass."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of windows."""
        counted = 2 * self.hits + self.slips + self.misses
        return 2 * self.hits / counted if counted else math.nan


@dataclass(frozen=True)
class Promise:
    """What a threshold is to keep."""

    kind: str
    """`false_alarms_per_hour`, at most, or `precision` of alarms, at least."""
    target: float
    confidence: float = 0.95
    """How sure, in (0.5, 1)."""

    def bound(self, outcome: Outcome) -> float:
        """Return what an outcome says with this confidence: a rate at most, a precision at least."""
        if self.kind == "precision":
            return precision_bound(outcome.true_alarms, outcome.false_alarms, self.confidence)
        return rate_bound(outcome.false_by_video, outcome.hours_by_video, self.confidence)

    def kept(self, outcome: Outcome) -> bool:
        """Tell whether the bound is within the target."""
        bound = self.bound(outcome)
        return bound >= self.target if self.kind == "precision" else bound <= self.target


def rate_bound(counts: Sequence[int], hours: Sequence[float], confidence: float) -> float:
    """Return the upper bound of a rate an hour, given the events counted in each of some videos.

    Events of one video may come in bunches: where counts vary between videos by more than chance, the bound
    is as wide as if so many fewer independent ones had been seen.

    Source: exact Poisson bound, Garwood 1936; dispersion of a quasi-Poisson model, McCullagh and Nelder,
    Generalized Linear Models, 1989, section 6.2.
    """
    from scipy.stats import chi2

    total_h = sum(hours)
    if total_h <= 0:
        return math.inf
    total = sum(counts)
    expected = [
        (count, total * each_h / total_h) for count, each_h in zip(counts, hours, strict=True) if each_h
    ]
    spread = 1.0
    if total and len(expected) > 1:
        excess = sum((count - mean) ** 2 / mean for count, mean in expected) / (len(expected) - 1)
        spread = max(1.0, excess)
    return float(spread * chi2.ppf(confidence, 2 * total / spread + 2) / 2 / total_h)


def precision_bound(right: int, wrong: int, confidence: float) -> float:
    """Return the lower bound of a precision. Source: Clopper and Pearson, 1934."""
    from scipy.stats import beta

    return float(beta.ppf(1 - confidence, right, wrong + 1)) if right else 0.0


def outcome(data: Cases, threshold: float) -> Outcome:
    """Count alarms, events and windows above a threshold; spans are made as the policy makes them."""
    category = replace(data.category, actions={"review": threshold}, calibration=None)
    by_video: dict[int, list[Case]] = {}
    for row in data.rows:
        if row.score >= threshold:
            by_video.setdefault(row.video, []).append(row)
    true = 0
    false_by_video = [0] * len(data.clean_h)
    alarms: dict[int, list[AlarmSpan]] = {}
    events: dict[int, list[tuple[float, float]]] = {}
    for video, event in data.events:
        events.setdefault(video, []).append(event)
    for video, rows in by_video.items():
        alarms[video] = spans_of(category, [(row.window, row.score) for row in rows])
        starts_s = [row.window.start_s for row in rows]
        for span in alarms[video]:
            first = bisect_left(starts_s, span.start_s)
            within = rows[first : first + span.num_windows]
            if any(_touch(span, event) for event in events.get(video, ())):
                true += 1
            elif any(row.truth is False for row in within):
                false_by_video[video] += 1
    found = sum(any(_touch(span, event) for span in alarms.get(video, ())) for video, event in data.events)
    examples = [row.score >= threshold for row in data.rows if row.truth]
    return Outcome(
        threshold=threshold,
        true_alarms=true,
        false_alarms=sum(false_by_video),
        false_by_video=tuple(false_by_video),
        found=found,
        events=len(data.events),
        hours_by_video=data.clean_h,
        hits=sum(examples),
        misses=len(examples) - sum(examples),
        slips=sum(row.truth is False for rows in by_video.values() for row in rows),
    )


def curve(data: Cases) -> list[Outcome]:
    """Return the outcomes of every threshold of the grid, the highest first."""
    return [outcome(data, threshold) for threshold in GRID]


def choose(outcomes: Sequence[Outcome], promise: Promise, name: str) -> Outcome:
    """Return the lowest threshold that keeps the promise.

    outcomes: of every threshold of the grid, the highest first. name: the category's, for the message.

    Raises:
        UsageError: there is too little data for such a promise, or no threshold keeps it.
    """
    if promise.kind == "precision":
        needed = math.ceil(math.log(1 - promise.confidence) / math.log(promise.target))
        # Where to begin depends on how many alarms there are, not on which of them are right.
        first = next(
            (i for i, each in enumerate(outcomes) if each.true_alarms + each.false_alarms >= needed), None
        )
        if first is None:
            most = max(each.true_alarms + each.false_alarms for each in outcomes)
            raise UsageError(
                f"{name}: a precision of {promise.target:g} takes at least {needed} alarms to be seen, the"
                f" data give {most}; add data or ask for less"
            )
        outcomes = outcomes[first:]
    else:
        needed_h = -math.log(1 - promise.confidence) / promise.target
        if outcomes[0].hours < needed_h:
            raise UsageError(
                f"{name}: a promise of {promise.target:g} false alarms an hour takes at least"
                f" {needed_h:.1f} h known to be without it, the data have {outcomes[0].hours:.1f} h;"
                " add data or ask for less"
            )
    kept: Outcome | None = None
    for each in outcomes:
        if not promise.kept(each):
            break
        kept = each
    if kept is None:
        worst = outcomes[0]
        raise UsageError(
            f"{name}: no threshold keeps the promise; even above {worst.threshold:.6f} there are"
            f" {worst.false_alarms} false alarms in {worst.hours:.1f} h and {worst.true_alarms} right ones"
        )
    return kept


def _touch(span: AlarmSpan, event: tuple[float, float]) -> bool:
    return span.start_s < event[1] and event[0] < span.end_s
