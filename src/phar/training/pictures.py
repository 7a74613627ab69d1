"""What training does to pictures of the rendered world: other parts of them, another light, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def part(frames: Pixels, rng: np.random.Generator) -> tuple[Pixels, tuple[float, float, float, float]]:
    """A random part of pictures (..., H, W, 3), at least 0.82 of each side.

    Also gives where it lies: left, top, width and height in shares of the sides.
    """
    height, width = frames.shape[-3:-1]
    new_height, new_width = (rng.uniform(0.82, 1.0, 2) * (height, width)).astype(int)
    top, left = (int(rng.integers(0, free + 1)) for free in (height - new_height, width - new_width))
    piece = frames[..., top : top + new_height, left : left + new_width, :]
    return piece, (left / width, top / height, new_width / width, new_height / height)


def tinted(frames: Pixels, rng: np.random.Generator) -> Pixels:
    """Pictures (..., 3) in another light: gain per channel and lift."""
    gain = rng.uniform(0.85, 1.15) * rng.uniform(0.85, 1.15, 3)
    levels = np.arange(256)[:, None] * gain + rng.uniform(-12, 12)
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    rows = np.ascontiguousarray(frames).reshape(-1, *frames.shape[-2:])
    tinted: Pixels = cv2.LUT(rows, table[None])  # type: ignore[assignment]
    return tinted.reshape(frames.shape)


def compressed(frame: Pixels, quality: int) -> Pixels:
    """A picture (H, W, 3) as JPEG leaves it. quality: 1 to 100."""
    # Colours are coded as if BGR were RGB, which spares turning them round twice and loses as much.
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return decoded
