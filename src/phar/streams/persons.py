"""Who is in the picture and how they hold themselves: detector, then pose estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phar.clock import Stopwatch
from phar.media import Frame
from phar.openmmlab import Detector, PoseEstimator
from phar.profile import PersonSpec
from phar.schema import FloatArray, Poses
from phar.streams.carry import carry, detection_frames

Picture = NDArray[np.uint8]

#: Frames per call of the nets: large enough to keep two cores busy, small enough for memory.
_BATCH_FRAMES = 8


class PersonFinder:
    """Finds the persons of a list of frames: boxes above a score, best first, with keypoints."""

    def __init__(self, spec: PersonSpec, detector: Detector, pose: PoseEstimator, clock: Stopwatch) -> None:
        self.spec = spec
        self.detector = detector
        self.pose = pose
        self._clock = clock

    def find(self, frames: Sequence[Frame]) -> list[tuple[FloatArray, FloatArray]]:
        """Return ((n, 5) boxes, (n, 17, 3) keypoints) per frame, in upright source pixels.

        frames: of one window, in time order; looked at with a short side of `short_side_px` at
        most. The detector looks at every `detector_stride`-th and the last; boxes are carried to
        the frames between. At most `max_persons` boxes a detection, those with the highest scores.
        """
        with self._clock.stage("convert"):
            pictures = [frame.to_rgb(*self._size(frame)) for frame in frames]
        found = self.find_in(pictures)
        for frame, picture, (boxes, keypoints) in zip(frames, pictures, found, strict=True):
            height_px, width_px = picture.shape[:2]
            scale = np.array([frame.width_px / width_px, frame.height_px / height_px], np.float32)
            boxes[:, :4] *= np.tile(scale, 2)
            keypoints[..., :2] *= scale
        return found

    def _size(self, frame: Frame) -> tuple[int, int]:
        short_px = min(frame.width_px, frame.height_px)
        factor = min(1.0, (self.spec.short_side_px or short_px) / short_px)
        return max(1, round(frame.width_px * factor)), max(1, round(frame.height_px * factor))

    def find_in(self, frames: Sequence[Picture]) -> list[tuple[FloatArray, FloatArray]]:
        """Return the same for pictures (H, W, 3) of one size, in their pixels."""
        detections: dict[int, FloatArray] = {}
        for at in _batches(detection_frames(len(frames), self.spec.detector_stride)):
            with self._clock.stage("detector"):
                boxes = self.detector.predict([frames[i] for i in at])
            detections |= {i: self._best(b) for i, b in zip(at, boxes, strict=True)}
        carried = carry(detections, len(frames))
        keypoints: list[FloatArray] = []
        for at in _batches(range(len(frames))):
            with self._clock.stage("pose"):
                found = self.pose.predict([frames[i] for i in at], [carried[i] for i in at])
                keypoints += [self.pose.confident(joints) for joints in found]
        return list(zip(carried, keypoints, strict=True))

    def _best(self, boxes: FloatArray) -> FloatArray:
        certain = boxes[boxes[:, 4] >= self.spec.det_score_thr]
        order = np.argsort(-certain[:, 4], kind="stable")[: self.spec.max_persons]
        return certain[order]


def _batches(positions: Sequence[int]) -> list[Sequence[int]]:
    return [positions[i : i + _BATCH_FRAMES] for i in range(0, len(positions), _BATCH_FRAMES)]


def to_poses(times_s: Sequence[float], found: Sequence[tuple[FloatArray, FloatArray]]) -> Poses:
    """Return the persons of consecutive frames as one flat record."""
    return Poses(
        frame_time_s=np.asarray(times_s, dtype=np.float64),
        frame_index=np.repeat(np.arange(len(found)), [len(boxes) for boxes, _ in found]),
        boxes=np.concatenate([boxes for boxes, _ in found] or [np.zeros((0, 5), np.float32)]),
        keypoints=np.concatenate([k for _, k in found] or [np.zeros((0, 17, 3), np.float32)]),
    )


def join_poses(parts: Sequence[Poses]) -> Poses:
    """Return the poses of several windows as one record; a frame that two windows share counts once."""
    times: list[float] = []
    found: list[tuple[FloatArray, FloatArray]] = []
    for part in parts:
        for i, time_s in enumerate(part.frame_time_s.tolist()):
            times.append(time_s)
            rows = part.frame_index == i
            found.append((part.boxes[rows], part.keypoints[rows]))
    _, first = np.unique(np.asarray(times), return_index=True)
    return to_poses([times[i] for i in first], [found[i] for i in first])
