"""Windows, segments and tags, with expected values written out."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phar.schema import Prediction, Segment, SegmentSpec, StreamScore, Window
from phar.timeline import lanes, owned_spans, segments, snapped, tags, top_tags, window_labels, windows

LABELS = ("run", "jump", "none")


def spans(duration_s: float, window_s: float, stride_s: float) -> list[tuple[float, float]]:
    return [(w.start_s, w.end_s) for w in windows(duration_s, window_s, stride_s)]


@pytest.mark.parametrize(
    ("duration_s", "window_s", "stride_s", "expected"),
    [
        (14, 7, 7, [(0, 7), (7, 14)]),
        (15, 7, 7, [(0, 7), (7, 14), (14, 15)]),
        (3.2, 7, 7, [(0, 3.2)]),
        (0.04, 7, 7, [(0, 0.04)]),
        (10, 7, 1, [(0, 7), (1, 8), (2, 9), (3, 10)]),
        (10.5, 7, 1, [(0, 7), (1, 8), (2, 9), (3, 10), (4, 10.5)]),
        (7, 7, 3.5, [(0, 7)]),
        (0.7, 0.3, 0.1, [(0, 0.3), (0.1, 0.4), (0.2, 0.5), (0.3, 0.6), (0.4, 0.7)]),
    ],
)
def test_windows(duration_s, window_s, stride_s, expected) -> None:
    assert spans(duration_s, window_s, stride_s) == expected


def test_window_bounds_do_not_drift_over_three_hours() -> None:
    found = windows(10_800, 7, 0.1)
    assert len(found) == 107_931
    assert all(w.index == i and w.start_s == i / 10 for i, w in enumerate(found))
    assert all(w.end_s == (i + 70) / 10 for i, w in enumerate(found))


@settings(deadline=None)
@given(
    duration_ms=st.integers(1, 100_000),
    window_ms=st.integers(1_000, 10_000),
    share=st.integers(1, 10),
)
def test_windows_cover_the_video(duration_ms: int, window_ms: int, share: int) -> None:
    stride_s = max(1, window_ms * share // 10) / 1000
    found = windows(duration_ms / 1000, window_ms / 1000, stride_s)
    assert found[0].start_s == 0
    assert found[-1].end_s == duration_ms / 1000
    for before, after in pairwise(found):
        assert before.start_s < after.start_s <= before.end_s < after.end_s


@pytest.mark.parametrize("lengths", [(0, 7, 7), (7, 0, 7), (7, 7, 0), (7, 7, -1), (20, 7, 8)])
def test_windows_refuses_lengths_that_make_no_sense(lengths) -> None:
    with pytest.raises(ValueError, match=r"positive|gaps"):
        windows(*lengths)


def predictions(cover: list[Window], scores: list[list[float]]) -> list[Prediction]:
    return [
        Prediction(window, np.array(row, np.float32), {"rgb": StreamScore("rgb", window, silent="test")}, {})
        for window, row in zip(cover, scores, strict=True)
    ]


def rows(found: list[Segment]) -> list[tuple[str, float, float, float]]:
    return [(s.label, s.start_s, s.end_s, round(s.score, 4)) for s in found]


def test_neighbours_of_one_label_merge_and_the_tail_keeps_its_length() -> None:
    given = predictions(
        windows(22, 7, 7), [[0.75, 0.25, 0], [0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.125, 0.75, 0.125]]
    )
    found = segments(given, LABELS, SegmentSpec())
    assert rows(found) == [("run", 0, 14, 0.625), ("jump", 14, 22, round((0.5 * 7 + 0.75) / 8, 4))]


def test_below_the_threshold_is_none_with_the_best_score() -> None:
    given = predictions(windows(21, 7, 7), [[0.75, 0.25, 0], [0.375, 0.25, 0.25], [0.25, 0.5, 0.25]])
    spec = SegmentSpec(threshold=0.5)
    assert window_labels(given, LABELS, spec) == ["run", "none", "jump"]
    assert rows(segments(given, LABELS, spec)) == [
        ("run", 0, 7, 0.75),
        ("none", 7, 14, 0.375),
        ("jump", 14, 21, 0.5),
    ]


def test_a_window_in_which_nobody_spoke_is_none() -> None:
    given = predictions(windows(7, 7, 7), [[0, 0, 0]])
    assert rows(segments(given, LABELS, SegmentSpec())) == [("none", 0, 7, 0)]


def test_none_as_a_label_and_as_abstention_merge() -> None:
    given = predictions(windows(14, 7, 7), [[0.1, 0.1, 0.75], [0.25, 0.125, 0.125]])
    assert rows(segments(given, LABELS, SegmentSpec(threshold=0.5))) == [("none", 0, 14, 0.5)]


def test_a_label_can_have_a_threshold_of_its_own() -> None:
    given = predictions(windows(14, 7, 7), [[0.6, 0, 0], [0, 0.6, 0]])
    spec = SegmentSpec(threshold=0.5, label_thresholds={"run": 0.75})
    assert window_labels(given, LABELS, spec) == ["none", "jump"]


def test_gaps_are_bridged_before_short_runs_are_dropped() -> None:
    scores = [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    given = predictions(windows(10, 2, 2), scores)
    bridged = segments(given, LABELS, SegmentSpec(max_gap_s=2))
    assert [(s.label, s.start_s, s.end_s) for s in bridged] == [
        ("run", 0, 6),
        ("jump", 6, 8),
        ("none", 8, 10),
    ]
    both = segments(given, LABELS, SegmentSpec(max_gap_s=2, min_length_s=4))
    assert [(s.label, s.start_s, s.end_s) for s in both] == [("run", 0, 6), ("none", 6, 10)]


def test_overlapping_windows_meet_in_the_middle_of_their_overlap() -> None:
    cover = windows(10, 7, 1)
    assert owned_spans(cover) == [(0, 4), (4, 5), (5, 6), (6, 10)]
    given = predictions(cover, [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]])
    assert rows(segments(given, LABELS, SegmentSpec())) == [("run", 0, 5, 1), ("jump", 5, 10, 1)]


def named(found: list[Segment]) -> list[tuple[str, float, float]]:
    return [(s.label, s.start_s, s.end_s) for s in found]


def test_hysteresis_keeps_weak_windows_beside_a_strong_one_on_both_sides() -> None:
    scores = [[0.45, 0, 0], [0.6, 0, 0], [0.45, 0, 0], [0.3, 0, 0], [0.45, 0, 0]]
    given = predictions(windows(10, 2, 2), scores)
    plain = segments(given, LABELS, SegmentSpec(threshold=0.5))
    assert named(plain) == [("none", 0, 2), ("run", 2, 4), ("none", 4, 10)]
    kept = segments(given, LABELS, SegmentSpec(threshold=0.5, hysteresis=0.1))
    assert named(kept) == [("run", 0, 6), ("none", 6, 10)]


def test_smoothing_takes_the_median_of_the_neighbourhood() -> None:
    scores = [[0.8, 0.2, 0], [0.2, 0.8, 0], [0.9, 0.1, 0], [0.2, 0.7, 0], [0.1, 0.9, 0]]
    given = predictions(windows(5, 1, 1), scores)
    # Medians of run: 0.5 (two values), 0.8, 0.2, 0.2, 0.15; of jump: 0.5, 0.2, 0.7, 0.7, 0.8.
    found = segments(given, LABELS, SegmentSpec(smooth_s=2))
    assert named(found) == [("run", 0, 2), ("jump", 2, 5)]
    assert found[0].score == pytest.approx((0.8 + 0.2) / 2), "scores shown are those that were measured"


def test_a_label_can_have_lengths_of_its_own() -> None:
    scores = [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]
    given = predictions(windows(12, 2, 2), scores)
    gaps = SegmentSpec(max_gap_s=2, label_max_gaps_s={"jump": 1})
    assert named(segments(given, LABELS, gaps)) == [
        ("run", 0, 6),
        ("jump", 6, 8),
        ("none", 8, 10),
        ("jump", 10, 12),
    ]
    lengths = SegmentSpec(min_length_s=3, label_min_lengths_s={"jump": 2})
    assert named(segments(given, LABELS, lengths)) == [
        ("none", 0, 6),
        ("jump", 6, 8),
        ("none", 8, 10),
        ("jump", 10, 12),
    ]


def test_a_gap_left_by_a_dropped_run_is_bridged() -> None:
    given = predictions(windows(6, 2, 2), [[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    spec = SegmentSpec(max_gap_s=2, min_length_s=2, label_min_lengths_s={"jump": 3})
    assert named(segments(given, LABELS, spec)) == [("run", 0, 6)]


def test_lanes_of_two_labels_may_overlap() -> None:
    scores = [[0.5, 0.4, 0.1], [0.45, 0.45, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
    given = predictions(windows(8, 2, 2), scores)
    found = lanes(given, LABELS, SegmentSpec(threshold=0.4))
    assert {label: rows(lane) for label, lane in found.items()} == {
        "run": [("run", 0, 4, 0.475)],
        "jump": [("jump", 0, 6, round((0.4 + 0.45 + 0.7) / 3, 4))],
    }


def test_boundaries_snap_to_the_nearest_change_of_shot() -> None:
    found = [Segment("run", 0, 4, 0.5), Segment("none", 4, 5, 0.5), Segment("jump", 5, 10, 0.5)]
    # 4.6 is within reach of both inner boundaries: the nearer one, 5, takes it.
    assert named(snapped(found, [0.2, 4.6, 9.8], 1)) == [("run", 0, 4), ("none", 4, 4.6), ("jump", 4.6, 10)]
    assert named(snapped(found, [3.4, 4.6], 1)) == [("run", 0, 3.4), ("none", 3.4, 4.6), ("jump", 4.6, 10)]
    assert snapped(found, [2.9, 6.1], 1) == found, "out of reach"
    assert snapped([], [1.0], 1) == []


def test_a_boundary_does_not_pass_its_neighbour() -> None:
    found = [Segment("run", 0, 4, 0.5), Segment("none", 4, 4.5, 0.5), Segment("jump", 4.5, 10, 0.5)]
    # The boundary at 4.5 takes 4.6; the one at 4 would have to pass it to reach 4.7.
    assert named(snapped(found, [4.6, 4.7], 1)) == [("run", 0, 4), ("none", 4, 4.6), ("jump", 4.6, 10)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.floats(0.1, 7))
def test_segments_cover_the_video_without_overlap(chosen: list[int], stride_s: float) -> None:
    stride_s = round(stride_s, 2)
    cover = windows(7 + stride_s * (len(chosen) - 1), 7, stride_s)[: len(chosen)]
    scores = [[float(i == label) for i in range(3)] for label in chosen[: len(cover)]]
    found = segments(predictions(cover, scores), LABELS, SegmentSpec())
    assert found[0].start_s == 0
    assert found[-1].end_s == cover[-1].end_s
    for before, after in pairwise(found):
        assert before.end_s == after.start_s
        assert before.label != after.label


def test_no_windows_no_segments() -> None:
    assert segments([], LABELS, SegmentSpec()) == []
    assert tags([], [], 7) == []


def test_tags_sum_up_segments_longest_first() -> None:
    found = [Segment("run", 0, 14, 0.5), Segment("jump", 14, 35, 0.75), Segment("run", 35, 36, 1.0)]
    table = tags(found, windows(36, 7, 7), 36)
    assert [(t.label, t.seconds, t.clips) for t in table] == [("jump", 21, 3), ("run", 15, 3)]
    assert table[0].share == pytest.approx(21 / 36)
    assert table[1].score == pytest.approx((0.5 * 14 + 1.0) / 15)


def test_tag_seconds_add_up_exactly() -> None:
    cover = windows(10_800, 7, 0.1)
    found = [Segment("run", i / 10, (i + 1) / 10, 1.0) for i in range(108_000)]
    assert tags(found, cover[:1], 10_800)[0].seconds == float(Fraction(10_800))


def test_top_tags_counts_the_two_best_of_each_window_and_never_none() -> None:
    ranked = [
        [("run", 0.5), ("jump", 0.3), ("none", 0.2)],
        [("none", 0.2), ("jump", 0.6), ("run", 0.2)],
        [("none", 0.9), ("jump", 0.05), ("run", 0.05)],
    ]
    # jump: all three; run: the first. none holds its place in the other two, so run is no tag of theirs.
    assert top_tags(ranked) == [("jump", 3), ("run", 1)]
    assert top_tags(ranked, topk=1) == [("jump", 3)]


def test_top_tags_breaks_ties_by_score_then_name() -> None:
    ranked = [[("b", 0.5), ("a", 0.5)], [("c", 0.9), ("d", 0.1)]]
    assert top_tags(ranked, topk=None) == [("c", 1), ("a", 1), ("b", 1), ("d", 1)]
