"""Windows of one category into spans, one window after the other, as a live source needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from phar.moderation.policy import Category, worst
from phar.schema import Window

OPENED, RAISED, CLOSED = "opened", "raised", "closed"

#: Times this near to each other are the same.
_EDGE_S = 1e-6


@dataclass(frozen=True)
class AlarmSpan:
    """Where a category passed its lowest threshold: the union of the windows that did."""

    category: str
    action: str
    """review or block, by the highest probability."""
    start_s: float
    end_s: float
    peak: float
    """The highest probability of a window."""
    mean: float
    """The mean over the windows that passed."""
    num_windows: int
    """How many passed."""


@dataclass(frozen=True)
class Change:
    """What a window did to a span."""

    state: str
    """`opened` once it is long enough to count, `raised` to another action, `closed` when it is over."""
    span: AlarmSpan


class Tracker:
    """Follows one category through the windows of one source."""

    def __init__(self, category: Category) -> None:
        self.category = category
        self._span: AlarmSpan | None = None
        self._told = ""
        """The action that was told of the span that is open; empty before it was."""

    def feed(self, window: Window, probability: float | None) -> Iterator[Change]:
        """Take the next window, in time order; None for one that was not judged."""
        span, category = self._span, self.category
        if span is not None and window.start_s > span.end_s + category.max_gap_s + _EDGE_S:
            yield from self.finish()
            span = None
        if probability is None or probability < category.alarm:
            return
        if span is None:
            action = category.action(probability)
            span = AlarmSpan(category.name, action, window.start_s, window.end_s, probability, probability, 1)
        else:
            count = span.num_windows + 1
            span = replace(
                span,
                action=worst([span.action, category.action(probability)]),
                end_s=max(span.end_s, window.end_s),
                peak=max(span.peak, probability),
                mean=span.mean + (probability - span.mean) / count,
                num_windows=count,
            )
        self._span = span
        if span.end_s - span.start_s >= category.min_length_s - _EDGE_S and span.action != self._told:
            state = RAISED if self._told else OPENED
            self._told = span.action
            yield Change(state, span)

    def finish(self) -> Iterator[Change]:
        """Close the span that is open, if there is one that counts."""
        span, told = self._span, self._told
        self._span, self._told = None, ""
        if span is not None and told:
            yield Change(CLOSED, span)


def spans_of(category: Category, judged: Iterable[tuple[Window, float | None]]) -> list[AlarmSpan]:
    """Return the spans of one category over all windows of a video, in time order."""
    tracker = Tracker(category)
    changes = [change for window, probability in judged for change in tracker.feed(window, probability)]
    return [change.span for change in (*changes, *tracker.finish()) if change.state == CLOSED]
