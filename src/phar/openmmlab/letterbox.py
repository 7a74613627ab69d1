"""Steps of pipelines that MMAction2 lacks: frames of any shape in one of a fixed shape, and compression.

`Letterbox` scales frames until they fit and puts black beside or above them; nothing is cut off or squeezed.
`JpegCompression` shows a net in training what platforms do to pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def fitted(scale: Sequence[int], width_px: int, height_px: int) -> tuple[int, int]:
    """Width and height of a picture scaled to fit into `scale`, (width, height); one side fills it."""
    width, height = scale
    factor = min(width / width_px, height / height_px)
    return max(1, min(width, round(width_px * factor))), max(1, min(height, round(height_px * factor)))


def letterboxed(frames: Pixels, scale: Sequence[int]) -> Pixels:
    """Frames (T, h, w, 3) -> (T, scale[1], scale[0], 3): scaled to fit, in the middle of black."""
    width, height = scale
    inner = fitted(scale, frames.shape[2], frames.shape[1])
    if inner != (frames.shape[2], frames.shape[1]):
        frames = np.stack([cv2.resize(frame, inner, interpolation=cv2.INTER_LINEAR) for frame in frames])
    if inner == (width, height):
        return frames
    placed = np.zeros((len(frames), height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    placed[:, top : top + inner[1], left : left + inner[0]] = frames
    return placed


def compressed(frames: Sequence[Pixels], quality: int) -> list[Pixels]:
    """RGB frames after a JPEG of `quality`, 1 to 100, was made of each."""
    found = []
    for frame in frames:
        _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
        found.append(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return found


def register() -> None:
    """Register both steps with MMAction2, once."""
    from mmaction.registry import TRANSFORMS

    if "Letterbox" in TRANSFORMS.module_dict:
        return

    class Letterbox:
        """Scale `imgs` to fit into `scale`, (width, height), and fill up with black."""

        def __init__(self, scale: Sequence[int]) -> None:
            self._scale = scale

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            frames = letterboxed(np.stack(results["imgs"]), self._scale)
            return {**results, "imgs": list(frames), "img_shape": frames.shape[1:3]}

    class JpegCompression:
        """Compress all of `imgs` with one quality drawn from a range, in this share of the clips."""

        def __init__(self, quality: Sequence[int] = (25, 95), share: float = 0.5) -> None:
            self._quality = quality
            self._share = share

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            if np.random.uniform() >= self._share:
                return results
            low, high = self._quality
            return {**results, "imgs": compressed(results["imgs"], int(np.random.randint(low, high + 1)))}

    TRANSFORMS.register_module(module=Letterbox)
    TRANSFORMS.register_module(module=JpegCompression)
