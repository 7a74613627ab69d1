"""Windows become spans one after the other, whatever their stride, and changes are told once."""

from __future__ import annotations

import pytest

from phar.moderation.policy import Category
from phar.moderation.spans import Tracker, spans_of
from phar.schema import Window


def category(**changes: object) -> Category:
    return Category("noise", ("ring",), {"review": 0.5, "block": 0.9}, **changes)  # type: ignore[arg-type]


def judged(probabilities: list[float | None], window_s: float = 7, stride_s: float = 7):
    return [
        (Window(i, i * stride_s, i * stride_s + window_s), probability)
        for i, probability in enumerate(probabilities)
    ]


def rows(category: Category, probabilities: list[float | None], **kwargs: float):
    return [
        (span.start_s, span.end_s, span.action, span.peak, round(span.mean, 6), span.num_windows)
        for span in spans_of(category, judged(probabilities, **kwargs))
    ]


@pytest.mark.parametrize(
    "changes, probabilities, expected",
    [
        ({}, [0.1, 0.4], []),
        ({}, [0.1, 0.5, 0.1], [(7, 14, "review", 0.5, 0.5, 1)]),
        ({}, [0.6, 0.95, 0.7, 0.0, 0.8], [(0, 21, "block", 0.95, 0.75, 3), (28, 35, "review", 0.8, 0.8, 1)]),
        # A gap of one window is bridged, one of two is not; what was not judged is a gap.
        (
            {"max_gap_s": 7},
            [0.6, 0.1, 0.6, 0.1, 0.1, 0.6],
            [(0, 21, "review", 0.6, 0.6, 2), (35, 42, "review", 0.6, 0.6, 1)],
        ),
        ({"max_gap_s": 7}, [0.6, None, 0.6], [(0, 21, "review", 0.6, 0.6, 2)]),
        ({"min_length_s": 14}, [0.6, 0.1, 0.6, 0.6], [(14, 28, "review", 0.6, 0.6, 2)]),
        ({}, [], []),
    ],
)
def test_spans(changes: dict, probabilities: list, expected: list) -> None:
    assert rows(category(**changes), probabilities) == expected


def test_windows_that_overlap_are_one_span_as_long_as_they_do() -> None:
    said = [0.1, 0.6, 0.1, 0.1, 0.6, 0.1, 0.1, 0.1, 0.1, 0.6]
    assert rows(category(), said, window_s=4, stride_s=1) == [
        (1, 8, "review", 0.6, 0.6, 2),
        (9, 13, "review", 0.6, 0.6, 1),
    ]


def test_changes_are_told_as_they_happen() -> None:
    tracker = Tracker(category(min_length_s=14))
    told = [
        [
            (change.state, change.span.action, change.span.end_s)
            for change in tracker.feed(window, probability)
        ]
        for window, probability in judged([0.6, 0.6, 0.7, 0.95, 0.95, 0.1])
    ]
    assert told == [
        [],
        [("opened", "review", 14)],
        [],
        [("raised", "block", 28)],
        [],
        [],
    ]
    # With no gap to bridge, it is over once a window begins after its end.
    (closed,) = tracker.feed(Window(6, 42, 49), 0.1)
    assert (closed.state, closed.span.start_s, closed.span.end_s, closed.span.peak) == ("closed", 0, 35, 0.95)
    assert list(tracker.finish()) == []
