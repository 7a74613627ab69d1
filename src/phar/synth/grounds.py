"""Grounds with the statistics of photographs: power-law spectra, things of all sizes that hide each other.

Sources: Lee, Mumford, Huang, Occlusion Models for Natural Images, 2001 (dead leaves); Baradad et al.,
Learning to See by Looking at Noise, 2021 (such pictures in place of photographs).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.synth.backdrop import BACKDROPS, paint_backdrop
from phar.synth.canvas import Canvas, Pixels, Rgb, random_colour
from phar.synth.motion import Array


def paint_ground(kind: str, seed: list[int], width: int, height: int) -> Pixels:
    """Paint a ground, (height, width, 3) uint8 RGB.

    kind is one of leaves, clouds, plain, page, backdrop.
    """
    rng = np.random.default_rng(seed)
    if kind == "backdrop":
        return paint_backdrop(str(rng.choice(BACKDROPS)), seed, width, height)
    return _PAINTERS[kind](rng, width, height)


def _leaves(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Shapes of all sizes that hide each other, flat or rough, in colours that vary from place to place."""
    image = _tinted_clouds(rng, width, height)
    colours, texture = _tinted_clouds(rng, width, height), clouds(rng, height, width, 1)
    straight = rng.uniform()
    smallest = float(np.exp(rng.uniform(np.log(0.008), np.log(0.05))))
    largest = float(rng.uniform(0.2, 0.8))
    varied, rough = rng.uniform(0, 0.6), rng.uniform(0, 0.5)
    canvas = Canvas(image, (height, height))
    for _ in range(int(np.exp(rng.uniform(np.log(6), np.log(400))))):
        # Sizes r with density r^-3, which makes the picture look alike at every scale.
        share = 1 - rng.uniform() * (1 - (smallest / largest) ** 2)
        radius = smallest / np.sqrt(share)
        at = rng.uniform(0, 1, 2) * [width / height, 1]
        points = at + radius * (_rectangle(rng) if rng.uniform() < straight else outline(rng))
        if rng.uniform() < varied:
            colour = natural(rng)
        else:
            row, column = int(at[1] * height), int(at[0] * height)
            colour = tuple(int(v) for v in colours[min(row, height - 1), min(column, width - 1)])  # type: ignore[assignment]
        if rng.uniform() < rough:
            corners = np.rint(points * height).astype(np.int32)
            (x1, y1), (x2, y2) = np.clip([corners.min(0), corners.max(0) + 1], 0, [width, height])
            if x2 > x1 and y2 > y1:
                mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
                cv2.fillPoly(mask, [corners - [x1, y1]], 1)
                span = (slice(y1, y2), slice(x1, x2))
                filled = np.clip(np.array(colour, np.float32) * (1 + 0.35 * texture[span]), 0, 255)
                np.copyto(image[span], filled.astype(np.uint8), where=mask[..., None] > 0)
        else:
            canvas.polygon(points, colour)
    return image


