"""What is done to a picture so that nobody sees what is on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

#: What is left of a picture's short side, in cells: too few to tell what was on it.
_CELLS = 16

Effect = Callable[[av.VideoFrame], av.VideoFrame]


def blurred(frame: av.VideoFrame) -> av.VideoFrame:
    """Keep 16 cells along the short side, flowing into each other."""
    return _coarse(frame, Interpolation.BICUBIC)


def pixelated(frame: av.VideoFrame) -> av.VideoFrame:
    """Keep 16 cells along the short side, as flat squares."""
    return _coarse(frame, Interpolation.POINT)


def black(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a black picture of the same form."""
    picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
    return _scaled(picture, frame.width, frame.height, frame, Interpolation.POINT)


#: Effects by the name of the action.
EFFECTS: Mapping[str, Effect] = MappingProxyType({"blur": blurred, "pixelate": pixelated, "black": black})


def _coarse(frame: av.VideoFrame, back: Interpolation) -> av.VideoFrame:
    cell = max(1.0, min(frame.width, frame.height) / _CELLS)
    width, height = max(1, round(frame.width / cell)), max(1, round(frame.height / cell))
    # Through RGB, since planes of halved colour cannot be made as small as this.
    rgb = VideoReformatter().reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA)
    return _scaled(rgb, frame.width, frame.height, frame, back)


def _scaled(
    picture: av.VideoFrame, width: int, height: int, like: av.VideoFrame, interpolation: Interpolation
) -> av.VideoFrame:
    return VideoReformatter().reformat(
        picture,
        width,
        height,
        like.format.name,
        dst_colorspace=like.colorspace if like.colorspace != 2 else None,
        dst_color_range=like.color_range or None,
        interpolation=interpolation,
    )
