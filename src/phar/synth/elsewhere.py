"""Clips of places outside the rendered world, which nets that know only that world are taught to refuse.

A net that has seen one world takes every picture for a part of it: a real wall for one that is being painted.
These clips have grounds with the statistics of photographs, cameras and things that move, cuts and captions,
but no action. No photograph is used for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.schema import NONE, FloatArray
from phar.synth.canvas import Canvas, Pixels, Rgb, shade
from phar.synth.clip import Truth
from phar.synth.grounds import clouds, letters, natural, outline, paint_ground, words
from phar.synth.motion import Array

#: Pictures' sizes, as videos have them: wide, old, square, upright, cinema.
SIZES = ((426, 240), (320, 240), (240, 240), (240, 426), (426, 180))
_SIZES_SHARE = (0.45, 0.2, 0.1, 0.15, 0.1)
_FPS = (10, 24, 25, 30)
#: What is behind everything, and how often.
_GROUNDS = {"leaves": 0.5, "clouds": 0.1, "plain": 0.12, "page": 0.08, "backdrop": 0.2}
#: Things in front of it, and how often there are so many.
_NUM_THINGS, _NUM_THINGS_SHARE = (0, 1, 2, 3, 5), (0.35, 0.2, 0.2, 0.15, 0.1)
#: The ground is this much larger than the picture, so that the camera may move.
_MARGIN = 1.4
#: Seeds of these clips, apart from those of the world and of pictures without content.
_SET = 11


@dataclass(frozen=True)
class _Drift:
    """How a camera or a thing moves: along a line, and to and fro. Shares of the picture's height."""

    at: Array
    speed: Array
    swing: Array
    swing_hz: float
    phase: float

    @staticmethod
    def draw(rng: np.random.Generator, size: float, still_share: float) -> _Drift:
        moves = rng.uniform() >= still_share
        swing_hz = float(np.exp(rng.uniform(np.log(0.05), np.log(2.5))))
        return _Drift(
            at=rng.uniform(0, 1, 2),
            speed=rng.normal(0, 0.1, 2) * size * moves * (rng.uniform() < 0.6),
            swing=rng.normal(0, 0.12, 2) * size * moves / (1 + swing_hz),
            swing_hz=swing_hz,
            phase=float(rng.uniform(0, 2 * np.pi)),
        )

    def offset(self, t: float) -> Array:
        """(2,) how far it has moved `t` seconds into the shot."""
        moved: Array = self.speed * t + self.swing * np.sin(2 * np.pi * self.swing_hz * t + self.phase)
        return moved


@dataclass(frozen=True)
class _Limb:
    """One piece of something jointed, hanging from another."""

    parent: int
    length: float
    radius: float
    angle: float
    swing: float
    colour: Rgb


@dataclass(frozen=True)
class _Thing:
    """Something in front: jointed pieces or a flat shape."""

    drift: _Drift
    limbs: tuple[_Limb, ...]
    shape: Array
    colour: Rgb

    @staticmethod
    def draw(rng: np.random.Generator) -> _Thing:
        size = float(np.exp(rng.uniform(np.log(0.05), np.log(1.2))))
        drift = _Drift.draw(rng, 1.0, 0.3)
        colour = natural(rng)
        if rng.uniform() < 0.4:
            return _Thing(drift, (), size * outline(rng), colour)
        limbs: list[_Limb] = []
        for number in range(int(rng.integers(2, 9))):
            limbs.append(
                _Limb(
                    parent=int(rng.integers(-1, number)) if number else -1,
                    length=size * float(rng.uniform(0.1, 0.5)),
                    radius=size * float(rng.uniform(0.03, 0.16)),
                    angle=float(rng.uniform(0, 2 * np.pi)),
                    swing=float(rng.normal(0, 0.3)) if rng.uniform() < 0.6 else 0.0,
                    colour=shade(colour, rng.uniform(0.7, 1.3)) if rng.uniform() < 0.6 else natural(rng),
                )
            )
        return _Thing(drift, tuple(limbs), np.zeros((0, 2)), colour)

    def paint(self, canvas: Canvas, t: float, at: Array) -> None:
        """Draw it `t` seconds into the shot with its middle at `at`, shares of the height."""
        if not self.limbs:
            canvas.polygon(at + self.shape, self.colour)
            return
        ends: list[tuple[Array, float]] = []
        beat = np.sin(2 * np.pi * self.drift.swing_hz * t + self.drift.phase)
        for limb in self.limbs:
            start, turned = ends[limb.parent] if limb.parent >= 0 else (at, 0.0)
            angle = turned + limb.angle + limb.swing * float(beat)
            end = start + limb.length * np.array([np.cos(angle), np.sin(angle)])
            canvas.tube(start, end, limb.radius, limb.colour)
            ends.append((end, angle))


