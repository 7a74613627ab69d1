"""Things actions happen at, things held in a hand, and things that stand in the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phar.synth.canvas import Canvas, Rgb, View, random_colour, shade
from phar.synth.figure import HANDS, Look, joints
from phar.synth.motion import MOTIONS, SIDES, Array, Style

#: Depth of a painted or wiped surface and of a door in front of the body's middle, body heights.
_SURFACE_Z = 0.10
#: How far back a paint trail or a clean streak reaches, and how finely it is drawn.
_TRAIL_S, _TRAIL_HZ = 9.0, 5.5


@dataclass(frozen=True)
class Place:
    """An object beside an actor, fixed to the ground where the actor stands."""

    kind: str
    """wall, window, door or microphone."""
    side: int
    colours: tuple[Rgb, Rgb, Rgb]
    style: int

    @classmethod
    def draw(cls, kind: str, side: int, rng: np.random.Generator) -> Place:
        """Draw a place's colours; the same draw serves every kind."""
        colours = (random_colour(rng), random_colour(rng), random_colour(rng))
        return cls(kind, side, colours, int(rng.integers(4)))


#: Kinds of places.
PLACES = ("wall", "window", "door", "microphone")
#: What each covers beside its actor, body heights: x, y and how far in front of the body's middle.
_EXTENTS = {
    "wall": ((0.02, 0.62), (0.46, 1.22), _SURFACE_Z),
    "window": ((0.02, 0.62), (0.46, 1.22), _SURFACE_Z),
    "door": ((0.20, 0.70), (0.0, 1.22), _SURFACE_Z),
    "microphone": ((-0.03, 0.12), (0.0, 0.87), 0.3),
}


def place_box(place: Place, view: View) -> Array:
    """(4,) x1, y1, x2, y2 in pixels of what a place covers, in the picture or not."""
    x, y, z = _EXTENTS[place.kind]
    corners = _quad(view, float(SIDES[place.side]), x, y, z)
    return np.concatenate([corners.min(0), corners.max(0)])


def _quad(view: View, side: float, x: tuple[float, float], y: tuple[float, float], z: float) -> Array:
    corners = [(side * x[0], y[0], z), (side * x[1], y[0], z), (side * x[1], y[1], z), (side * x[0], y[1], z)]
    px: Array = view.project(np.array(corners))[0]
    return px


def _line(
    canvas: Canvas, view: View, points: list[tuple[float, float, float]], radius: float, colour: Rgb
) -> None:
    px, _, scale = view.project(np.array(points))
    canvas.tube(px[0], px[1], radius * float(scale[0]), colour)


def draw_place_behind(canvas: Canvas, place: Place, view: View) -> None:
    """Draw the part of a place that is behind its actor."""
    side = float(SIDES[place.side])
    first, second, third = place.colours
    if place.kind == "wall":
        pale = shade(_towards(first, 215, 0.7), 1.0)
        canvas.polygon(_quad(view, side, (0.02, 0.62), (0.46, 1.22), _SURFACE_Z), shade(pale, 0.75))
        canvas.polygon(_quad(view, side, (0.035, 0.605), (0.475, 1.205), _SURFACE_Z), pale)
        _line(canvas, view, [(side * 0.5, 0.05, 0.2), (side * 0.5, 0.12, 0.2)], 0.05, shade(third, 0.8))
        _line(canvas, view, [(side * 0.47, 0.14, 0.2), (side * 0.53, 0.14, 0.2)], 0.02, second)
    elif place.kind == "window":
        frame = _towards(second, 235, 0.6)
        canvas.polygon(_quad(view, side, (0.02, 0.62), (0.46, 1.22), _SURFACE_Z), shade(frame, 0.9))
        for x in ((0.05, 0.31), (0.33, 0.59)):
            for y, gain in (((0.49, 0.83), 0.86), ((0.85, 1.19), 1.04)):
                canvas.polygon(_quad(view, side, x, y, _SURFACE_Z), shade((150, 192, 222), gain))
        canvas.polygon(_glint(view, side), (214, 232, 242))
    elif place.kind == "door":
        leaf = _towards(first, 90, 0.35)
        canvas.polygon(_quad(view, side, (0.20, 0.70), (0.0, 1.22), _SURFACE_Z), shade(second, 0.7))
        canvas.polygon(_quad(view, side, (0.24, 0.66), (0.0, 1.18), _SURFACE_Z), leaf)
        for y in ((0.1, 0.5), (0.62, 1.1)):
            canvas.polygon(_quad(view, side, (0.41, 0.61), y, _SURFACE_Z), shade(leaf, 0.8))
        _line(canvas, view, [(side * 0.28, 0.55, _SURFACE_Z), (side * 0.32, 0.55, _SURFACE_Z)], 0.014, third)
        _line(
            canvas,
            view,
            [(side * 0.30, 0.98, _SURFACE_Z), (side * 0.30, 1.0, _SURFACE_Z)],
            0.015,
            (240, 225, 120),
        )
    elif place.kind == "microphone" and np.cos(view.yaw) < 0:
        _microphone(canvas, place, view)


def _glint(view: View, side: float) -> Array:
    corners = [(0.36, 0.9), (0.42, 0.9), (0.56, 1.14), (0.50, 1.14)]
    px: Array = view.project(np.array([(side * x, y, _SURFACE_Z) for x, y in corners]))[0]
    return px


