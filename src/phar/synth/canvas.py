"""Drawing in source pixels: colours, the camera's view of a body, and a canvas of any size."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.synth.motion import Array

Rgb = tuple[int, int, int]
Pixels = NDArray[np.uint8]

#: Fractional bits of the coordinates handed to OpenCV.
SHIFT = 4
#: Corners of a unit circle, which stands for every round shape.
CIRCLE: Array = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], -1)


def random_colour(rng: np.random.Generator, value: float = 1.0) -> Rgb:
    """A random clothing or paint colour, RGB, brightness scaled by `value`."""
    hue, sat, val = rng.uniform(), rng.uniform(0.05, 0.85), rng.uniform(0.25, 0.95) * value
    chroma = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    rgb = 255 * val * (1 - sat + sat * chroma)
    return (int(rgb[0]), int(rgb[1]), int(rgb[2]))


def shade(colour: Rgb, gain: float) -> Rgb:
    """A colour made darker or lighter."""
    return (min(255, int(colour[0] * gain)), min(255, int(colour[1] * gain)), min(255, int(colour[2] * gain)))


@dataclass(frozen=True)
class View:
    """Where a body stands in the picture and how the camera sees it."""

    yaw: float
    """Radians the body is turned; 0 faces the camera, positive turns it to the picture's right."""
    pitch: float
    """Radians the camera looks down."""
    distance: float
    """Camera distance, body heights."""
    height_px: float
    """Height of the standing body."""
    ground_px: tuple[float, float]
    """Picture position of the point between the feet."""

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """(.., 3) body points to (.., 2) pixels, (..) depth towards the camera and (..) pixels per height."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        cy, sy, cp, sp = cos(self.yaw), sin(self.yaw), cos(self.pitch), sin(self.pitch)
        right, near = x * cy + z * sy, z * cy - x * sy
        up, depth = (y - 0.5) * cp - near * sp, near * cp + (y - 0.5) * sp
        scale = self.height_px / (1 - depth / self.distance)
        px = np.empty((*x.shape, 2))
        px[..., 0] = self.ground_px[0] + right * scale
        px[..., 1] = self.ground_px[1] - 0.5 * self.height_px - up * scale
        return px, depth, scale


class Canvas:
    """An image to draw on in source pixels, at whatever size it is kept; colours or part numbers."""

    def __init__(self, image: Pixels, scale: tuple[float, float], smooth: bool = True) -> None:
        self.image = image
        self.scale = np.array(scale) * (1 << SHIFT)
        # The centre of the first pixel is 0 to OpenCV and 0.5 to us.
        self.origin = -0.5 * (1 << SHIFT)
        self.line = cv2.LINE_AA if smooth else cv2.LINE_8

    def fixed(self, points: Any) -> NDArray[np.int32]:
        """Source pixels as OpenCV's fixed-point coordinates."""
        fixed: NDArray[np.int32] = np.rint(np.asarray(points) * self.scale + self.origin).astype(np.int32)
        return fixed

    def fill(self, fixed: NDArray[np.int32], colour: Any) -> None:
        """Fill the convex hull of fixed-point points."""
        cv2.fillConvexPoly(self.image, cv2.convexHull(fixed), colour, self.line, SHIFT)

    def polygon(self, points: Any, colour: Any) -> None:
        """Fill a convex polygon of (n, 2) source pixels."""
        cv2.fillConvexPoly(self.image, self.fixed(points), colour, self.line, SHIFT)

    def disc(self, centre: Any, radius: float, colour: Any) -> None:
        """Fill a circle."""
        self.polygon(np.asarray(centre) + radius * CIRCLE, colour)

    def tube(self, a: Any, b: Any, radius: float, colour: Any) -> None:
        """Fill a capsule from a to b."""
        self.fill(
            self.fixed(np.concatenate([np.asarray(a) + radius * CIRCLE, np.asarray(b) + radius * CIRCLE])),
            colour,
        )

    def tubes(self, points: Array, radii: Array, colour: Any) -> None:
        """Fill the chain of capsules through (n, 2) points."""
        fixed = self.fixed(points[:, None] + radii[:, None, None] * CIRCLE)
        for i in range(len(points) - 1):
            self.fill(fixed[i : i + 2].reshape(-1, 2), colour)
