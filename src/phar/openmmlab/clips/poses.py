"""Clips of poses: joints drawn as heat-map volumes, straight from the keypoints of all frames at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.clips.frames import crop_size, resized
from phar.openmmlab.clips.spec import ClipSpec
from phar.schema import FloatArray, ModelError

#: Joints weaker than this are not drawn. Source: mmaction2 1.2.0, `GeneratePoseTarget.eps`.
_FAINTEST = 1e-4


@dataclass(frozen=True)
class PoseClip:
    """The joints of all persons in the frames of one window."""

    keypoints: FloatArray
    """(M, T, 17, 2) x, y in pixels of the upright frame; zeros where a person is absent."""
    scores: FloatArray
    """(M, T, 17) confidences in [0, 1]; 0 where a person is absent."""
    height_px: int
    """Height of the frames the coordinates belong to."""
    width_px: int
    """Width of the frames the coordinates belong to."""
    frame_index: NDArray[np.int64] | None = None
    """(T,) which frame of the window each of the T is; None where nobody asks."""

    def __post_init__(self) -> None:
        if self.keypoints.ndim != 4 or self.keypoints.shape[3] != 2:
            raise ValueError(f"keypoints have shape {self.keypoints.shape}, not (M, T, joints, 2)")
        if self.scores.shape != self.keypoints.shape[:3]:
            raise ValueError(f"scores have shape {self.scores.shape}, not {self.keypoints.shape[:3]}")


@dataclass(frozen=True)
class HeatmapClip(ClipSpec):
    """Windows of poses for a recognizer of joint heat maps (PoseC3D)."""

    steps: tuple[Mapping[str, Any], ...]
    """PoseCompact, Resize and CenterCrop steps, in order."""
    target: Mapping[str, Any]
    """The GeneratePoseTarget step."""

    def views(self, window: PoseClip) -> NDArray[np.float32]:
        """Poses of the frames that `frame_indices` names -> (V, joints, T, h, w).

        V is the number of clips, followed by as many mirrored ones where the config asks for them.
        """
        if window.keypoints.shape[1] != self.num_frames:
            raise ModelError(
                f"poses of {window.keypoints.shape[1]} frames were given, {self.num_frames} are needed;"
                " hand over the frames that frame_indices names"
            )
        # MMAction2 keeps poses as float16; rounding alike keeps the scores alike.
        points = window.keypoints.astype(np.float16).astype(np.float32)
        scores = window.scores.astype(np.float16).astype(np.float32)
        size = (window.width_px, window.height_px)
        for step in self.steps:
            points, size = _APPLY[step["type"]](step, points, size)
        scaling = float(self.target.get("scaling", 1.0))
        width, height = int(size[0] * scaling + 0.5), int(size[1] * scaling + 0.5)
        if not self.target.get("use_score", True):
            scores = np.ones_like(scores)
        points = points * np.float32(scaling)
        sigma = self.target.get("sigma", 0.6)
        length = self.sampler.clip_len
        num_clips, num_joints = self.num_frames // length, scores.shape[-1]
        order = np.arange(num_joints)
        double = self.target.get("double", False)
        if double:
            left = list(self.target.get("left_kp", range(1, 17, 2)))
            right = list(self.target.get("right_kp", range(2, 17, 2)))
            order[left], order[right] = right, left
        clips = np.empty((num_clips * (1 + double), num_joints, length, height, width), np.float32)
        # Clip by clip: all maps of a window take hundreds of megabytes, which are not to be held twice.
        for i in range(num_clips):
            frames = slice(i * length, (i + 1) * length)
            maps = joint_heatmaps(points[:, frames], scores[:, frames], height, width, sigma)
            clips[i] = maps.transpose(1, 0, 2, 3)
            if double:
                clips[num_clips + i] = clips[i, order, :, :, ::-1]
        return clips


def joint_heatmaps(
    keypoints: FloatArray, scores: FloatArray, height: int, width: int, sigma: float
) -> NDArray[np.float32]:
    """One Gaussian per joint, as high as its score, cut at 3 sigma; persons by their maximum.

    `keypoints` (M, T, K, 2) in map pixels; `scores` (M, T, K); returns (T, K, height, width).
    Source: Duan et al., Revisiting Skeleton-based Action Recognition, 2022; mmaction2 1.2.0's rounding.
    """
    num_persons, num_frames, num_joints = scores.shape
    maps = np.zeros((num_frames, num_joints, height, width), np.float32)
    offsets = np.arange(int(6 * sigma) + 3)
    for person in range(num_persons):
        centre = keypoints[person].astype(np.float64)
        frame, joint = np.nonzero((scores[person] >= _FAINTEST) & np.isfinite(centre).all(-1))
        centre = centre[frame, joint]
        # Truncated towards zero, as int() does, before it is clipped to the map.
        start = np.maximum(np.trunc(centre - 3 * sigma), 0)
        end = np.minimum(np.trunc(centre + 3 * sigma) + 1, (width, height))
        cells = start[:, :, None] + offsets
        inside = cells < end[:, :, None]
        distance = cells.astype(np.float32) - centre[:, :, None].astype(np.float32)
        patch = np.exp(
            -(distance[:, 0, None, :] ** 2 + distance[:, 1, :, None] ** 2) / np.float32(2 * sigma**2)
        )
        patch = patch * scores[person][frame, joint][:, None, None]
        row, y, x = np.nonzero(inside[:, 1, :, None] & inside[:, 0, None, :])
        place = (
            frame[row],
            joint[row],
            cells[row, 1, y].astype(np.int64),
            cells[row, 0, x].astype(np.int64),
        )
        maps[place] = np.maximum(maps[place], patch[row, y, x])
    return maps


def _compact(
    step: Mapping[str, Any], points: FloatArray, size: tuple[int, int]
) -> tuple[FloatArray, tuple[int, int]]:
    """Cut the frame to the joints' common box, padded. Source: mmaction2 1.2.0, `PoseCompact`."""
    points = np.nan_to_num(points, nan=0.0)
    x, y = points[..., 0], points[..., 1]
    seen_x, seen_y = x[x != 0], y[y != 0]
    if not seen_x.size or not seen_y.size:
        return points, size
    left, right, top, bottom = seen_x.min(), seen_x.max(), seen_y.min(), seen_y.max()
    threshold = step.get("threshold", 10)
    if right - left < threshold or bottom - top < threshold:
        return points, size
    padding = 1 + step.get("padding", 0.25)
    centre_x, centre_y = (right + left) / 2, (bottom + top) / 2
    half_width, half_height = (right - left) / 2 * padding, (bottom - top) / 2 * padding
    ratio = step.get("hw_ratio")
    if ratio is not None:
        low, high = ratio if isinstance(ratio, (list, tuple)) else (ratio, ratio)
        half_height = max(low * half_width, half_height)
        half_width = max(1 / high * half_height, half_width)
    box = [centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height]
    if not step.get("allow_imgpad", True):
        box = [max(0, box[0]), max(0, box[1]), min(size[0], box[2]), min(size[1], box[3])]
    left, top, right, bottom = (int(side) for side in box)
    moved = points.copy()
    moved[..., 0][x != 0] -= left
    moved[..., 1][y != 0] -= top
    return moved, (right - left, bottom - top)


def _resize(
    step: Mapping[str, Any], points: FloatArray, size: tuple[int, int]
) -> tuple[FloatArray, tuple[int, int]]:
    new = resized(step, *size)
    return points * np.array([new[0] / size[0], new[1] / size[1]], np.float32), new


def _center_crop(
    step: Mapping[str, Any], points: FloatArray, size: tuple[int, int]
) -> tuple[FloatArray, tuple[int, int]]:
    new = crop_size(step)
    offset = np.array([(size[0] - new[0]) // 2, (size[1] - new[1]) // 2], np.float32)
    return points - offset, new


_APPLY = {"PoseCompact": _compact, "Resize": _resize, "CenterCrop": _center_crop}
KNOWN_STEPS = tuple(_APPLY)
