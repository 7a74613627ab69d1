"""Spans that edits are about: written out by hand."""

from __future__ import annotations

import pytest

from phar.schema import Segment
from phar.timeline import inverted, label_spans, lane_spans, merged, padded


def test_spans_that_touch_or_overlap_become_one() -> None:
    assert merged([(5, 7), (0, 2), (2, 3), (6, 9), (1, 1)]) == [(0, 3), (5, 9)]
    assert merged([(0, 10), (2, 3)]) == [(0, 10)]
    assert merged([]) == []


def test_segments_of_named_labels() -> None:
    found = [
        Segment("a", 0, 2, 0.5),
        Segment("b", 2, 4, 0.5),
        Segment("none", 4, 6, 0.5),
        Segment("a", 6, 7, 0.5),
    ]
    assert label_spans(found, ["a"]) == [(0, 2), (6, 7)]
    assert label_spans(found, ["a", "b"]) == [(0, 4), (6, 7)]
    assert label_spans(found, ["none"]) == [(4, 6)]
    assert label_spans(found, ["c"]) == []


def test_lanes_overlap() -> None:
    found = {"a": [Segment("a", 0, 3, 0.5)], "b": [Segment("b", 2, 4, 0.5)], "c": []}
    assert lane_spans(found, ["a", "b"]) == [(0, 4)]
    assert lane_spans(found, ["b", "c", "none"]) == [(2, 4)]


@pytest.mark.parametrize(
    ("pad_s", "expected"),
    [(0, [(1, 2), (3, 4)]), (0.4, [(0.6, 2.4), (2.6, 4.4)]), (0.5, [(0.5, 4.5)]), (9, [(0, 5)])],
)
def test_padding_stays_inside_and_joins(pad_s: float, expected: list[tuple[float, float]]) -> None:
    assert padded([(1, 2), (3, 4)], pad_s, 5) == expected


def test_padding_is_exact_in_decimals() -> None:
    assert padded([(0.3, 0.7)], 0.1, 10) == [(0.2, 0.8)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [(0, 5)]),
        ([(0, 5)], []),
        ([(0, 1), (4, 5)], [(1, 4)]),
        ([(1, 2), (3, 4)], [(0, 1), (2, 3), (4, 5)]),
        ([(4, 9)], [(0, 4)]),
    ],
)
def test_what_is_left_free(spans: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    assert inverted(spans, 5) == expected
