"""Persons drawn onto pictures from saved poses: boxes and joints, moving smoothly between the frames seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.schema import COCO_KEYPOINTS, FloatArray, Poses

Pixels = NDArray[np.uint8]

#: Joints surer than this are drawn; in [0, 1].
MIN_CONFIDENCE = 0.3

#: Poses are drawn up to this long before the first and after the last frame that was seen.
_REACH_S = 0.25

#: Between frames farther apart than this nobody was followed.
_LONGEST_GAP_S = 1.0

#: A box moves less than this part of its own size between two frames.
_FARTHEST = 0.75

_LIMBS = (
    ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"),
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
)  # fmt: skip

_LEFT, _RIGHT, _MIDDLE, _BOX = (255, 158, 67), (74, 190, 255), (240, 240, 240), (120, 230, 130)
_SHADOW = (16, 18, 24)


class Skeletons:
    """The persons of a video, at any time."""

    def __init__(self, poses: Poses) -> None:
        self._times_s = poses.frame_time_s
        order = np.argsort(poses.frame_index, kind="stable")
        self._boxes, self._joints = poses.boxes[order], poses.keypoints[order]
        self._firsts = np.searchsorted(poses.frame_index[order], np.arange(len(self._times_s) + 1))

    def at(self, time_s: float) -> tuple[FloatArray, FloatArray]:
        """Return (n, 5) boxes and (n, 17, 3) joints at a time, as `Poses` holds them."""
        times = self._times_s
        after = int(np.searchsorted(times, time_s, side="right"))
        near = [place for place in (after - 1, after) if 0 <= place < len(times)]
        if len(near) == 2 and times[after] - times[after - 1] <= _LONGEST_GAP_S:
            share = float((time_s - times[after - 1]) / (times[after] - times[after - 1]))
            return self._between(after - 1, after, share)
        near = [place for place in near if abs(times[place] - time_s) <= _REACH_S]
        if not near:
            return self._boxes[:0], self._joints[:0]
        return self._frame(min(near, key=lambda place: abs(times[place] - time_s)))

    def draw(self, picture: Pixels, time_s: float) -> None:
        """Draw the persons onto a (H, W, 3) picture, in place."""
        boxes, joints = self.at(time_s)
        thick = max(1, round(min(picture.shape[:2]) / 240))
        for box, person in zip(boxes, joints, strict=True):
            low, high = (tuple(round(float(v)) for v in box[:2]), tuple(round(float(v)) for v in box[2:4]))
            cv2.rectangle(picture, low, high, _BOX, thick, cv2.LINE_AA)
            for shadow in (True, False):
                self._draw_limbs(picture, person, thick, shadow)

    def _draw_limbs(self, picture: Pixels, person: FloatArray, thick: int, shadow: bool) -> None:
        sure = person[:, 2] >= MIN_CONFIDENCE
        points = [tuple(round(float(v)) for v in joint[:2]) for joint in person]
        wide = thick + (2 if shadow else 0)
        for names in _LIMBS:
            a, b = (COCO_KEYPOINTS.index(name) for name in names)
            if sure[a] and sure[b]:
                cv2.line(
                    picture, points[a], points[b], _SHADOW if shadow else _side(*names), wide, cv2.LINE_AA
                )
        for number, name in enumerate(COCO_KEYPOINTS):
            if sure[number]:
                colour = _SHADOW if shadow else _side(name, name)
                cv2.circle(picture, points[number], thick + (1 if shadow else 0), colour, -1, cv2.LINE_AA)

    def _frame(self, place: int) -> tuple[FloatArray, FloatArray]:
        rows = slice(self._firsts[place], self._firsts[place + 1])
        return self._boxes[rows], self._joints[rows]

    def _between(self, before: int, after: int, share: float) -> tuple[FloatArray, FloatArray]:
        """Move every person on its way; who has no counterpart stays for half of it."""
        boxes_a, joints_a = self._frame(before)
        boxes_b, joints_b = self._frame(after)
        pairs = _pairs(boxes_a, boxes_b)
        boxes, joints = [], []
        for a, b in pairs:
            boxes.append((1 - share) * boxes_a[a] + share * boxes_b[b])
            joints.append((1 - share) * joints_a[a] + share * joints_b[b])
            # A joint is as sure as the less sure of the two.
            joints[-1][:, 2] = np.minimum(joints_a[a, :, 2], joints_b[b, :, 2])
        paired = {pair[0 if share < 0.5 else 1] for pair in pairs}
        alone_boxes, alone_joints = (boxes_a, joints_a) if share < 0.5 else (boxes_b, joints_b)
        for number in set(range(len(alone_boxes))) - paired:
            boxes.append(alone_boxes[number])
            joints.append(alone_joints[number])
        if not boxes:
            return self._boxes[:0], self._joints[:0]
        return np.stack(boxes).astype(np.float32), np.stack(joints).astype(np.float32)


def _pairs(before: FloatArray, after: FloatArray) -> list[tuple[int, int]]:
    """Match persons of two frames, the nearest first."""
    if not len(before) or not len(after):
        return []
    centres = [(boxes[:, :2] + boxes[:, 2:4]) / 2 for boxes in (before, after)]
    size = np.maximum(1, np.linalg.norm(before[:, 2:4] - before[:, :2], axis=1))[:, None]
    far = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2) / size
    found: list[tuple[int, int]] = []
    for flat in np.argsort(far, axis=None, kind="stable"):
        a, b = divmod(int(flat), far.shape[1])
        if far[a, b] > _FARTHEST:
            break
        if all(a != known[0] and b != known[1] for known in found):
            found.append((a, b))
    return found


def _side(first: str, second: str) -> tuple[int, int, int]:
    if first.startswith("left") and second.startswith("left"):
        return _LEFT
    if first.startswith("right") and second.startswith("right"):
        return _RIGHT
    return _MIDDLE
