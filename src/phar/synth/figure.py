"""People: proportions and clothes, joints in space, and the pixels they cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, sin, sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.synth.motion import SIDES, Array, Limbs

#: Joints after the 17 of COCO: neck, head centre, hand tips, toes, then chest and belly.
NECK, HEAD, HANDS, TOES, CHEST, BELLY = 17, 18, [19, 20], [21, 22], 23, 24
NUM_JOINTS = 25
#: Fractional bits of the coordinates handed to OpenCV.
SHIFT = 4
Rgb = tuple[int, int, int]

# Part number, joints, radii in body heights. Part numbers go into the identity buffer.
_TUBES = (
    ("thigh", 11, 13, 0.056, 0.042),
    ("thigh", 12, 14, 0.056, 0.042),
    ("shin", 13, 15, 0.042, 0.027),
    ("shin", 14, 16, 0.042, 0.027),
    ("shoe", 15, 21, 0.028, 0.022),
    ("shoe", 16, 22, 0.028, 0.022),
    ("upper_arm", 5, 7, 0.038, 0.031),
    ("upper_arm", 6, 8, 0.038, 0.031),
    ("forearm", 7, 9, 0.030, 0.022),
    ("forearm", 8, 10, 0.030, 0.022),
    ("hand", 9, 19, 0.021, 0.020),
    ("hand", 10, 20, 0.021, 0.020),
    ("neck", 17, 18, 0.030, 0.028),
)
TORSO_PART, HEAD_PART = len(_TUBES), len(_TUBES) + 1
#: For each COCO joint, the parts whose pixels show it.
PARTS_OF_JOINT: tuple[tuple[int, ...], ...] = (
    *((HEAD_PART,),) * 5,
    (6, TORSO_PART, 12, HEAD_PART),
    (7, TORSO_PART, 12, HEAD_PART),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 11),
    (0, TORSO_PART),
    (1, TORSO_PART),
    (0, 2),
    (1, 3),
    (2, 4),
    (3, 5),
)
_ENDS = np.array([tube[1:3] for tube in _TUBES])
_RADII = np.array([tube[3:] for tube in _TUBES])
_TORSO_JOINTS = np.array([5, 6, 11, 12, CHEST, BELLY])
_TORSO_RADII = np.array([0.036, 0.036, 0.052, 0.052, 0.072, 0.066])
# Nearer parts are drawn later; these shifts settle ties between parts at one depth.
_TUBE_BIAS = np.array([-0.03, -0.03, -0.03, -0.03, -0.02, -0.02, 0.03, 0.03, 0.04, 0.04, 0.05, 0.05, -0.01])
_CIRCLE = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], -1)
HEAD_RADIUS = 0.066
_HEAD_STRETCH = 1.16
# Nose, eyes and ears from the head's centre: left, up, front.
_FACE_POINTS = np.array(
    [[0, -0.08, 1.02], [0.38, 0.17, 0.86], [-0.38, 0.17, 0.86], [0.97, 0.0, -0.04], [-0.97, 0.0, -0.04]]
) * (HEAD_RADIUS * np.array([1, _HEAD_STRETCH, 1]))


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


def random_colour(rng: np.random.Generator, value: float = 1.0) -> Rgb:
    """A random clothing or paint colour, RGB, brightness scaled by `value`."""
    hue, sat, val = rng.uniform(), rng.uniform(0.05, 0.85), rng.uniform(0.25, 0.95) * value
    chroma = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    rgb = 255 * val * (1 - sat + sat * chroma)
    return (int(rgb[0]), int(rgb[1]), int(rgb[2]))


def shade(colour: Rgb, gain: float) -> Rgb:
    """A colour made darker or lighter."""
    return (min(255, int(colour[0] * gain)), min(255, int(colour[1] * gain)), min(255, int(colour[2] * gain)))


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


Pixels = NDArray[np.uint8]


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
        return np.rint(np.asarray(points) * self.scale + self.origin).astype(np.int32)

    def fill(self, fixed: NDArray[np.int32], colour: Any) -> None:
        """Fill the convex hull of fixed-point points."""
        cv2.fillConvexPoly(self.image, cv2.convexHull(fixed), colour, self.line, SHIFT)

    def polygon(self, points: Any, colour: Any) -> None:
        """Fill a convex polygon of (n, 2) source pixels."""
        cv2.fillConvexPoly(self.image, self.fixed(points), colour, self.line, SHIFT)

    def disc(self, centre: Any, radius: float, colour: Any) -> None:
        """Fill a circle."""
        self.polygon(np.asarray(centre) + radius * _CIRCLE, colour)

    def tube(self, a: Any, b: Any, radius: float, colour: Any) -> None:
        """Fill a capsule from a to b."""
        self.fill(
            self.fixed(np.concatenate([np.asarray(a) + radius * _CIRCLE, np.asarray(b) + radius * _CIRCLE])),
            colour,
        )

    def tubes(self, points: Array, radii: Array, colour: Any) -> None:
        """Fill the chain of capsules through (n, 2) points."""
        fixed = self.fixed(points[:, None] + radii[:, None, None] * _CIRCLE)
        for i in range(len(points) - 1):
            self.fill(fixed[i : i + 2].reshape(-1, 2), colour)


def draw_person(
    canvas: Canvas, body: Array, look: Look, view: View, mouth: float, number: int | None = None
) -> None:
    """Draw one person's (25, 3) joints; with `number`, part identities 1 + number * 16 + part instead."""
    px, depth, scale = view.project(body)
    radii = _RADII * scale[_ENDS]
    radii[:10] *= look.build
    ends = px[_ENDS][:, :, None]
    order = list(depth[_ENDS].mean(1) + _TUBE_BIAS)
    order += [float(depth[5] + depth[6] + depth[11] + depth[12]) / 4, float(depth[HEAD]) + 0.02]
    parts = sorted(range(len(order)), key=order.__getitem__)
    torso = px[_TORSO_JOINTS]
    torso_radii = (_TORSO_RADII * look.build * scale[_TORSO_JOINTS])[:, None, None]
    circles = radii[..., None, None] * _CIRCLE
    rim = canvas.fixed(ends + circles).reshape(len(_TUBES), -1, 2)
    torso_rim = canvas.fixed(torso[:, None] + torso_radii * _CIRCLE).reshape(-1, 2)
    if number is not None:
        for part in parts:
            identity = 1 + number * 16 + part
            if part == TORSO_PART:
                canvas.fill(torso_rim, identity)
            elif part == HEAD_PART:
                canvas.polygon(_head_outline(px[HEAD], float(scale[HEAD])), identity)
            else:
                canvas.fill(rim[part], identity)
        return
    # Three layers give a limb volume: dark rim, body, light towards the upper left.
    core = canvas.fixed(ends + 0.84 * circles).reshape(len(_TUBES), -1, 2)
    lit = ends + 0.42 * circles + radii[..., None, None] * np.array([-0.25, -0.22])
    lit_fixed = canvas.fixed(lit).reshape(len(_TUBES), -1, 2)
    colours = _tube_colours(look)
    if look.hair_style == 1 and view_faces(view) > 0:
        _long_hair(canvas, px, scale, look)
    for part in parts:
        if part == TORSO_PART:
            _draw_torso(canvas, torso, torso_radii, torso_rim, look)
        elif part == HEAD_PART:
            _draw_head(canvas, body, view, look, mouth)
        else:
            colour = colours[part]
            canvas.fill(rim[part], shade(colour, 0.66))
            canvas.fill(core[part], colour)
            canvas.fill(lit_fixed[part], shade(colour, 1.14))
    if look.hair_style == 1 and view_faces(view) <= 0:
        _long_hair(canvas, px, scale, look)


