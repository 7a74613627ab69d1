"""What stands behind people: rooms, streets, fields; and the screens that show no scene at all."""

from __future__ import annotations

import string
from functools import lru_cache

import cv2
import numpy as np

from phar.synth.canvas import Canvas, Pixels, Rgb, random_colour, shade
from phar.synth.motion import Array


def paint_backdrop(kind: str, seed: list[int], width: int, height: int) -> Pixels:
    """Paint a backdrop, RGB uint8; the same picture at any size.

    kind is one of room, street, field, studio, wall.
    """
    rng = np.random.default_rng(seed)
    image = np.empty((height, width, 3), np.uint8)
    canvas = Canvas(image, (width, height))
    _PAINTERS[kind](canvas, rng)
    _texture(image, rng)
    return image


def _box(canvas: Canvas, x: float, y: float, w: float, h: float, colour: Rgb) -> None:
    canvas.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], colour)


def _gradient(canvas: Canvas, top: Array, bottom: Array, y0: float = 0.0, y1: float = 1.0) -> None:
    height, width = canvas.image.shape[:2]
    rows = (np.arange(height) + 0.5) / height
    inside = (rows >= y0) & (rows < y1)
    share = ((rows[inside] - y0) / max(y1 - y0, 1e-6))[:, None]
    colours = np.clip(top * (1 - share) + bottom * share, 0, 255).astype(np.uint8)
    canvas.image[inside] = np.repeat(colours[:, None], width, 1)


