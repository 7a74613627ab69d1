"""Rows follow persons, whatever their rank in each frame."""

import numpy as np

from phar.streams.tracks import rows_of_persons


def box(x: float, score: float, y: float = 0) -> list[float]:
    """A box 40 wide and 100 high."""
    return [x, y, x + 40, y + 100, score]


def frames(*rows: list[list[float]]) -> list[np.ndarray]:
    return [np.array(row, np.float32).reshape(-1, 5) for row in rows]


def as_lists(rows: list[np.ndarray]) -> list[list[int]]:
    return [row.tolist() for row in rows]


def test_two_persons_whose_ranks_change_keep_their_rows():
    boxes = frames(
        [box(0, 0.9), box(200, 0.8)],
        [box(195, 0.9), box(5, 0.8)],
        [box(10, 0.95), box(190, 0.7)],
    )
    assert as_lists(rows_of_persons(boxes)) == [[0, 1], [1, 0], [0, 1]]


def test_persons_who_pass_each_other_keep_their_rows():
    # One walks right, 10 pixels a frame, the other left; they meet in the middle. One stands lower.
    boxes = frames(*[[box(10 * t, 0.9, y=0), box(200 - 10 * t, 0.8, y=60)] for t in range(21)])
    assert as_lists(rows_of_persons(boxes)) == [[0, 1]] * 21


def test_a_person_missed_in_some_frames_comes_back_to_the_same_row():
    boxes = frames(
        [box(0, 0.9), box(200, 0.9)],
        [box(202, 0.9)],
        [],
        [box(205, 0.8), box(60, 0.9)],
    )
    # The one at 60 overlaps nobody, and only the left row is free.
    assert as_lists(rows_of_persons(boxes)) == [[1, 0], [0], [], [0, 1]]


def test_a_box_that_overlaps_nobody_takes_the_nearest_free_row():
    boxes = frames([box(0, 0.9), box(300, 0.8)], [box(220, 0.9)], [box(225, 0.9), box(100, 0.9)])
    assert as_lists(rows_of_persons(boxes)) == [[1, 0], [0], [0, 1]]


def test_rows_are_numbered_by_the_sum_of_scores():
    # A bystander is seen first and for a moment; the others stay.
    boxes = frames([box(0, 0.99), box(200, 0.6), box(400, 0.7)], *[[box(200, 0.6), box(400, 0.7)]] * 3)
    assert as_lists(rows_of_persons(boxes)) == [[2, 1, 0], [1, 0], [1, 0], [1, 0]]


def test_never_two_boxes_of_a_frame_in_one_row():
    random = np.random.default_rng(0)
    boxes = [
        np.array([box(x, s) for x, s in random.uniform((0, 0), (200, 1), (n, 2))], np.float32).reshape(-1, 5)
        for n in random.integers(0, 5, 60)
    ]
    found = rows_of_persons(boxes)
    assert all(
        len(set(rows.tolist())) == len(rows) == len(frame) for rows, frame in zip(found, boxes, strict=True)
    )
    # No more rows than the fullest frame has persons.
    assert max(rows.max(initial=-1) for rows in found) + 1 == max(map(len, boxes))


def test_no_persons_at_all():
    assert rows_of_persons([]) == []
    assert as_lists(rows_of_persons(frames([], []))) == [[], []]