def view_faces(view: View) -> float:
    """Cosine of the angle between the body's front and the camera."""
    return float(np.cos(view.yaw))


def _tube_colours(look: Look) -> list[Rgb]:
    table = {
        "thigh": look.trousers,
        "shin": look.skin if look.shorts else look.trousers,
        "shoe": look.shoes,
        "upper_arm": look.skin if look.sleeves == 2 else look.shirt,
        "forearm": look.shirt if look.sleeves == 0 else look.skin,
        "hand": look.skin,
        "neck": shade(look.skin, 0.9),
    }
    return [table[tube[0]] for tube in _TUBES]


def _draw_torso(canvas: Canvas, centres: Array, radii: Array, rim: NDArray[np.int32], look: Look) -> None:
    canvas.fill(rim, shade(look.shirt, 0.66))
    canvas.fill(canvas.fixed(centres[:, None] + 0.88 * radii * _CIRCLE).reshape(-1, 2), look.shirt)
    radius = float(radii[0, 0, 0])
    left, right, left_hip, right_hip = centres[:4]
    if look.pattern == 1:
        for share in (0.15, 0.4, 0.65, 0.9):
            a, b = left + (left_hip - left) * share, right + (right_hip - right) * share
            canvas.tube(a, b, radius * 0.28, look.second)
    elif look.pattern == 2:
        low, high = 0.55, 0.1
        corners = [left + (left_hip - left) * high, right + (right_hip - right) * high]
        corners += [right + (right_hip - right) * low, left + (left_hip - left) * low]
        middle = np.mean(corners, axis=0)
        canvas.polygon(middle + 0.6 * (np.array(corners) - middle), look.second)
    elif look.pattern == 3:
        canvas.tube((left + right) / 2, (left_hip + right_hip) / 2, radius * 0.35, look.second)
    light = centres[4:, None] + radii[4:] * (0.35 * _CIRCLE + np.array([-0.25, -0.2]))
    canvas.fill(canvas.fixed(light).reshape(-1, 2), shade(look.shirt, 1.12))


