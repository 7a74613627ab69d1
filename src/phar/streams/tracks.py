"""Who is who from frame to frame, for recognizers that follow each person through time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from phar.schema import FloatArray
from phar.streams.carry import MIN_IOU, iou


def rows_of_persons(boxes: Sequence[FloatArray]) -> list[NDArray[np.int64]]:
    """Return which row each box belongs to, so that a row holds one person through all frames.

    boxes: (n, 5) x1, y1, x2, y2, score per frame, in order of time. Gives (n,) row numbers per frame, no
    number twice in a frame. A box goes to the row whose last box it overlaps by `MIN_IOU`, best pairs
    first; one that overlaps none takes over the nearest row that is free in this frame, since a person
    lost for a while is likelier than a new one; else it opens a row. Rows are numbered by the sum of
    their scores, largest first: nets with room for fewer persons look at the first rows.
    """
    last: list[FloatArray] = []
    weights: list[float] = []
    found = []
    for frame in boxes:
        rows = np.full(len(frame), -1, np.int64)
        if last and len(frame):
            known = np.stack(last)
            overlap = iou(frame, known)
            _join(rows, -overlap, overlap >= MIN_IOU)
            _join(rows, _distances(frame, known), np.isin(np.arange(len(known)), rows, invert=True))
        for i in np.flatnonzero(rows < 0):
            rows[i] = len(last)
            last.append(frame[i])
            weights.append(0.0)
        for row, box in zip(rows.tolist(), frame, strict=True):
            last[row] = box
            weights[row] += float(box[4])
        found.append(rows)
    number = np.empty(len(last), np.int64)
    number[np.argsort(-np.asarray(weights), kind="stable")] = np.arange(len(last))
    return [number[rows] for rows in found]


def _join(rows: NDArray[np.int64], cost: NDArray[np.float64], allowed: NDArray[np.bool_]) -> None:
    """Give boxes without a row one of the rows allowed to them, at the lowest cost in all."""
    free = np.flatnonzero(rows < 0)
    allowed = np.broadcast_to(allowed, cost.shape)
    chosen = np.where(allowed, cost, cost.max(initial=0) + 1)[free]
    for i, row in zip(*linear_sum_assignment(chosen), strict=True):
        if allowed[free[i], row]:
            rows[free[i]] = row


def _distances(a: FloatArray, b: FloatArray) -> NDArray[np.float64]:
    """Return the (n, m) distances of the boxes' middles."""
    middles = [(boxes[:, :2] + boxes[:, 2:4]) / 2 for boxes in (a, b)]
    distances: NDArray[np.float64] = np.linalg.norm(
        middles[0][:, None].astype(np.float64) - middles[1][None], axis=2
    )
    return distances