def _texture(image: Pixels, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    total = np.zeros((height, width), np.float32)
    for rows, cols, strength in ((6, 8, 9.0), (24, 32, 6.0), (90, 120, 5.0)):
        grid = rng.normal(0, strength * rng.uniform(0.2, 1.2), (rows, cols)).astype(np.float32)
        shrink = rows > height
        total += cv2.resize(
            grid, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        )
    image[:] = np.clip(image + total[..., None], 0, 255)


def _dull(rng: np.random.Generator) -> Array:
    return np.array(random_colour(rng), float) * 0.6 + 70


def _room(canvas: Canvas, rng: np.random.Generator) -> None:
    wall, floor = _dull(rng), _dull(rng) * 0.75
    horizon = rng.uniform(0.66, 0.8)
    _gradient(canvas, wall * rng.uniform(0.85, 1.1), wall * rng.uniform(0.75, 1.0), 0, horizon)
    _gradient(canvas, floor, floor * 1.15, horizon, 1)
    _box(canvas, 0, horizon - 0.02, 1, 0.025, shade(random_colour(rng), 0.8))
    for _ in range(int(rng.integers(2, 5))):
        x, y, w, h = (
            rng.uniform(0, 0.9),
            rng.uniform(0.12, 0.4),
            rng.uniform(0.07, 0.2),
            rng.uniform(0.1, 0.25),
        )
        colour = random_colour(rng)
        _box(canvas, x, y, w, h, shade(colour, 0.6))
        _box(canvas, x + 0.01, y + 0.015, w - 0.02, h - 0.03, colour)
        if rng.uniform() < 0.4:
            inner = random_colour(rng)
            _box(canvas, x + w * 0.25, y + h * 0.25, w * 0.5, h * 0.5, inner)
    for _ in range(int(rng.integers(1, 4))):
        w, h = rng.uniform(0.12, 0.3), rng.uniform(0.1, 0.35)
        x, base = rng.uniform(-0.1, 0.9), horizon + rng.uniform(0.0, 0.08)
        colour = random_colour(rng, 0.8)
        _box(canvas, x, base - h, w, h, shade(colour, 0.7))
        _box(canvas, x + 0.006, base - h + 0.008, w - 0.012, h * 0.45, colour)
        _box(canvas, x + 0.006, base - h * 0.5, w - 0.012, h * 0.42, shade(colour, 0.9))


def _street(canvas: Canvas, rng: np.random.Generator) -> None:
    horizon = rng.uniform(0.6, 0.75)
    sky = np.array([rng.uniform(120, 215), rng.uniform(150, 220), rng.uniform(180, 245)])
    _gradient(canvas, sky * 0.85, sky * 1.05, 0, horizon)
    x = -0.05
    while x < 1.0:
        w, h = float(rng.uniform(0.12, 0.3)), float(rng.uniform(0.3, 0.62))
        front = _dull(rng)
        rgb = (int(front[0]), int(front[1]), int(front[2]))
        _box(canvas, x, horizon - h, w, h, rgb)
        pane = shade(rgb, rng.uniform(0.55, 1.4))
        columns, rows = int(rng.integers(2, 5)), int(rng.integers(3, 7))
        for column in range(columns):
            for row in range(rows):
                _box(
                    canvas,
                    x + w * (column + 0.25) / columns,
                    horizon - h * (1 - (row + 0.2) / rows),
                    w * 0.5 / columns,
                    h * 0.5 / rows,
                    pane,
                )
        x += w + float(rng.uniform(-0.01, 0.04))
    road = rng.uniform(70, 130) * np.ones(3)
    _gradient(canvas, road * 1.2, road, horizon, 1)
    _box(canvas, 0, horizon, 1, 0.03, (150, 148, 144))
    for _ in range(int(rng.integers(0, 3))):
        at, colour = rng.uniform(0, 1), random_colour(rng, 0.8)
        _box(canvas, at, horizon - 0.07, 0.2, 0.09, colour)
        _box(canvas, at + 0.04, horizon - 0.12, 0.11, 0.06, shade(colour, 0.8))


def _field(canvas: Canvas, rng: np.random.Generator) -> None:
    horizon = rng.uniform(0.5, 0.7)
    sky = np.array([rng.uniform(110, 230), rng.uniform(140, 215), rng.uniform(170, 250)])
    _gradient(canvas, sky * 0.8, sky * 1.05, 0, horizon)
    grass = np.array([rng.uniform(70, 160), rng.uniform(100, 170), rng.uniform(40, 90)])
    for layer in range(3):
        xs = np.linspace(0, 1, 9)
        ys = horizon - 0.1 + 0.05 * layer + 0.05 * np.sin(xs * rng.uniform(3, 9) + rng.uniform(0, 6))
        colour = shade((int(grass[0]), int(grass[1]), int(grass[2])), 0.6 + 0.15 * layer)
        for i in range(8):
            canvas.polygon([(xs[i], ys[i]), (xs[i + 1], ys[i + 1]), (xs[i + 1], 1), (xs[i], 1)], colour)
    _gradient(canvas, grass * 1.05, grass * 0.8, horizon + 0.08, 1)
    for _ in range(int(rng.integers(2, 7))):
        x, size = rng.uniform(0, 1), rng.uniform(0.04, 0.12)
        leaf = shade((70, 110, 50), rng.uniform(0.6, 1.4))
        _box(canvas, x - 0.008, horizon - size, 0.016, size * 1.4, (84, 62, 44))
        canvas.disc((x, horizon - size * 1.3), size, shade(leaf, 0.8))
        canvas.disc((x - size * 0.2, horizon - size * 1.5), size * 0.7, leaf)


def _studio(canvas: Canvas, rng: np.random.Generator) -> None:
    colour = _dull(rng)
    _gradient(canvas, colour * rng.uniform(0.5, 1.1), colour * rng.uniform(0.7, 1.2))
    for _ in range(int(rng.integers(3, 12))):
        canvas.disc(
            rng.uniform(0, 1, 2), rng.uniform(0.02, 0.1), shade(random_colour(rng), rng.uniform(0.7, 1.2))
        )
    floor = rng.uniform(0.75, 0.9)
    _gradient(canvas, colour * 0.7, colour * 0.85, floor, 1)


def _wall(canvas: Canvas, rng: np.random.Generator) -> None:
    a, b = _dull(rng), _dull(rng)
    horizon = rng.uniform(0.72, 0.88)
    _gradient(canvas, a, a * 0.85)
    stripes = int(rng.integers(4, 16))
    rgb = shade((int(a[0]), int(a[1]), int(a[2])), rng.uniform(0.75, 1.2))
    across = rng.uniform() < 0.5
    for i in range(stripes):
        if across:
            _box(canvas, 0, i / stripes, 1, 0.35 / stripes, rgb)
        else:
            _box(canvas, i / stripes, 0, 0.4 / stripes, 1, rgb)
    _gradient(canvas, b * 0.7, b * 0.8, horizon, 1)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0, 0.9), rng.uniform(0.1, 0.5)
        _box(canvas, x, y, rng.uniform(0.05, 0.15), rng.uniform(0.05, 0.2), random_colour(rng))


