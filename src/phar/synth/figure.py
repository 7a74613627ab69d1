"""People: proportions, clothes, and their joints in space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from phar.synth.canvas import Rgb, random_colour
from phar.synth.motion import SIDES, Array, Limbs

#: Joints after the 17 of COCO: neck, head centre, hand tips, toes, then chest and belly.
NECK, HEAD, HANDS, TOES, CHEST, BELLY = 17, 18, [19, 20], [21, 22], 23, 24
NUM_JOINTS = 25
#: Radius of a head, body heights, and how much taller than wide it is.
HEAD_RADIUS = 0.066
HEAD_STRETCH = 1.16
# Nose, eyes and ears from the head's centre: left, up, front.
_FACE_POINTS = np.array(
    [[0, -0.08, 1.02], [0.38, 0.17, 0.86], [-0.38, 0.17, 0.86], [0.97, 0.0, -0.04], [-0.97, 0.0, -0.04]]
) * (HEAD_RADIUS * np.array([1, HEAD_STRETCH, 1]))


@dataclass(frozen=True)
class Look:
    """One person's proportions and clothes."""

    build: float
    shoulders: float
    hips: float
    legs: float
    arms: float
    skin: Rgb
    hair: Rgb
    shirt: Rgb
    trousers: Rgb
    shoes: Rgb
    second: Rgb
    sleeves: int
    """0 long, 1 short, 2 none."""
    shorts: bool
    hair_style: int
    """0 short, 1 long, 2 bald."""
    pattern: int
    """0 plain, 1 stripes across, 2 panel, 3 stripe down."""

    @classmethod
    def draw(cls, rng: np.random.Generator, spec: Mapping[str, Any]) -> Look:
        """Draw a look from the `people` ranges of a world."""
        tone = rng.uniform()
        skin = _mix((255, 219, 190), (92, 58, 40), tone, rng.normal(0, 6, 3))
        hair_base = [(30, 24, 22), (92, 58, 34), (190, 150, 84), (120, 120, 124), (140, 60, 30)]
        hair = _mix(hair_base[int(rng.integers(5))], (60, 50, 46), 0.25, rng.normal(0, 8, 3))
        return cls(
            build=float(rng.uniform(*spec["build"])),
            shoulders=float(rng.uniform(0.105, 0.13)),
            hips=float(rng.uniform(0.055, 0.072)),
            legs=float(rng.uniform(0.96, 1.04)),
            arms=float(rng.uniform(0.94, 1.06)),
            skin=skin,
            hair=hair,
            shirt=random_colour(rng),
            trousers=random_colour(rng, 0.75),
            shoes=random_colour(rng, 0.6),
            second=random_colour(rng),
            sleeves=int(rng.choice(3, p=spec["sleeves_share"])),
            shorts=bool(rng.uniform() < spec["legs_share"][1]),
            hair_style=int(rng.choice(3, p=spec["hair_share"])),
            pattern=int(rng.choice(4, p=spec["pattern_share"])),
        )


def _mix(a: Any, b: Any, share: float, noise: Any = 0) -> Rgb:
    value = np.clip(np.asarray(a) * (1 - share) + np.asarray(b) * share + noise, 0, 255)
    return (int(value[0]), int(value[1]), int(value[2]))


def _bend(start: Array, target: Array, first: Array, second: Array, pole: Array) -> tuple[Array, Array]:
    """Middle and end joint of two-bone limbs from `start` towards `target`, bent towards `pole`.

    Source: law of cosines on the triangle of the two bones.
    """
    reach = target - start
    dist = np.sqrt((reach * reach).sum(-1, keepdims=True))
    unit = reach / np.maximum(dist, 1e-6)
    dist = np.minimum(np.maximum(dist, abs(first - second) + 1e-4), (first + second) * 0.998)
    along = (first * first - second * second + dist * dist) / (2 * dist)
    height = np.sqrt(np.maximum(first * first - along * along, 0))
    normal = pole - (pole * unit).sum(-1, keepdims=True) * unit
    normal = normal / np.maximum(np.sqrt((normal * normal).sum(-1, keepdims=True)), 1e-6)
    return start + unit * along + normal * height, start + unit * dist


_TOE = np.stack([0.02 * SIDES, [-0.022, -0.022], [0.075, 0.075]], -1)
_KNEE_POLE = np.stack([0.25 * SIDES, [0.0, 0.0], [1.0, 1.0]], -1)
# Neck, chest, belly, head and shoulders from the pelvis; the shoulders' width is filled in.
_TRUNK = np.array(
    [[0, 0.305, 0], [0, 0.215, 0.005], [0, 0.07, 0.01], [0, 0.41, 0.012], [1, 0.285, 0], [-1, 0.285, 0]],
    float,
)


def joints(limbs: Limbs, look: Look) -> Array:
    """Put a posture on a body: (T, 25, 3) joints in body heights, feet on y = 0."""
    num = len(limbs.root)
    out = np.zeros((num, NUM_JOINTS, 3))
    thigh, upper, lower = 0.236 * look.legs, 0.165 * look.arms, 0.150 * look.arms
    pelvis = limbs.root + np.array([0, 0.041 + 2 * thigh, 0])
    back = _rotation(limbs.lean[:, 1], limbs.lean[:, 0], limbs.lean[:, 2]).swapaxes(1, 2)
    trunk = _TRUNK.copy()
    trunk[4:, 0] *= look.shoulders
    trunk = pelvis[:, None] + trunk @ back
    start = np.empty((num, 4, 3))
    start[:, :2], start[:, 2:] = trunk[:, 4:], pelvis[:, None]
    start[:, 2:, 0] += SIDES * look.hips
    target = np.empty((num, 4, 3))
    target[:, :2] = start[:, :2] + (limbs.wrists * (upper + lower)) @ back
    target[:, 2:] = limbs.feet
    target[:, 2:, 0] += SIDES * (look.hips + 0.012)
    target[:, 2:, 1] += 0.045
    pole = np.empty((num, 4, 3))
    pole[:, :2], pole[:, 2:] = limbs.elbows @ back, _KNEE_POLE
    first = np.array([[upper], [upper], [thigh], [thigh]])
    second = np.array([[lower], [lower], [thigh], [thigh]])
    middle, end = _bend(start, target, first, second, pole)
    out[:, [5, 6, 11, 12]], out[:, [7, 8, 13, 14]], out[:, [9, 10, 15, 16]] = start, middle, end
    out[:, HANDS] = end[:, :2] + (end[:, :2] - middle[:, :2]) * (0.05 / lower)
    out[:, TOES] = end[:, 2:] + _TOE
    out[:, [NECK, CHEST, BELLY, HEAD]] = trunk[:, :4]
    turn = _rotation(limbs.head[:, 0], limbs.head[:, 1], np.zeros(num)).swapaxes(1, 2) @ back
    out[:, :5] = out[:, HEAD, None] + _FACE_POINTS @ turn
    return out


def _rotation(twist: Array, pitch: Array, roll: Array) -> Array:
    """(T, 3, 3): roll about z, then pitch about x, then twist about y."""
    cy, sy, cx, sx, cz, sz = (
        np.cos(twist),
        np.sin(twist),
        np.cos(pitch),
        np.sin(pitch),
        np.cos(roll),
        np.sin(roll),
    )
    out = np.empty((len(twist), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = cy * cz + sy * sx * sz, sy * sx * cz - cy * sz, sy * cx
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = cx * sz, cx * cz, -sx
    out[:, 2, 0], out[:, 2, 1], out[:, 2, 2] = cy * sx * sz - sy * cz, sy * sz + cy * sx * cz, cy * cx
    return out
