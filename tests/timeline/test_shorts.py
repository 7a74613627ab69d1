"""Shorts: the expected spans are worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from phar.schema import Prediction, Segment, StreamScore, Window
from phar.timeline import shorts

LABELS = ("run", "none")


def predictions(scores: list[float], window_s: float = 5.0) -> list[Prediction]:
    found = []
    for index, score in enumerate(scores):
        window = Window(index, index * window_s, (index + 1) * window_s)
        probs = np.array([score, 1 - score], np.float32)
        found.append(Prediction(window, probs, {"rgb": StreamScore("rgb", window, probs)}, {"rgb": 1.0}))
    return found


def spans(scores: list[float], segments: list[tuple[float, float]], num: int, least: float, most: float):
    found = [Segment("run", start, end, 0.5) for start, end in segments]
    chosen = shorts(predictions(scores), LABELS, found, num, (least, most))
    assert [short.rank for short in chosen] == list(range(1, len(chosen) + 1))
    assert all(least - 1e-6 <= short.end_s - short.start_s <= most + 1e-6 for short in chosen)
    ordered = sorted((short.start_s, short.end_s) for short in chosen)
    assert all(end <= start for (_, end), (start, _) in pairwise(ordered))
    return [(short.start_s, short.end_s, pytest.approx(short.score, abs=1e-6)) for short in chosen]


def test_the_best_come_first() -> None:
    scores = [0.5, 0.1, 0.9, 0.1, 0.7]
    found = spans(scores, [(0, 5), (10, 15), (20, 25)], 2, 5, 60)
    assert found == [(10, 15, 0.9), (20, 25, 0.7)]


def test_a_long_segment_gives_its_best_stretch_and_what_is_left() -> None:
    scores = [0.3, 0.9, 0.9, 0.3, 0.3]
    found = spans(scores, [(0, 25)], 3, 5, 10)
    assert found[0] == (5, 15, 0.9)
    # Of the rest, 0-5 and 15-25 s score the same, but the one beside is as near; the earlier comes first.
    assert found[1:] == [(0, 5, 0.3), (15, 25, 0.3)]


def test_a_near_span_loses_to_a_far_one_of_nearly_the_same_score() -> None:
    scores = [0.9, 0.0, 0.85, *[0.0] * 37, 0.8]
    segments = [(0.0, 5.0), (10.0, 15.0), (200.0, 205.0)]
    assert spans(scores, segments, 2, 5, 60) == [(0, 5, 0.9), (200, 205, 0.8)]
    # But not to one of a far lower score.
    scores[-1] = 0.4
    assert spans(scores, segments, 2, 5, 60) == [(0, 5, 0.9), (10, 15, 0.85)]


def test_what_is_too_short_is_left_out() -> None:
    assert spans([0.9, 0.1, 0.8, 0.8], [(0, 5), (10, 20)], 3, 6, 60) == [(10, 20, 0.8)]
    assert spans([0.9], [(0, 5)], 3, 6, 60) == []
    assert shorts(predictions([0.9]), LABELS, [], 3, (5, 60)) == []


def test_less_than_a_window_is_taken_from_its_middle() -> None:
    # Windows own 0-5, 5-10 and 10-15 s; the second is the best, 3 s of it in the middle among equals.
    found = spans([0.2, 0.9, 0.2], [(0, 15)], 1, 2, 3)
    assert found == [(5, 8, 0.9)]


def test_ties_go_to_the_earlier() -> None:
    assert spans([0.5, 0.0, 0.5], [(0, 5), (10, 15)], 1, 5, 60) == [(0, 5, 0.5)]
