"""Figures of segments against values worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored import answers_of, table_of, true_video

from phar.evaluate.resampling import average_precision_drawn, draws, median_drawn
from phar.evaluate.temporal import SegmentMetrics, average_precision, matched
from phar.evaluate.truth import TrueSpan, VideoTruth
from phar.schema import Segment


def test_each_true_span_is_found_once_by_the_best_score() -> None:
    true = [TrueSpan("jog", 0, 10), TrueSpan("jog", 20, 30)]
    found = [
        Segment("jog", 1, 11, 0.6),  # 9 of 11 s, but the span is taken
        Segment("jog", 0, 9, 0.9),  # 9 of 10 s
        Segment("jog", 15, 30, 0.5),  # 10 of 15 s
    ]
    assert matched(true, found, 0.5) == [False, True, True]
    assert matched(true, found, 0.7) == [False, True, False]


def test_average_precision_of_segments() -> None:
    # Right, wrong, right, and one missed: precision 1 up to a recall of 1/3, 2/3 up to 2/3.
    flags, scores = np.array([True, False, True]), np.array([0.9, 0.8, 0.7])
    assert average_precision(flags, scores, 3) == pytest.approx((1 + 2 / 3) / 3)
    # The envelope: a wrong one before two right ones costs what it costs at the end.
    assert average_precision(np.array([False, True, True]), scores, 2) == pytest.approx(2 / 3)
    assert average_precision(np.zeros(2, bool), scores[:2], 2) == 0.0
    assert np.isnan(average_precision(np.zeros(0, bool), np.zeros(0), 0))


def test_drawn_average_precision_is_the_same_figure() -> None:
    rng = np.random.default_rng(2)
    flags, scores = rng.uniform(size=30) < 0.5, np.round(rng.uniform(size=30), 1)
    video = rng.integers(0, 3, 30)
    missing = np.array([2.0, 0.0, 1.0])
    num_true = missing + np.bincount(video, weights=flags, minlength=3)
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]])
    drawn = average_precision_drawn(flags, scores, video, weights, num_true, envelope=True)
    for draw, times in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(30), times[video])
        expected = average_precision(flags[rows], scores[rows], int(weights[draw] @ num_true))
        assert drawn[draw] == pytest.approx(expected)


def test_drawn_median() -> None:
    values, video = np.array([5.0, 1.0, 3.0, 8.0]), np.array([0, 0, 1, 1])
    found = median_drawn(values, video, np.array([[1.0, 1.0], [2.0, 0.0], [1.0, 2.0], [0.0, 0.0]]))
    # 1 3 5 8 -> 4; 1 1 5 5 -> 3; 1 3 3 5 8 8 -> 4; nothing.
    assert found[:3].tolist() == [4.0, 3.0, 4.0]
    assert np.isnan(found[3])


#: 100 s: jog, a stretch of nothing, sing; and 60 s of nothing.
TRUTHS = (true_video("a", ("jog", 0, 30), ("sing", 50, 100)), true_video("b", ("none", 0, 60)))
FOUND = (
    (
        Segment("jog", 0, 33, 0.9),
        Segment("none", 33, 48, 0.5),
        Segment("sing", 48, 70, 0.8),
        Segment("jog", 70, 80, 0.3),
        Segment("sing", 80, 100, 0.7),
    ),
    (Segment("none", 0, 50, 0.9), Segment("sing", 50, 60, 0.6)),
)


@pytest.fixture
def metrics() -> SegmentMetrics:
    table = table_of(TRUTHS, (100.0, 60.0))
    scores = [np.full((10, 3), 0.1), np.full((6, 3), 0.1)]
    return SegmentMetrics(table, answers_of(table, scores, FOUND), draws(2))


def test_mean_average_precision(metrics: SegmentMetrics) -> None:
    found = metrics.by_overlap()
    # jog: 30/33 is right at every overlap. sing: 20/52 and 20/50 are under 0.5; at 0.3 the first is right.
    assert found["0.3"]["labels"]["jog"].value == 1.0
    assert found["0.3"]["labels"]["sing"].value == 1.0
    assert found["0.5"]["map"].value == 0.5
    assert found["0.7"]["map"].value == 0.5
    # At 0.3 every draw of the second video alone is undefined, all others are 1.
    assert (found["0.3"]["map"].low, found["0.3"]["map"].high) == (1.0, 1.0)


def test_false_alarms_never_touch_their_label(metrics: SegmentMetrics) -> None:
    # jog at 70 s and sing in the second video, in 160 s.
    assert metrics.false_alarms_per_hour().value == pytest.approx(2 / (160 / 3600))
    assert metrics.hours() == pytest.approx(160 / 3600)


def test_bounds(metrics: SegmentMetrics) -> None:
    found = metrics.boundaries()
    assert found["found"].value == 1.0
    # Inside the video: jog ends 3 s late, sing starts 2 s early; its end is that of the video. The longest
    # overlap of sing is the first segment, 20 s as the second: the first one counts.
    assert found["matched_s"].value == pytest.approx(2.5)
    assert found["nearest_s"].value == pytest.approx(2.5)


def test_tags(metrics: SegmentMetrics) -> None:
    # True: a has jog and sing. Said: a jog and sing, b sing: 2 * 2 / (2 + 3).
    assert metrics.tag_f1().value == pytest.approx(4 / 5)


def test_time_of_which_nothing_is_known_counts_neither_way() -> None:
    truth = VideoTruth("a", Path("/a.mp4"), (TrueSpan("jog", 0, 10),), watched=((0, 20),))
    table = table_of([truth], [60.0])
    found = [(Segment("jog", 0, 10, 0.9), Segment("sing", 10, 29, 0.9), Segment("sing", 29, 60, 0.9))]
    metrics = SegmentMetrics(table, answers_of(table, [np.full((6, 3), 0.1)], found), draws(1))
    # The first sing lies for 10 of 19 s in what was watched, the second nowhere.
    assert metrics.false_alarms_per_hour().value == pytest.approx(1 / (20 / 3600))
    assert metrics.hours() == pytest.approx(20 / 3600)
    assert table.num_windows == 2
