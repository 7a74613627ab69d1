"""How bodies move: one function per motion family, each a closed form of time.

A family never knows a label. The labels of a pair share family and style and
differ only in the tempo or the phase that the world's table gives them.

Axes of a body: x to its left, y up, z to its front. Arms are given in lengths of
the whole arm from the shoulder, everything else in body heights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TAU = 2 * np.pi
#: +1 for the left limb, -1 for the right one, in the order of every (.., 2, ..) array here.
SIDES = np.array([1.0, -1.0])


@dataclass(frozen=True)
class Style:
    """How one actor moves, drawn once and the same for every label of a family."""

    tempo: float
    """Position in the action's tempo range, 0 to 1."""
    phase: float
    """Phase at time 0, cycles."""
    amplitude: float
    drift_cycles: float
    drift_hz: float
    amplitude_drift: float
    offset_jitter: float
    side: int
    """0: the left arm acts, 1: the right one."""
    both_arms: bool
    tap_period_s: float
    tap_count: int
    knee_lift: float
    walk_speed: float
    walk_tempo: float
    sway: tuple[float, float, float]
    """Three phases of slow sway, cycles."""

    @classmethod
    def draw(cls, rng: np.random.Generator, spec: Mapping[str, Any]) -> Style:
        """Draw a style from the `motion` ranges of a world."""
        return cls(
            tempo=float(rng.uniform()),
            phase=float(rng.uniform()),
            amplitude=float(rng.uniform(*spec["amplitude"])),
            drift_cycles=float(rng.uniform(*spec["tempo_drift_cycles"])),
            drift_hz=float(rng.uniform(*spec["tempo_drift_hz"])),
            amplitude_drift=float(rng.uniform(*spec["amplitude_drift"])),
            offset_jitter=float(rng.uniform(*spec["offset_jitter_cycles"])),
            side=int(rng.integers(2)),
            both_arms=bool(rng.uniform() < spec["arc_both_arms_share"]),
            tap_period_s=float(rng.uniform(*spec["tap_period_s"])),
            tap_count=int(rng.integers(spec["tap_count"][0], spec["tap_count"][1] + 1)),
            knee_lift=float(rng.uniform(*spec["knee_lift"])),
            walk_speed=float(rng.uniform(*spec["walk_speed"])),
            walk_tempo=float(rng.uniform(*spec["walk_tempo_hz"])),
            sway=tuple(float(v) for v in rng.uniform(size=3)),  # type: ignore[arg-type]
        )


@dataclass
class Limbs:
    """A body's posture at T instants, before it is put on anyone's proportions."""

    wrists: Array
    """(T, 2, 3) from the shoulder, arm lengths, torso axes."""
    elbows: Array
    """(T, 2, 3) direction the elbows point to."""
    feet: Array
    """(T, 2, 3) offset of the ankles from standing, body heights."""
    root: Array
    """(T, 3) offset of the pelvis, body heights."""
    lean: Array
    """(T, 3) radians: pitch forward, twist to the left, roll to the left."""
    head: Array
    """(T, 2) radians: turn to the left, nod down."""
    mouth: Array
    """(T,) opening, 0 to 1."""


def cycles(t: Array, tempo_hz: float, style: Style) -> Array:
    """Phase in cycles at times `t`, with the actor's slow tempo drift."""
    drift: Array = style.drift_cycles * np.sin(TAU * (style.drift_hz * t + style.phase))
    return style.phase + tempo_hz * t + drift


def _amplitude(t: Array, style: Style) -> Array:
    drift: Array = style.amplitude_drift * np.sin(TAU * (0.11 * t + style.sway[0]))
    return style.amplitude * (1 + drift)


def rest(t: Array, style: Style, still: float = 1.0) -> Limbs:
    """Standing at ease: arms hang, weight shifts a little, the head looks about."""
    a, b, c = style.sway
    num = len(t)
    slow = np.sin(TAU * (0.17 * t + a)) * still
    slower = np.sin(TAU * (0.09 * t + b)) * still
    breath = np.sin(TAU * (0.3 * t + c))
    wrists = np.empty((num, 2, 3))
    wrists[..., 0] = SIDES * (0.16 + 0.02 * breath[:, None])
    wrists[..., 1] = -0.93 + 0.01 * breath[:, None]
    wrists[..., 2] = 0.10 + 0.03 * slow[:, None] * SIDES
    elbows = np.broadcast_to(np.stack([0.5 * SIDES, [0.0, 0.0], [-1.0, -1.0]], -1), (num, 2, 3)).copy()
    root = np.stack([0.012 * slow, 0.002 * breath, 0.006 * slower], -1)
    lean = np.stack([0.02 * slower, 0.04 * slow, 0.025 * slow], -1)
    head = np.stack([0.25 * slower, 0.05 * slow], -1)
    mouth = np.clip(0.15 * breath, 0, 1)
    return Limbs(wrists, elbows, np.zeros((num, 2, 3)), root, lean, head, mouth)


