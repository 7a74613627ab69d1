"""Boxes for the frames between those the detector looked at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from phar.schema import FloatArray

#: Boxes of neighbouring detections that overlap less than this are two persons.
MIN_IOU = 0.3


def iou(a: FloatArray, b: FloatArray) -> NDArray[np.float64]:
    """Return the (n, m) intersection over union of (n, 4+) and (m, 4+) boxes x1, y1, x2, y2."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    shared = np.prod(np.clip(high - low, 0, None), axis=2, dtype=np.float64)
    area_a = np.prod(a[:, 2:4] - a[:, :2], axis=1, dtype=np.float64)
    area_b = np.prod(b[:, 2:4] - b[:, :2], axis=1, dtype=np.float64)
    union = area_a[:, None] + area_b[None, :] - shared
    overlap: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def between(before: FloatArray, after: FloatArray, fraction: float) -> FloatArray:
    """Return the boxes at `fraction` of the way from one detection to the next.

    before, after: (n, 5) and (m, 5) boxes x1, y1, x2, y2, score. Boxes that overlap by `MIN_IOU`
    are one person and move in a straight line; one that is seen only before is kept for the first
    half of the way, one that is seen only after appears for the second half.
    """
    overlap = iou(before, after)
    rows, columns = linear_sum_assignment(-overlap)
    same = overlap[rows, columns] >= MIN_IOU
    rows, columns = rows[same], columns[same]
    moved = (1 - fraction) * before[rows] + fraction * after[columns]
    alone = np.delete(before, rows, axis=0) if fraction < 0.5 else np.delete(after, columns, axis=0)
    boxes: FloatArray = np.concatenate([moved, alone]).astype(np.float32)
    return boxes


def detection_frames(num_frames: int, stride: int) -> list[int]:
    """Return every `stride`-th of `num_frames` frames, and the last, so that none lies outside."""
    if num_frames == 0:
        return []
    return sorted({*range(0, num_frames, stride), num_frames - 1})


def carry(detections: dict[int, FloatArray], num_frames: int) -> list[FloatArray]:
    """Return boxes for each of `num_frames` frames from those of some of them.

    detections: (n, 5) boxes by frame position; the first and the last frame must be among them.
    """
    boxes: list[FloatArray] = []
    known = sorted(detections)
    for first, last in pairwise(known):
        boxes.append(detections[first])
        boxes.extend(
            between(detections[first], detections[last], (i - first) / (last - first))
            for i in range(first + 1, last)
        )
    boxes.extend(detections[i] for i in known[-1:])
    if len(boxes) != num_frames:
        raise ValueError(f"detections at {known} do not span {num_frames} frames")
    return boxes
