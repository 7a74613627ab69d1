"""Scenes like those of games: landscapes that scroll past, and small figures of blocks that run and hop.

A category that the rendered world does not hold. Nothing in it is unsafe, but figures swing their legs as
fast as those of the motion that stands for it, so that a net which never saw a game takes some for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from phar.media import TimedPicture, write_video
from phar.synth.canvas import Canvas, Pixels, Rgb, random_colour, shade

SIZES = ((426, 240), (320, 240), (480, 270))
FPS = Fraction(30)

#: Seeds of these scenes; the rendered world's begin with its version.
_SET = 8


@dataclass(frozen=True)
class _Figure:
    """Blocks that run on the spot while the land goes past."""

    x: float
    height: float
    steps_hz: float
    phase: float
    hops: float
    colours: tuple[Rgb, Rgb, Rgb]
    drift: float


@dataclass(frozen=True)
class Game:
    """One video of a game."""

    seed: int
    duration_s: float

    @property
    def name(self) -> str:
        """A file name without suffix."""
        return f"game-{self.seed}"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return SIZES[self.seed % len(SIZES)]

    @cached_property
    def _scene(self) -> tuple[list[_Figure], list[tuple[float, float, float, Rgb]], Rgb, Rgb, float, float]:
        rng = np.random.default_rng([_SET, self.seed])
        figures = [
            _Figure(
                x=float(rng.uniform(0.2, 0.8)),
                height=float(rng.uniform(0.3, 0.62)),
                steps_hz=float(rng.uniform(1.7, 2.6)),
                phase=float(rng.uniform()),
                hops=float(rng.uniform(0, 0.05)),
                colours=(random_colour(rng), random_colour(rng), random_colour(rng)),
                drift=float(rng.uniform(0.0, 0.12)),
            )
            for _ in range(int(rng.integers(1, 3)))
        ]
        blocks = [
            (
                float(rng.uniform(0, 3)),
                float(rng.uniform(0.06, 0.3)),
                float(rng.uniform(0.15, 0.6)),
                random_colour(rng),
            )
            for _ in range(14)
        ]
        sky, ground = random_colour(rng), random_colour(rng)
        return figures, blocks, sky, ground, float(rng.uniform(0.1, 0.45)), float(rng.uniform(0.78, 0.9))

    def picture(self, t: float) -> Pixels:
        """Return the picture `t` seconds in: (H, W, 3) uint8 RGB."""
        width, height = self.size
        figures, blocks, sky, ground, speed, floor = self._scene
        image = np.empty((height, width, 3), np.uint8)
        image[:] = sky
        canvas = Canvas(image, (height, height))
        wide = width / height
        for depth in (0.35, 1.0):
            for at, tall, broad, colour in blocks:
                x = (at - speed * depth * t) % 3 - 0.6
                own = shade(colour, 0.6 + 0.4 * depth)
                _box(canvas, x, floor - tall * (1.3 - 0.6 * depth), broad, tall * 1.3, own)
        _box(canvas, 0, floor, wide, 1 - floor, ground)
        for number in range(12):
            _box(canvas, (number / 4 - speed * t) % 3 - 0.3, floor, 0.02, 0.03, shade(ground, 0.6))
        for figure in figures:
            _run(canvas, figure, t, wide, floor + 0.04)
        score = f"{int(self.seed * 7 + t * 90):06d}"
        cv2.putText(image, score, (6, 18), cv2.FONT_HERSHEY_PLAIN, 1.1, (250, 250, 250), 1, cv2.LINE_AA)
        return image

    def write(self, path: Path) -> None:
        """Encode it to an mp4. Raises OutputError."""
        write_video(path, self._pictures(), FPS, None, crf=23)

    def _pictures(self) -> Iterator[TimedPicture]:
        for number in range(round(self.duration_s * FPS)):
            t = float(number / FPS)
            yield t, self.picture(t)


def _box(canvas: Canvas, x: float, y: float, w: float, h: float, colour: Rgb) -> None:
    canvas.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], colour)


def _run(canvas: Canvas, figure: _Figure, t: float, wide: float, floor: float) -> None:
    """Draw a figure of blocks: two legs that swing in turn, a body, a head."""
    tall = figure.height
    swing = np.sin(2 * np.pi * (figure.steps_hz * t + figure.phase))
    x = figure.x * wide + figure.drift * np.sin(0.7 * t + figure.phase * 6)
    foot = floor - figure.hops * abs(swing)
    hip = foot - 0.45 * tall
    legs, body, head = figure.colours
    for side in (-1, 1):
        lift = max(0.0, side * swing) * 0.2 * tall
        at = x + side * 0.08 * tall - 0.05 * tall
        _box(canvas, at, hip, 0.1 * tall, 0.45 * tall - lift, legs)
    _box(canvas, x - 0.15 * tall, foot - 0.8 * tall, 0.3 * tall, 0.37 * tall, body)
    _box(canvas, x - 0.1 * tall, foot - tall, 0.2 * tall, 0.19 * tall, head)
    for side in (-1, 1):
        reach = 0.12 * side * swing * tall
        _box(
            canvas,
            x + side * 0.2 * tall - 0.04 * tall,
            foot - 0.75 * tall + reach,
            0.08 * tall,
            0.25 * tall,
            body,
        )
