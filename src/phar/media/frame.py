"""One decoded picture, kept as the decoder left it and converted when somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

#: Pixel aspect ratios nearer to 1 than this come from rounding a size to even
#: numbers; such pixels count as square.
_SQUARE_TOLERANCE = Fraction(1, 100)

#: Pixel aspect ratios beyond this, or its inverse, are damage, not a format.
_WIDEST_PIXEL = 4

#: What swscale converts of the ways to code colours, and the one of pictures that name none.
#: Source: ITU-T H.273 (07/2021), table 4, MatrixCoefficients.
_CONVERTED, _UNSPECIFIED = frozenset({0, 1, 2, 4, 5, 6, 7, 9}), 2

#: Scaler contexts kept per thread; each holds tables for one pair of sizes.
_MAX_SCALERS = 8


@dataclass(frozen=True)
class Geometry:
    """How stored pictures become upright ones with square pixels.

    The stored picture is scaled to square pixels by making the smaller side
    count larger, transposed if asked, then mirrored.
    """

    width_px: int
    """Width of the upright picture with square pixels."""
    height_px: int
    """Height of the upright picture with square pixels."""
    transposed: bool = False
    """Whether rows and columns change places first."""
    flip_x: bool = False
    """Whether the result is mirrored left to right."""
    flip_y: bool = False
    """Whether the result is mirrored top to bottom."""

    @classmethod
    def of(
        cls, width_px: int, height_px: int, pixel_aspect: Fraction, matrix: Sequence[int] | None
    ) -> Geometry:
        """Work out the geometry of a stream.

        Args:
            width_px: stored width.
            height_px: stored height.
            pixel_aspect: width over height of one stored pixel; 0 for unknown.
            matrix: display matrix (a b u, c d v, x y w), which sends the stored
                point (p, q) to (a p + c q + x, b p + d q + y); right angles and
                mirrorings are honoured, other angles by the nearest right one.
        """
        width, height = width_px, height_px
        if 1 / _WIDEST_PIXEL <= pixel_aspect <= _WIDEST_PIXEL and abs(pixel_aspect - 1) > _SQUARE_TOLERANCE:
            if pixel_aspect > 1:
                width = round(width * pixel_aspect)
            else:
                height = round(height / pixel_aspect)
        if matrix is None:
            return cls(width, height)
        a, b, _, c, d = matrix[:5]
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(width, height, False, a < 0, d < 0)
        return cls(height, width, True, c < 0, b < 0)

    def turn(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a stored (H, W, 3) picture upright; contiguous."""
        if self.transposed:
            stored = stored.transpose(1, 0, 2)
        if self.flip_x:
            stored = stored[:, ::-1]
        if self.flip_y:
            stored = stored[::-1]
        return np.ascontiguousarray(stored)


def has_known_colours(stored: av.VideoFrame) -> bool:
    """Tell whether colours are coded in a way, as far as the picture says, that can be converted."""
    return stored.colorspace in _CONVERTED


def with_known_colours(stored: av.VideoFrame) -> av.VideoFrame:
    """Let a picture count as one that names no way of coding colours if the one it names is unknown.

    No scaler would take it as it is. Its colours are wrong then, and its shapes right.
    """
    if not has_known_colours(stored):
        stored.colorspace = _UNSPECIFIED
    return stored


class Converter:
    """Scales and converts pictures for one reader, counting the seconds it takes."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self.busy_s = 0.0

    def convert(self, frame: av.VideoFrame, width_px: int, height_px: int, format: str) -> av.VideoFrame:
        """Scale a stored picture to a size and pixel format."""
        started = time.perf_counter()
        scalers: dict[tuple[int, int, str], VideoReformatter] = self._local.__dict__.setdefault("scalers", {})
        key = (width_px, height_px, format)
        scaler = scalers.pop(key, None) or VideoReformatter()
        scalers[key] = scaler
        if len(scalers) > _MAX_SCALERS:
            scalers.pop(next(iter(scalers)))
        converted = scaler.reformat(
            frame, width_px, height_px, format, interpolation=Interpolation.BILINEAR, threads=1
        )
        with self._lock:
            self.busy_s += time.perf_counter() - started
        return converted


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video, converted lazily."""

    time_s: float
    """Seconds from the first frame of the video."""
    geometry: Geometry
    """The video's geometry; a frame of another size is scaled to it."""
    stored: av.VideoFrame = field(repr=False)
    """The picture as decoded; do not write to it."""
    converter: Converter = field(repr=False, default_factory=Converter)

    def __post_init__(self) -> None:
        with_known_colours(self.stored)

    @property
    def width_px(self) -> int:
        """Width of the upright picture with square pixels."""
        return self.geometry.width_px

    @property
    def height_px(self) -> int:
        """Height of the upright picture with square pixels."""
        return self.geometry.height_px

    @property
    def num_bytes(self) -> int:
        """Memory that the stored picture holds."""
        return sum(plane.buffer_size for plane in self.stored.planes)

    def to_rgb(self, width_px: int | None = None, height_px: int | None = None) -> NDArray[np.uint8]:
        """Convert to (height_px, width_px, 3) uint8 RGB, upright.

        A side left out follows from the other by the picture's aspect ratio;
        both left out give the full size.
        """
        width, height = self.width_px, self.height_px
        if width_px is not None and height_px is None:
            height_px = max(1, round(height * width_px / width))
        elif height_px is not None and width_px is None:
            width_px = max(1, round(width * height_px / height))
        width, height = width_px or width, height_px or height
        stored_size = (height, width) if self.geometry.transposed else (width, height)
        rgb = self.converter.convert(self.stored, *stored_size, "rgb24")
        return self.geometry.turn(rgb.to_ndarray().astype(np.uint8, copy=False))