def _towards(colour: Rgb, level: int, share: float) -> Rgb:
    r, g, b = (int(c * (1 - share) + level * share) for c in colour)
    return (r, g, b)


def _microphone(canvas: Canvas, place: Place, view: View) -> None:
    dark = shade(place.colours[0], 0.4)
    _line(canvas, view, [(0.07, 0.0, 0.32), (0.07, 0.80, 0.32)], 0.008, dark)
    _line(canvas, view, [(-0.03, 0.01, 0.32), (0.17, 0.01, 0.32)], 0.012, dark)
    _line(canvas, view, [(0.07, 0.80, 0.32), (0.03, 0.845, 0.24)], 0.013, (52, 52, 56))
    _line(canvas, view, [(0.03, 0.845, 0.24), (0.025, 0.85, 0.23)], 0.024, (150, 150, 156))


def draw_place_front(canvas: Canvas, place: Place, view: View) -> None:
    """Draw the part of a place that is in front of its actor."""
    if place.kind == "microphone" and np.cos(view.yaw) >= 0:
        _microphone(canvas, place, view)


def draw_trail(
    canvas: Canvas, place: Place, view: View, look: Look, style: Style, tempo_hz: float, t: float
) -> None:
    """Draw what the hand has painted or wiped up to `t` seconds into the action."""
    if place.kind not in ("wall", "window"):
        return
    times = np.arange(max(0.0, t - _TRAIL_S), t, 1 / _TRAIL_HZ)
    if len(times) < 2:
        return
    body = joints(MOTIONS["sweep"](times, tempo_hz, 0.0, style), look)
    hand = body[:, HANDS[style.side]].copy()
    hand[:, 2] = _SURFACE_Z
    px, _, scale = view.project(hand)
    colour = place.colours[1] if place.kind == "wall" else (196, 222, 238)
    radius = 0.035 if place.kind == "wall" else 0.02
    canvas.tubes(px, radius * scale, colour)


def draw_tool(canvas: Canvas, place: Place, view: View, body: Array) -> None:
    """Draw the roller or the cloth in the acting hand."""
    hand = body[HANDS[place.side]]
    px, _, scale = view.project(hand)
    size = float(scale)
    if place.kind == "wall":
        top = px + np.array([0.0, -0.075]) * size
        half, up = np.array([0.05, 0.0]) * size, np.array([0.0, -0.006]) * size
        canvas.tube(px, top, 0.008 * size, (70, 70, 74))
        canvas.tube(top - half, top + half, 0.022 * size, shade(place.colours[1], 0.8))
        canvas.tube(top - half + up, top + half + up, 0.012 * size, place.colours[1])
    elif place.kind == "window":
        cloth = _towards(place.colours[2], 240, 0.4)
        canvas.polygon(
            px + np.array([(-0.05, -0.03), (0.04, -0.04), (0.05, 0.03), (0.0, 0.05), (-0.04, 0.035)]) * size,
            shade(cloth, 0.8),
        )
        canvas.polygon(
            px + np.array([(-0.035, -0.02), (0.03, -0.03), (0.03, 0.02), (-0.02, 0.03)]) * size, cloth
        )


@dataclass(frozen=True)
class Occluder:
    """Something between the camera and the people, in shares of the picture."""

    kind: int
    """0 pole, 1 table in front of the legs, 2 something passing by."""
    x: float
    width: float
    height: float
    speed: float
    period_s: float
    colour: Rgb

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Occluder:
        """Draw an occluder."""
        return cls(
            kind=int(rng.integers(3)),
            x=float(rng.uniform(0.05, 0.95)),
            width=float(rng.uniform(0.02, 0.05)),
            height=float(rng.uniform(0.06, 0.17)),
            speed=float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.8)),
            period_s=float(rng.uniform(3.0, 6.0)),
            colour=random_colour(rng, 0.7),
        )

    def shapes(
        self, t: float, width_px: float, height_px: float, ground_px: float, tall_px: float
    ) -> list[tuple[Array, Rgb]]:
        """Polygons in source pixels with their colours, back to front, at `t` seconds into the shot."""
        if self.kind == 0:
            return _slab(
                self.x - self.width, self.x + self.width, -0.1, 1.1, width_px, height_px, self.colour
            )
        if self.kind == 1:
            top = (ground_px - self.height * tall_px) / height_px
            return _slab(self.x - 0.25, self.x + 0.25, top, 1.2, width_px, height_px, self.colour)
        along = np.mod(self.x + t / self.period_s, 1.0) * self.period_s * abs(self.speed) - 0.3
        at = along if self.speed > 0 else 1 - along
        wide = self.width * 3
        return _slab(at - wide, at + wide, 0.55, 1.2, width_px, height_px, self.colour)


def _slab(
    x0: float, x1: float, y0: float, y1: float, width_px: float, height_px: float, colour: Rgb
) -> list[tuple[Array, Rgb]]:
    def box(a: float, b: float, c: float, d: float) -> Array:
        return np.array([(a, c), (b, c), (b, d), (a, d)]) * [width_px, height_px]

    third = (x1 - x0) / 3
    return [
        (box(x0, x1, y0, y1), shade(colour, 0.65)),
        (box(x0 + 0.1 * third, x1 - third, y0 + 0.01, y1), colour),
        (box(x0 + 0.4 * third, x0 + third, y0 + 0.01, y1), shade(colour, 1.12)),
    ]
