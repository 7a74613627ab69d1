"""From the frames of a window to the input of an ONNX net."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab import ClipSpec
from phar.openmmlab.sampling import FrameSampler
from phar.profile import OnnxSpec
from phar.schema import FloatArray, ModelError


@dataclass(frozen=True)
class OnnxClip(ClipSpec):
    """How one window becomes the views of an ONNX net."""

    spec: OnnxSpec

    @classmethod
    def of(cls, spec: OnnxSpec, sampling: str) -> OnnxClip:
        """Return the reader; frames without an interval are the middles of equal parts of the window."""
        if spec.interval is None:
            sampler = FrameSampler("SampleFrames", clip_len=1, num_clips=spec.frames)
        else:
            sampler = FrameSampler(
                "SampleFrames", clip_len=spec.frames, num_clips=spec.clips, frame_interval=spec.interval
            )
        return cls(sampler, sampling, spec)

    def frame_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height to which frames are resized before they are cut or padded to `size_px`."""
        width, height = self.spec.size_px
        if self.spec.fit == "stretch":
            return width, height
        factors = (width / width_px, height / height_px)
        factor = max(factors) if self.spec.fit == "crop" else min(factors)
        best = max if self.spec.fit == "crop" else min
        return (
            max(1, best(width, round(width_px * factor))),
            max(1, best(height, round(height_px * factor))),
        )

    def views(self, window: NDArray[np.uint8]) -> FloatArray:
        """Frames (num_frames, h, w, 3) RGB of size `frame_size` -> (V, ...) in the order of the layout.

        V is the number of clips, or without an axis T the number of frames.
        """
        if window.ndim != 4 or len(window) != self.num_frames or window.shape[3] != 3:
            raise ModelError(
                f"a clip of shape {window.shape} was given, ({self.num_frames}, H, W, 3) is needed;"
                " hand over the frames that frame_indices names"
            )
        spec = self.spec
        pictures = _placed(window, *spec.size_px)
        if spec.colour == "bgr":
            pictures = pictures[..., ::-1]
        values = (pictures.astype(np.float32) - np.asarray(spec.mean, np.float32)) / np.asarray(
            spec.std, np.float32
        )
        axes = "VHWC"
        if "T" in spec.layout:
            values = values.reshape(-1, spec.frames, *values.shape[1:])
            axes = "VTHWC"
        if "S" in spec.layout:
            values = values[..., None]
            axes += "S"
        order = [axes.index("V" if axis == "N" else axis) for axis in spec.layout]
        return np.ascontiguousarray(values.transpose(order))


def _placed(frames: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Cut the middle out of larger frames, put smaller ones into the middle of black."""
    height, width = frames.shape[1:3]
    left, top = max(0, width - width_px) // 2, max(0, height - height_px) // 2
    frames = frames[:, top : top + height_px, left : left + width_px]
    height, width = frames.shape[1:3]
    if (width, height) == (width_px, height_px):
        return frames
    placed = np.zeros((len(frames), height_px, width_px, 3), np.uint8)
    left, top = (width_px - width) // 2, (height_px - height) // 2
    placed[:, top : top + height, left : left + width] = frames
    return placed