_PAINTERS = {"room": _room, "street": _street, "field": _field, "studio": _studio, "wall": _wall}
#: Kinds of backdrops.
BACKDROPS = tuple(_PAINTERS)


def _words(rng: np.random.Generator, low: int, high: int) -> str:
    letters = list(string.ascii_lowercase)
    return " ".join(
        "".join(rng.choice(letters, int(rng.integers(3, 9)))).capitalize()
        for _ in range(int(rng.integers(low, high)))
    )


def paint_screen(kind: str, seed: list[int], t: float, image: Pixels) -> None:
    """Fill an RGB image with a screen without people, `t` seconds into its span.

    kind is one of black, white, logo, credits, noise, bars.
    """
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    if kind in ("black", "white"):
        image[:] = int(rng.uniform(0, 14)) if kind == "black" else int(rng.uniform(236, 255))
    elif kind == "noise":
        grain = np.random.default_rng([*seed, int(t * 1000)]).integers(0, 255, (120, 160), dtype=np.uint8)
        resized = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
        image[:] = resized[..., None]
    elif kind == "bars":
        level = int(rng.uniform(150, 255))
        for i in range(8):
            bar = [level if (7 - i) >> bit & 1 else 16 for bit in (1, 2, 0)]
            image[:, width * i // 8 : width * (i + 1) // 8] = bar
        if rng.uniform() < 0.5:
            image[height * 3 // 4 :] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    elif kind == "logo":
        image[:] = shade(random_colour(rng), 0.5)
        canvas = Canvas(image, (height, height))
        centre = np.array([width / height / 2, 0.42])
        colour, size = random_colour(rng), rng.uniform(0.12, 0.22)
        sides, turn = int(rng.integers(3, 9)), rng.uniform(0, 6.28) + 0.2 * t
        angles = turn + np.arange(sides) * 2 * np.pi / sides
        canvas.polygon(centre + size * np.stack([np.cos(angles), np.sin(angles)], -1), colour)
        canvas.disc(centre, size * 0.5, shade(random_colour(rng), 0.9))
        _text(image, _words(rng, 1, 3), 0.78, 0.085, (235, 235, 235))
    else:
        level, ink, speed, pitch, lines = _credits(tuple(seed))
        image[:] = level
        for number, line in enumerate(lines):
            y = 0.8 + number * pitch - speed * t
            if -0.1 < y < 1.1:
                _text(image, line, y, 0.05, (ink, ink, ink))


@lru_cache(maxsize=64)
def _credits(seed: tuple[int, ...]) -> tuple[int, int, float, float, tuple[str, ...]]:
    """Grey levels of ground and letters, heights a second, line pitch in heights, and lines."""
    rng = np.random.default_rng(seed)
    level, ink = int(rng.uniform(0, 50)), int(rng.uniform(180, 255))
    speed, pitch = float(rng.uniform(0.06, 0.14)), float(rng.uniform(0.09, 0.13))
    return level, ink, speed, pitch, tuple(_words(rng, 2, 4) for _ in range(40))


def _text(image: Pixels, text: str, y: float, size: float, colour: Rgb) -> None:
    height, width = image.shape[:2]
    scale = size * height / 21.0
    (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale *= min(1.0, 0.94 * width / max(text_width, 1))
    (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    thickness = max(1, round(scale * 2))
    at = ((width - text_width) // 2, int(y * height))
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