def _tinted_clouds(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Noise with the spectrum of photographs, in few colours."""
    grey = clouds(rng, height, width, 1)
    tint = clouds(rng, height, width, 3) * rng.uniform(0, 0.7)
    level, contrast = rng.uniform(40, 210), rng.uniform(10, 60)
    hue = np.array(natural(rng), float) / 128
    return np.clip((level + contrast * (grey + tint)) * hue, 0, 255).astype(np.uint8)


def _plain(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """A surface with hardly anything on it: light that falls off, a few marks."""
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    slope = rng.normal(0, 0.15, 2)
    light = (
        1 + slope[0] * across + slope[1] * down + 0.06 * rng.uniform() * clouds(rng, height, width, 1)[..., 0]
    )
    image = np.clip(light[..., None] * np.array(natural(rng), float), 0, 255).astype(np.uint8)
    canvas = Canvas(image, (height, height))
    for _ in range(int(rng.integers(0, 5))):
        at = rng.uniform(0, 1, 2) * [width / height, 1]
        canvas.polygon(at + rng.uniform(0.02, 0.5) * _rectangle(rng), natural(rng))
    return image


def _page(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """A sheet or a screen with lines of letters and frames."""
    dark = rng.uniform() < 0.4
    paper, ink = (
        (rng.uniform(0, 60), rng.uniform(160, 255)) if dark else (rng.uniform(190, 255), rng.uniform(0, 90))
    )
    image = np.full((height, width, 3), paper, np.uint8)
    canvas = Canvas(image, (height, height))
    for _ in range(int(rng.integers(0, 6))):
        at = rng.uniform(0.1, 0.9, 2) * [width / height, 1]
        canvas.polygon(at + rng.uniform(0.05, 0.3) * _rectangle(rng), natural(rng))
    pitch = float(rng.uniform(0.04, 0.14))
    for line in range(int(0.8 / pitch)):
        if rng.uniform() < 0.8:
            left = int(width * (0.15 + 0.1 * rng.uniform()))
            letters(image, words(rng), (left, int(height * (0.2 + line * pitch))), pitch * height / 45, ink)
    return image


def letters(image: Pixels, text: str, at: tuple[int, int], scale: float, ink: float) -> None:
    """Write a line into a picture. at: its lower left corner, pixels; ink: grey level."""
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (ink, ink, ink), 1, cv2.LINE_AA)


def clouds(rng: np.random.Generator, height: int, width: int, channels: int) -> NDArray[np.float32]:
    """Noise (height, width, channels) whose amplitude falls as a power of the frequency; mean 0, spread 1."""
    power = rng.uniform(0.9, 2.2)
    # A quarter of the picture's detail is enough: what is finer is grain.
    rows, columns = max(8, height // 2), max(8, width // 2)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    frequency[0, 0] = 1.0
    fall = frequency**-power
    fall[0, 0] = 0.0
    noise = rng.normal(size=(channels, rows, columns // 2 + 1, 2)).view(np.complex128)[..., 0] * fall
    field = np.fft.irfft2(noise, (rows, columns)).astype(np.float32)
    field /= field.std((1, 2), keepdims=True) + 1e-9
    grown = cv2.resize(field.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_LINEAR)
    return grown.reshape(height, width, channels)


def outline(rng: np.random.Generator) -> Array:
    """Corners (n, 2) of a round or angular shape of radius 1."""
    count = int(rng.integers(3, 13))
    angles = np.arange(count) * 2 * np.pi / count
    radii = 1 + rng.uniform(-0.35, 0.35, count) * (rng.uniform() < 0.6)
    squeeze = np.array([1.0, rng.uniform(0.25, 1.0)])
    turn = rng.uniform(0, 2 * np.pi)
    points = np.stack([np.cos(angles), np.sin(angles)], -1) * radii[:, None] * squeeze
    return points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def _rectangle(rng: np.random.Generator) -> Array:
    """Corners (4, 2) of an upright rectangle, a little out of true."""
    tall = float(np.exp(rng.normal(0, 0.7)))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array([1 / np.sqrt(tall), np.sqrt(tall)])
    lean = rng.normal(0, 0.08) if rng.uniform() < 0.6 else rng.normal(0, 0.5)
    return corners @ np.array([[1, 0], [lean, 1]])


def natural(rng: np.random.Generator) -> Rgb:
    """A colour as things have it: mostly dull, some of skin, wood and stone, some bright."""
    kind = rng.uniform()
    if kind < 0.35:
        grey = rng.uniform(15, 245)
        return tuple(int(v) for v in np.clip(grey * rng.uniform(0.92, 1.08, 3), 0, 255))  # type: ignore[return-value]
    if kind < 0.6:
        level = rng.uniform(50, 235)
        return int(level), int(level * rng.uniform(0.6, 0.85)), int(level * rng.uniform(0.4, 0.75))
    return random_colour(rng)


def words(rng: np.random.Generator) -> str:
    """A few words without a meaning."""
    return " ".join(
        "".join(chr(97 + int(letter)) for letter in rng.integers(0, 26, int(rng.integers(2, 9))))
        for _ in range(int(rng.integers(1, 6)))
    )


_PAINTERS: dict[str, Callable[[np.random.Generator, int, int], Pixels]] = {
    "leaves": _leaves,
    "clouds": _tinted_clouds,
    "plain": _plain,
    "page": _page,
}
