"""Boxes between detections: interpolation, appearance and disappearance."""

import numpy as np
import pytest

from phar.streams.carry import between, carry, detection_frames, iou


def box(x: float, score: float = 0.8, size: float = 100.0) -> list[float]:
    return [x, 0.0, x + size, size, score]


def boxes(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def test_iou_by_hand():
    # 100x100 boxes shifted by 50: 5000 shared of 15000.
    assert iou(boxes(box(0)), boxes(box(50), box(200)))[0] == pytest.approx([1 / 3, 0.0])


def test_boxes_without_area_share_nothing():
    assert iou(boxes(box(0, size=0)), boxes(box(0, size=0))).tolist() == [[0.0]]


def test_a_person_moves_in_a_straight_line():
    moved = between(boxes(box(0, 0.6)), boxes(box(40, 1.0)), 0.25)
    assert moved.tolist() == [pytest.approx([10, 0, 110, 100, 0.7])]


def test_persons_are_matched_by_overlap_not_by_order():
    moved = between(boxes(box(0), box(500)), boxes(box(510), box(10)), 0.5)
    assert sorted(moved[:, 0].tolist()) == [5, 505]


@pytest.mark.parametrize(("fraction", "left"), [(0.25, [0.0]), (0.75, [400.0])])
def test_a_jump_is_two_persons_each_kept_for_its_half(fraction, left):
    assert between(boxes(box(0)), boxes(box(400)), fraction)[:, 0].tolist() == left


def test_somebody_who_left_is_gone_in_the_second_half():
    assert len(between(boxes(box(0)), boxes(), 0.4)) == 1
    assert len(between(boxes(box(0)), boxes(), 0.6)) == 0


@pytest.mark.parametrize(
    ("num_frames", "stride", "expected"),
    [(7, 3, [0, 3, 6]), (8, 3, [0, 3, 6, 7]), (1, 5, [0]), (3, 1, [0, 1, 2]), (0, 2, [])],
)
def test_detection_frames_reach_the_last(num_frames, stride, expected):
    assert detection_frames(num_frames, stride) == expected


def test_carry_fills_every_frame():
    filled = carry({0: boxes(box(0)), 2: boxes(box(20)), 3: boxes()}, 4)
    assert [b[:, 0].tolist() for b in filled] == [[0.0], [10.0], [20.0], []]


def test_detections_must_reach_both_ends():
    with pytest.raises(ValueError, match="do not span 3 frames"):
        carry({0: boxes(box(0))}, 3)
