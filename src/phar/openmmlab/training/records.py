"""What one training sample is, for each kind of net: plain arrays and a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.clips import PoseClip
from phar.schema import FloatArray


@dataclass(frozen=True)
class FrameRecord:
    """A clip of frames and its action."""

    frames: NDArray[np.uint8]
    """(T, H, W, 3) RGB, already the frames the net is to see."""
    label: int
    picked: ClassVar[bool] = True


@dataclass(frozen=True)
class ClipRecord:
    """A clip of which the pipeline picks the frames, and its action."""

    num_frames: int
    """Frames to pick from."""
    fps: float
    """Frames a second."""
    read: Callable[[NDArray[np.int64]], list[NDArray[np.uint8]]]
    """Gives the frames with the numbers asked for, (H, W, 3) RGB each, all of one size."""
    label: int
    picked: ClassVar[bool] = False


@dataclass(frozen=True)
class FeatureRecord:
    """A clip of stem features and its action."""

    features: FloatArray
    """(C, T, h, w)."""
    label: int


@dataclass(frozen=True)
class SceneRecord:
    """A picture, what stands where in it, and its action."""

    frame: NDArray[np.uint8]
    """(H, W, 3) RGB, already as large as the net is to see it."""
    joints: FloatArray
    """(n, 17, 2) x, y in shares of the picture's sides, hidden or outside or not; the actor first."""
    place_kinds: tuple[int, ...]
    """Objects, numbered from 0."""
    place_boxes: FloatArray
    """(m, 4) x1, y1, x2, y2 of each in shares of the picture's sides."""
    label: int


@dataclass(frozen=True)
class PoseRecord:
    """The joints of a clip and its action."""

    clip: PoseClip
    label: int
    picked: bool = True
    """Whether these are the frames the net is to see; else the pipeline picks some."""
    times_s: NDArray[np.float64] | None = None
    """(T,) times of the frames, where they are known."""
    another: Callable[[np.random.RandomState], PoseRecord] | None = None
    """Draws another clip of the same label to learn from, where there are such."""


@dataclass(frozen=True)
class SoundRecord:
    """The log-mel features of a window and its action."""

    features: FloatArray
    """(rows, bands) in [0, 1]."""
    label: int


@dataclass(frozen=True)
class PictureRecord:
    """A picture and every person in it."""

    frame: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    boxes: FloatArray
    """(n, 4) x1, y1, x2, y2 in pixels; n may be 0."""


@dataclass(frozen=True)
class PersonRecord:
    """A picture and one person in it."""

    frame: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    box: FloatArray
    """(4,) x1, y1, x2, y2 in pixels."""
    keypoints: FloatArray
    """(17, 3) x, y in pixels and COCO's flag: 0 unknown, 1 hidden, 2 visible."""