def _head_outline(centre: Array, scale: float, grow: float = 1.0) -> Array:
    outline: Array = centre + _CIRCLE * np.array([1, _HEAD_STRETCH]) * (HEAD_RADIUS * grow * scale)
    return outline


def _long_hair(canvas: Canvas, px: Array, scale: Array, look: Look) -> None:
    radius = HEAD_RADIUS * float(scale[HEAD])
    canvas.tube(
        px[HEAD] + [0, -0.1 * radius], px[NECK] + [0, 0.6 * radius], 1.05 * radius, shade(look.hair, 0.8)
    )


# The rim of the face patch about its middle: share along the middle, left, up.
_RIM_ANGLES = np.arange(20) * (2 * np.pi / 20)
_RIM = np.stack([np.full(20, 0.42), 0.86 * np.cos(_RIM_ANGLES), 0.80 * np.sin(_RIM_ANGLES)], -1)


def _draw_head(canvas: Canvas, body: Array, view: View, look: Look, mouth: float) -> None:
    """A ball of hair with a face patch on its front, so that back and front can be told."""
    left = body[1] - body[2]
    left = left / sqrt(left @ left)
    front = body[0] - body[HEAD]
    front = front - (front @ left) * left
    front = front / sqrt(front @ front)
    up = np.array(
        [
            front[1] * left[2] - front[2] * left[1],
            front[2] * left[0] - front[0] * left[2],
            front[0] * left[1] - front[1] * left[0],
        ]
    )
    lips = front * 0.86 - up * 0.52
    ear = left * 0.97
    spots = body[[HEAD, HEAD, HEAD, 1, 2, 0, HEAD]]
    spots[1:3] += np.array([ear, -ear]) * HEAD_RADIUS
    spots[6] += lips * HEAD_RADIUS
    at, depths, scales = view.project(spots)
    near_by = (depths - depths[0]) / HEAD_RADIUS
    scale = float(scales[0])
    radius = HEAD_RADIUS * scale
    hair = look.skin if look.hair_style == 2 else look.hair
    canvas.polygon(_head_outline(at[0], scale, 1.06), shade(hair, 0.7))
    canvas.polygon(_head_outline(at[0], scale, 0.98), hair)
    for index in (1, 2):
        if near_by[index] > -0.4:
            canvas.disc(at[index], 0.2 * radius, shade(look.skin, 0.85))
    # Where the face patch turns away, its rim is pushed onto the head's outline.
    rim = _RIM @ np.array([front * 0.96 - up * 0.28, left, up])
    rim = rim / np.sqrt((rim * rim).sum(-1, keepdims=True))
    cy, sy = cos(view.yaw), sin(view.yaw)
    right, near = rim[:, 0] * cy + rim[:, 2] * sy, rim[:, 2] * cy - rim[:, 0] * sy
    if near.max() > 0.05:
        length = np.where(near < 0, np.maximum(np.sqrt(right**2 + rim[:, 1] ** 2), 1e-6), 1.0)
        flat = np.empty((len(rim), 2))
        flat[:, 0], flat[:, 1] = right / length, -rim[:, 1] * _HEAD_STRETCH / length
        canvas.fill(canvas.fixed(at[0] + flat * radius * 0.97), look.skin)
    for index in (3, 4):
        if near_by[index] > 0.12:
            canvas.disc(at[index], 0.17 * radius, (236, 236, 232))
            canvas.disc(at[index], 0.10 * radius, (40, 30, 26))
    if near_by[5] > -0.1:
        canvas.disc(at[5], 0.15 * radius, shade(look.skin, 0.74))
    if near_by[6] > 0.1:
        shape = _CIRCLE * np.array([0.28, 0.07 + 0.16 * mouth]) * radius
        canvas.polygon(at[6] + shape, (120, 44, 44))