def _two(phase: Array, offset: float) -> Array:
    return np.stack([phase, phase + offset], -1)


def knees(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """Knees lifted in turn on the spot, bent arms swinging against them."""
    limbs = rest(t, style, 0.5)
    amplitude = _amplitude(t, style)
    phase = TAU * _two(cycles(t, tempo_hz, style), offset)
    lift = np.clip(np.sin(phase), 0, None) ** 1.2
    limbs.feet[..., 1] = style.knee_lift * amplitude[:, None] * lift
    limbs.feet[..., 2] = -0.03 * lift
    swing = np.sin(phase + np.pi) * amplitude[:, None]
    limbs.wrists[..., 0] = SIDES * (0.05 - 0.08 * swing)
    limbs.wrists[..., 1] = -0.46 + 0.16 * swing
    limbs.wrists[..., 2] = 0.34 + 0.34 * swing
    limbs.elbows[...] = np.stack([0.5 * SIDES, [-0.6, -0.6], [-1.0, -1.0]], -1)
    limbs.root[:, 1] += 0.012 * np.abs(np.sin(phase[:, 0])) - 0.006
    limbs.lean[:, 1] += 0.06 * np.sin(phase[:, 0])
    return limbs


def arc(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """One arm or both above the head, swung from side to side."""
    limbs = rest(t, style, 0.5)
    amplitude = _amplitude(t, style)
    swing = np.sin(TAU * _two(cycles(t, tempo_hz, style), offset))
    # Both arms swing the same way on the picture, so the sign is not mirrored.
    angle = 0.35 * SIDES + 0.62 * amplitude[:, None] * swing
    raised = np.stack([np.sin(angle) * 0.93, np.cos(angle) * 0.93, np.full_like(angle, 0.18)], -1)
    acts = [True, True] if style.both_arms else [style.side == 0, style.side == 1]
    for side, active in enumerate(acts):
        if active:
            limbs.wrists[:, side] = raised[:, side]
            limbs.elbows[:, side] = (SIDES[side], 0.0, -0.2)
    limbs.lean[:, 2] -= 0.10 * amplitude * swing[:, style.side]
    return limbs


def push(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """Both arms reach out to the front and come back to the ribs."""
    limbs = rest(t, style, 0.5)
    amplitude = np.minimum(_amplitude(t, style), 1.1)
    offset = offset + style.offset_jitter
    reach = 0.5 + 0.5 * np.sin(TAU * _two(cycles(t, tempo_hz, style), offset)) * amplitude[:, None]
    limbs.wrists[..., 0] = SIDES * (0.22 - 0.32 * reach)
    limbs.wrists[..., 1] = -0.38 + 0.44 * reach
    limbs.wrists[..., 2] = 0.22 + 0.66 * reach
    limbs.elbows[...] = np.stack([1.2 * SIDES, [-0.6, -0.6], [-0.7, -0.7]], -1)
    limbs.lean[:, 0] += 0.08 + 0.10 * (reach.sum(-1) - 1)
    limbs.lean[:, 1] += 0.14 * (reach[:, 1] - reach[:, 0])
    return limbs


def sweep(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """One hand sweeps up and down over a surface at the actor's side."""
    limbs = rest(t, style, 0.5)
    amplitude = np.minimum(_amplitude(t, style), 1.1)
    phase = cycles(t, tempo_hz, style)
    along = np.sin(TAU * (0.06 * t + style.sway[1]))
    side = style.side
    limbs.wrists[:, side, 0] = SIDES[side] * (0.55 + 0.24 * along + 0.05 * np.cos(TAU * phase))
    limbs.wrists[:, side, 1] = 0.22 + 0.52 * amplitude * np.sin(TAU * phase)
    limbs.wrists[:, side, 2] = 0.30
    limbs.elbows[:, side] = (0.5 * SIDES[side], -1.0, -0.3)
    limbs.lean[:, 2] -= SIDES[side] * 0.05
    limbs.head[:, 0] = SIDES[side] * 0.35
    return limbs


def tap_times(start_s: float, end_s: float, tempo_hz: float, style: Style) -> list[list[float]]:
    """Moments in [start_s, end_s) at which the hand touches the door, burst by burst."""
    first = int(np.floor(start_s / style.tap_period_s + style.phase)) - 1
    last = int(np.ceil(end_s / style.tap_period_s + style.phase)) + 1
    bursts = []
    for number in range(first, last):
        begin = (number - style.phase) * style.tap_period_s
        taps = [begin + (k + 0.5) / tempo_hz for k in range(style.tap_count)]
        taps = [tap for tap in taps if start_s <= tap < end_s]
        if taps:
            bursts.append(taps)
    return bursts


def tap(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """One hand at a door, tapping in bursts."""
    limbs = rest(t, style, 0.5)
    into = np.mod(t / style.tap_period_s + style.phase, 1.0) * style.tap_period_s * tempo_hz
    touch = np.where(into < style.tap_count, np.sin(np.pi * np.mod(into, 1.0)) ** 2, 0.0)
    side, sign = style.side, SIDES[style.side]
    touch = touch * np.minimum(style.amplitude, 1.1)
    limbs.wrists[:, side, 0] = sign * (0.42 + 0.26 * touch)
    limbs.wrists[:, side, 1] = 0.16 + 0.02 * touch
    limbs.wrists[:, side, 2] = 0.34 + 0.10 * touch
    limbs.elbows[:, side] = (0.6 * sign, -1.0, -0.2)
    limbs.head[:, 0] = sign * 0.35
    return limbs


def gesture(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """Swaying upright with bent arms and small gestures, mouth moving."""
    limbs = rest(t, style, 1.2)
    amplitude = _amplitude(t, style)
    phase = TAU * _two(cycles(t, tempo_hz, style), offset)
    swing = np.sin(phase) * amplitude[:, None]
    limbs.wrists[..., 0] = SIDES * (0.20 + 0.14 * swing)
    limbs.wrists[..., 1] = -0.36 + 0.16 * swing
    limbs.wrists[..., 2] = 0.46 + 0.08 * np.cos(phase)
    limbs.elbows[...] = np.stack([0.8 * SIDES, [-0.8, -0.8], [-0.7, -0.7]], -1)
    limbs.lean[:, 2] += 0.05 * np.sin(phase[:, 0] / 2)
    limbs.mouth = np.clip(0.5 + 0.5 * np.sin(TAU * (2.7 * t + style.sway[2])), 0, 1)
    return limbs


def shift(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """Idle, moving the weight from foot to foot and the arms now and then."""
    limbs = rest(t, style, 2.2)
    slow = 0.5 + 0.5 * np.sin(TAU * (0.13 * t + style.sway[2]))
    side, sign = style.side, SIDES[style.side]
    # One hand drifts towards the hip and back.
    limbs.wrists[:, side, 0] += sign * 0.10 * slow
    limbs.wrists[:, side, 1] += 0.35 * slow
    limbs.elbows[:, side] = (sign, 0.0, -0.6)
    limbs.feet[..., 1] = 0.02 * np.clip(np.sin(TAU * (0.2 * t + style.phase))[:, None] * SIDES, 0, None)
    return limbs


def walk(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """Walking slowly; the pelvis advances along the body's own front."""
    limbs = rest(t, style, 0.5)
    phase = TAU * _two(style.phase + style.walk_tempo * t, 0.5)
    step = 0.10
    limbs.feet[..., 1] = 0.05 * np.clip(np.sin(phase), 0, None)
    limbs.feet[..., 2] = -step * np.cos(phase)
    limbs.wrists[..., 2] = 0.10 + 0.22 * np.cos(phase)
    limbs.root[:, 1] -= 0.012
    limbs.root[:, 1] += 0.006 * np.cos(2 * phase[:, 0])
    return limbs


def idle(t: Array, tempo_hz: float, offset: float, style: Style) -> Limbs:
    """Standing at ease."""
    return rest(t, style)


MOTIONS: Mapping[str, Callable[[Array, float, float, Style], Limbs]] = {
    "knees": knees,
    "arc": arc,
    "push": push,
    "sweep": sweep,
    "tap": tap,
    "gesture": gesture,
    "idle": idle,
    "shift": shift,
    "walk": walk,
}
