"""What each cell of a stem's feature map is to say."""

from __future__ import annotations

import numpy as np
import pytest

from phar.openmmlab.training import SceneRecord
from phar.openmmlab.training.dense import targets

ROWS, COLUMNS = 8, 12


def record(joints: np.ndarray, kinds: tuple[int, ...] = (), boxes: np.ndarray | None = None) -> SceneRecord:
    return SceneRecord(
        frame=np.zeros((128, 192, 3), np.uint8),
        joints=joints.astype(np.float32),
        place_kinds=kinds,
        place_boxes=np.zeros((0, 4), np.float32) if boxes is None else boxes,
        label=0,
    )


def test_a_joint_warms_its_cell_and_the_offset_leads_to_it() -> None:
    joints = np.full((1, 17, 2), -5.0)
    # Cell (row 2, column 4): its middle is at (4.5 / 12, 2.5 / 8).
    joints[0, 9] = [4.7 / COLUMNS, 2.4 / ROWS]
    made = targets(record(joints), ROWS, COLUMNS)
    heat = made["heat"]
    assert heat.shape == (17, ROWS, COLUMNS)
    assert np.unravel_index(heat[9].argmax(), heat[9].shape) == (2, 4)
    assert heat[9, 2, 4] == pytest.approx(np.exp(-(0.2**2 + 0.1**2) / (2 * 0.36)), abs=1e-5)
    assert np.delete(heat, 9, axis=0).max() == 0
    assert made["near"][9, 2, 4]
    assert made["offsets"][9, 2, 4] == pytest.approx(0.2, abs=1e-5)
    assert made["offsets"][17 + 9, 2, 4] == pytest.approx(-0.1, abs=1e-5)


def test_where_two_people_meet_offsets_lead_to_the_actor() -> None:
    joints = np.full((2, 17, 2), -5.0)
    joints[0, 0] = [3.5 / COLUMNS, 3.5 / ROWS]
    joints[1, 0] = [3.9 / COLUMNS, 3.5 / ROWS]
    made = targets(record(joints), ROWS, COLUMNS)
    assert made["offsets"][0, 3, 3] == pytest.approx(0.0, abs=1e-5)
    assert made["heat"][0, 3, 3] == pytest.approx(1.0)


def test_a_place_marks_the_cells_whose_middle_it_covers() -> None:
    boxes = np.array([[2 / COLUMNS, 1 / ROWS, 5 / COLUMNS, 3 / ROWS]], np.float32)
    made = targets(record(np.zeros((0, 17, 2)), (2,), boxes), ROWS, COLUMNS)
    expected = np.zeros((ROWS, COLUMNS), int)
    expected[1:3, 2:5] = 3
    np.testing.assert_array_equal(made["places"], expected)
    assert made["heat"].max() == 0
    assert not made["near"].any()
