"""A window that is being filled with the frames it asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import av.error
import numpy as np
from numpy.typing import NDArray

from phar.media.frame import Converter, Frame
from phar.schema import Window


@dataclass
class OpenWindow:
    """A window that is being filled."""

    window: Window
    times_s: NDArray[np.float64]
    pending: list[int]
    """Wanted indices still without a frame, in order of time."""
    picture_bytes: float
    """Largest picture that is kept as it is; larger ones are made smaller."""
    frames: dict[int, Frame] = field(default_factory=dict)


def nearest_of(time_s: float, previous: Frame | None, frame: Frame) -> Frame:
    """Return which of two frames lies nearer to an instant."""
    if previous is not None and abs(previous.time_s - time_s) < abs(frame.time_s - time_s):
        return previous
    return frame


def shrunk(frame: Frame, max_bytes: float, converter: Converter) -> Frame:
    """Return the frame in at most so many bytes, smaller if need be."""
    # By the picture itself: its size may change in the middle of a video.
    if frame.num_bytes <= max_bytes:
        return frame
    scale = math.sqrt(max_bytes / frame.num_bytes)
    width = max(2, round(frame.stored.width * scale / 2) * 2)
    height = max(2, round(frame.stored.height * scale / 2) * 2)
    name = frame.stored.format.name
    try:
        stored = converter.convert(frame.stored, width, height, name)
    except (av.error.FFmpegError, ValueError):
        stored = converter.convert(frame.stored, width, height, "yuv420p")
    return Frame(frame.time_s, frame.geometry, stored, frame.converter)
