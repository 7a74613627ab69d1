"""The common part of all clip readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.sampling import FrameSampler


@dataclass(frozen=True)
class ClipSpec(ABC):
    """How one window becomes the input of one net."""

    sampler: FrameSampler
    sampling: str
    """The rule by which `sampler` counts: frames-1.x, frames-0.x or seconds."""

    @property
    def num_frames(self) -> int:
        """Frames of one window that the net is shown, repeats counted."""
        return self.sampler.total_clips * self.sampler.clip_len

    def frame_indices(
        self,
        num_frames: int,
        frame_times_s: NDArray[np.float64] | None = None,
        fps: float | None = None,
    ) -> NDArray[np.int64]:
        """Which of a window's `num_frames` frames are shown, clip after clip, (self.num_frames,).

        `frame_times_s` (num_frames,) is needed where the rule is "seconds".
        """
        return self.sampler.indices(num_frames, self.sampling, frame_times_s, fps)

    def frame_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height to which frames may be resized before they are handed over."""
        return width_px, height_px

    @property
    def views_are_independent(self) -> bool:
        """Whether the net scores each view by itself, so that views of all windows share a batch."""
        return True

    @property
    def channels_last(self) -> bool:
        """Whether views are frames (T, H, W, 3) that the net's wrapper has yet to bring into order."""
        return False

    @property
    def follows_persons(self) -> bool:
        """Whether each row of a PoseClip must be one person through all frames."""
        return False

    @abstractmethod
    def views(self, window: Any) -> NDArray[Any]:
        """The net's input for one window, (V, ...): one row per view (clip and crop)."""