@dataclass(frozen=True)
class _Shot:
    """What one camera sees until `end_s`."""

    end_s: float
    ground: str
    seed: list[int]
    camera: _Drift
    zoom: float
    shake: float
    things: tuple[_Thing, ...]
    texture: float
    gain: Array
    blur: float
    noise: float
    grey: bool
    border: float
    caption: str


class Elsewhere:
    """One clip of 7 to 10 s; every picture is a pure function of seed, index and time.

    It is asked as `phar.synth.Clip` is, has no sound and shows nobody: its label is `none`.
    """

    label = NONE

    def __init__(self, seed: int, index: int) -> None:
        self.seed, self.index = seed, index
        rng = self._rng(0)
        self.width_px, self.height_px = SIZES[int(rng.choice(len(SIZES), p=_SIZES_SHARE))]
        self.fps = Fraction(int(rng.choice(_FPS)))
        self.duration_s = float(rng.uniform(7, 10))
        self.num_frames = max(1, round(self.duration_s * float(self.fps)))
        num_shots = int(rng.choice((1, 2, 3, 7), p=(0.7, 0.15, 0.1, 0.05)))
        cuts = np.sort(rng.uniform(0, self.duration_s, num_shots - 1))
        self._shots = tuple(
            self._shot(number, float(end_s)) for number, end_s in enumerate([*cuts, self.duration_s])
        )
        self._grounds: dict[tuple[int, int, int], Pixels] = {}
        self._lights: dict[tuple[int, int, int], NDArray[np.float32]] = {}

    def frame(self, t_s: float, width_px: int | None = None, height_px: int | None = None) -> Pixels:
        """The picture at `t_s`, (H, W, 3) uint8 RGB; with one of the sizes given the shape is kept."""
        if width_px is None:
            width_px = round(self.width_px * (height_px or self.height_px) / self.height_px)
        if height_px is None:
            height_px = round(self.height_px * width_px / self.width_px)
        number = next((i for i, shot in enumerate(self._shots) if t_s < shot.end_s), len(self._shots) - 1)
        shot = self._shots[number]
        t = t_s - (self._shots[number - 1].end_s if number else 0.0)
        image = self._seen(number, shot, t, width_px, height_px)
        return self._developed(image, number, shot, t_s)

    def keypoints(self, times_s: Any) -> FloatArray:
        """(T, 2, 17, 2) NaN: there is nobody of the rendered world."""
        return np.full((len(np.asarray(times_s)), 2, 17, 2), np.nan, np.float32)

    def truth(self, t_s: float) -> Truth:
        """Nobody to be found."""
        return Truth(NONE, np.zeros((0, 4), np.float32), np.zeros((0, 17, 3), np.float32))

    def audio(self, start_s: float, end_s: float, hz: int) -> None:
        """No sound."""

    def places(self, t_s: float) -> list[tuple[str, FloatArray]]:
        """No place of an action."""
        return []

    def window_label(self, start_s: float, end_s: float) -> tuple[str, float]:
        """`none`, all of the window."""
        return NONE, 1.0

    def _rng(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([_SET, self.seed, self.index, *place])

    def _shot(self, number: int, end_s: float) -> _Shot:
        rng = self._rng(1, number)
        unsteady = rng.uniform() < 0.3
        return _Shot(
            end_s=end_s,
            ground=str(rng.choice(list(_GROUNDS), p=list(_GROUNDS.values()))),
            seed=[_SET, self.seed, self.index, 2, number],
            camera=_Drift.draw(rng, 0.6, 0.5),
            zoom=float(rng.normal(0, 0.04)) if rng.uniform() < 0.4 else 0.0,
            shake=float(rng.uniform(0, 0.02)) * unsteady,
            things=tuple(_Thing.draw(rng) for _ in range(int(rng.choice(_NUM_THINGS, p=_NUM_THINGS_SHARE)))),
            texture=float(rng.uniform(0, 0.3 if rng.uniform() < 0.35 else 0.06)),
            gain=np.asarray(rng.uniform(0.5, 1.25) * rng.uniform(0.9, 1.1, 3), np.float32),
            blur=float(rng.uniform(0, 0.012)) if rng.uniform() < 0.4 else 0.0,
            noise=float(rng.uniform(0, 10)),
            grey=bool(rng.uniform() < 0.08),
            border=float(rng.uniform(0.05, 0.25)) if rng.uniform() < 0.08 else 0.0,
            caption=words(rng) if rng.uniform() < 0.12 else "",
        )

    def _seen(self, number: int, shot: _Shot, t: float, width: int, height: int) -> Pixels:
        size = (round(width * _MARGIN), round(height * _MARGIN))
        key = (number, *size)
        if key not in self._grounds:
            if len(self._grounds) >= 2:
                self._grounds.pop(next(iter(self._grounds)))
            self._grounds[key] = paint_ground(shot.ground, shot.seed, *size)
        zoom = min(max(1 + shot.zoom * t, 0.8), 1.6)
        shaken = shot.shake * np.sin(2 * np.pi * np.array([3.1, 4.3]) * t + shot.camera.phase)
        offset = (shot.camera.offset(t) + shaken) * height
        crop = (min(size[0], round(width / zoom)), min(size[1], round(height / zoom)))
        left, top = (
            min(max(round((whole - part) / 2 - moved), 0), whole - part)
            for whole, part, moved in zip(size, crop, offset, strict=True)
        )
        piece = self._grounds[key][top : top + crop[1], left : left + crop[0]]
        image: Pixels = cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        image = np.ascontiguousarray(image if image.base is None else image.copy())
        canvas = Canvas(image, (height, height))
        for thing in shot.things:
            at = thing.drift.at * [width / height, 1] + thing.drift.offset(t) + offset / height
            thing.paint(canvas, t, at)
        return image

    def _developed(self, image: Pixels, number: int, shot: _Shot, t_s: float) -> Pixels:
        """Texture on everything, light, grain, captions."""
        height, width = image.shape[:2]
        key = (number, width, height)
        if key not in self._lights:
            self._lights.clear()
            rng = np.random.default_rng([*shot.seed, 1])
            self._lights[key] = (1 + shot.texture * clouds(rng, height, width, 1)) * shot.gain
        sigma = shot.blur * height
        if sigma > 0.3:
            image = cv2.GaussianBlur(image, (0, 0), sigma)  # type: ignore[assignment]
        rng = np.random.default_rng([*shot.seed, 2, round(t_s * 1000)])
        grain = rng.standard_normal((height, width, 1), np.float32) * np.float32(shot.noise)
        out = image * self._lights[key] + grain
        if shot.grey:
            out = out.mean(-1, keepdims=True).repeat(3, -1)
        shown: Pixels = np.clip(out, 0, 255).astype(np.uint8)
        if shot.border:
            bar = round(shot.border * (height if shot.seed[-1] % 2 else width))
            if shot.seed[-1] % 2:
                shown[:bar], shown[height - bar :] = 0, 0
            else:
                shown[:, :bar], shown[:, width - bar :] = 0, 0
        if shot.caption:
            letters(shown, shot.caption, (int(0.05 * width), int(0.93 * height)), height / 500, 255)
        return shown
