"""What a reader is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phar.schema import Window

#: num_frames, fps, window, frame_times_s -> indices of the frames to keep.
Wanted = Callable[[int, float, Window, NDArray[np.float64]], Collection[int]]


@dataclass(frozen=True)
class Plan:
    """What a reader is asked for; see `MediaReader`."""

    window_s: float
    stride_s: float
    wanted: Wanted
    audio_hz: int | None
    window_bytes: int
    needed: Callable[[float, float], bool] | None = None
    windows: tuple[int, int | None] = (0, None)
    live: bool = False

    def takes(self, index: int) -> bool:
        """Tell whether a window is one of those asked for."""
        first, end = self.windows
        return first <= index and (end is None or index < end)
