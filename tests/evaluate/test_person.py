"""Average precision, matching and PCK against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from phar.evaluate.person import average_precision, match, right_joints


def boxes(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


NOTHING = np.zeros((0, 5), np.float32)


def test_every_box_found_is_a_precision_of_one() -> None:
    true = [boxes([0, 0, 10, 20]), boxes([5, 5, 30, 40])]
    found = [boxes([0, 0, 10, 20, 0.9]), boxes([5, 5, 30, 41, 0.8])]
    assert average_precision(true, found) == 1.0


def test_a_false_box_above_the_right_one_halves_the_precision() -> None:
    true = [boxes([0, 0, 10, 20])]
    found = [boxes([50, 50, 60, 70, 0.9], [0, 0, 10, 20, 0.8])]
    assert average_precision(true, found) == pytest.approx(0.5)


def test_half_of_the_persons_missed_is_about_half() -> None:
    true = [boxes([0, 0, 10, 20]), boxes([0, 0, 10, 20])]
    # Precision is 1 up to a recall of 0.5: 51 of COCO's 101 points.
    assert average_precision(true, [boxes([0, 0, 10, 20, 0.9]), NOTHING]) == pytest.approx(51 / 101, abs=1e-4)


def test_a_box_on_an_empty_picture_counts_against_the_detector() -> None:
    true = [boxes([0, 0, 10, 20]), np.zeros((0, 4), np.float32)]
    found = [boxes([0, 0, 10, 20, 0.5]), boxes([0, 0, 10, 20, 0.9])]
    assert average_precision(true, found) == pytest.approx(0.5)


def test_nothing_found_is_zero() -> None:
    assert average_precision([boxes([0, 0, 10, 20])], [NOTHING]) == 0.0


def test_each_found_box_belongs_to_one_person() -> None:
    true = boxes([0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60])
    found = boxes([2, 0, 12, 10, 0.9], [100, 100, 110, 110, 0.8])
    assert match(true, found) == [None, 0, None]


def test_a_joint_is_right_within_a_tenth_of_the_longer_side() -> None:
    true = np.zeros((17, 3), np.float32)
    true[:3, 2] = 2
    true[3, 2] = 1
    estimated = np.zeros((17, 3), np.float32)
    estimated[0, 0] = 3.9
    estimated[1, 1] = 4.1
    assert right_joints(true, estimated, np.array([0, 0, 20, 40], np.float32)) == [1.0, 0.0, 1.0]
