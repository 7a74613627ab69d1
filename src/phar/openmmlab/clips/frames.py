"""Clips of pictures: resized and cropped as MMAction2's test transforms do, all frames in one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.clips.spec import ClipSpec
from phar.openmmlab.letterbox import fitted, letterboxed
from phar.schema import ModelError

KNOWN_STEPS = ("Resize", "Letterbox", "CenterCrop", "ThreeCrop", "TenCrop")


@dataclass(frozen=True)
class FrameClip(ClipSpec):
    """Windows of frames for a recognizer whose test pipeline holds `KNOWN_STEPS` only."""

    steps: tuple[Mapping[str, Any], ...]
    """The pipeline's steps between decoding and stacking, in order."""
    stacked_2d: bool = False
    """Whether all frames form one view (2D recognizers average them inside the head)."""

    @property
    def views_are_independent(self) -> bool:
        """False for 2D recognizers, whose head must see all frames of a window at once."""
        return not self.stacked_2d

    @property
    def channels_last(self) -> bool:
        """Always: frames stay as decoded until they are in the net's wrapper."""
        return True

    def frame_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height after the resizing that comes first; the input's where there is none.

        What a `Letterbox` adds in black is not part of it.
        """
        for step in self.steps:
            if step["type"] == "Letterbox":
                return fitted(step["scale"], width_px, height_px)
            if step["type"] != "Resize":
                break
            width_px, height_px = resized(step, width_px, height_px)
        return width_px, height_px

    def views(self, window: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frames (num_frames, H, W, 3) RGB in the order of `frame_indices` -> (V, T, h, w, 3).

        V counts crops times clips, crops outermost; for 2D recognizers (1, crops * frames, h, w, 3).
        """
        if window.ndim != 4 or len(window) != self.num_frames or window.shape[3] != 3:
            raise ModelError(
                f"a clip of shape {window.shape} was given, ({self.num_frames}, H, W, 3) is needed;"
                " hand over the frames that frame_indices names"
            )
        crops = [window]
        for step in self.steps:
            crops = [part for crop in crops for part in _apply(step, crop)]
        frames = np.stack(crops)
        if self.stacked_2d:
            return frames.reshape(1, -1, *frames.shape[2:])
        return frames.reshape(-1, self.sampler.clip_len, *frames.shape[2:])


def resized(step: Mapping[str, Any], width_px: int, height_px: int) -> tuple[int, int]:
    """Width and height that a `Resize` step gives. Source: mmcv 2.1.0, `rescale_size`."""
    scale = step["scale"]
    if not step.get("keep_ratio", True):
        return int(scale[0]), int(scale[1])
    if isinstance(scale, (int, float)):
        factor = float(scale)
    else:
        long_side, short_side = max(scale), min(scale)
        if short_side == -1:
            long_side, short_side = np.inf, long_side
        factor = min(long_side / max(width_px, height_px), short_side / min(width_px, height_px))
    return int(width_px * factor + 0.5), int(height_px * factor + 0.5)


def _apply(step: Mapping[str, Any], frames: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    height, width = frames.shape[1:3]
    if step["type"] == "Resize":
        size = resized(step, width, height)
        if size == (width, height):
            return [frames]
        return [np.stack([cv2.resize(f, size, interpolation=cv2.INTER_LINEAR) for f in frames])]
    if step["type"] == "Letterbox":
        return [letterboxed(frames, step["scale"])]
    crop_width, crop_height = crop_size(step)
    if crop_width > width or crop_height > height:
        raise ModelError(
            f"frames of {width}x{height} are smaller than the crop of {crop_width}x{crop_height}"
            " in the config's test pipeline; resize before cropping"
        )
    offsets = _offsets(step["type"], width, height, crop_width, crop_height)
    crops = [frames[:, y : y + crop_height, x : x + crop_width] for x, y in offsets]
    if step["type"] == "TenCrop":
        return [part for crop in crops for part in (crop, crop[:, :, ::-1])]
    return crops


def crop_size(step: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of a cropping step."""
    size = step["crop_size"]
    return (int(size), int(size)) if isinstance(size, (int, float)) else (int(size[0]), int(size[1]))


def _offsets(kind: str, width: int, height: int, crop_width: int, crop_height: int) -> list[tuple[int, int]]:
    """Left and top of each crop, in MMAction2's order."""
    free_x, free_y = width - crop_width, height - crop_height
    if kind == "CenterCrop":
        return [(free_x // 2, free_y // 2)]
    if kind == "ThreeCrop":
        if free_x and free_y:
            raise ModelError(
                f"ThreeCrop of {crop_width}x{crop_height} needs frames with one side of that length,"
                f" got {width}x{height}; resize the short side first"
            )
        step_x, step_y = free_x // 2, free_y // 2
        return [(0, 0), (2 * step_x, 2 * step_y), (step_x, step_y)]
    step_x, step_y = free_x // 4, free_y // 4
    return [(0, 0), (4 * step_x, 0), (0, 4 * step_y), (4 * step_x, 4 * step_y), (2 * step_x, 2 * step_y)]
