"""People on a canvas: their pixels, or the number of the body part that each pixel shows."""

from __future__ import annotations

from math import cos, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from phar.synth.canvas import CIRCLE, Canvas, Rgb, View, shade
from phar.synth.figure import BELLY, CHEST, HEAD, HEAD_RADIUS, HEAD_STRETCH, NECK, Look
from phar.synth.motion import Array

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
    circles = radii[..., None, None] * CIRCLE
    rim = canvas.fixed(ends + circles).reshape(len(_TUBES), -1, 2)
    torso_rim = canvas.fixed(torso[:, None] + torso_radii * CIRCLE).reshape(-1, 2)
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
    canvas.fill(canvas.fixed(centres[:, None] + 0.88 * radii * CIRCLE).reshape(-1, 2), look.shirt)
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
    light = centres[4:, None] + radii[4:] * (0.35 * CIRCLE + np.array([-0.25, -0.2]))
    canvas.fill(canvas.fixed(light).reshape(-1, 2), shade(look.shirt, 1.12))


def _head_outline(centre: Array, scale: float, grow: float = 1.0) -> Array:
    outline: Array = centre + CIRCLE * np.array([1, HEAD_STRETCH]) * (HEAD_RADIUS * grow * scale)
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
        flat[:, 0], flat[:, 1] = right / length, -rim[:, 1] * HEAD_STRETCH / length
        canvas.fill(canvas.fixed(at[0] + flat * radius * 0.97), look.skin)
    for index in (3, 4):
        if near_by[index] > 0.12:
            canvas.disc(at[index], 0.17 * radius, (236, 236, 232))
            canvas.disc(at[index], 0.10 * radius, (40, 30, 26))
    if near_by[5] > -0.1:
        canvas.disc(at[5], 0.15 * radius, shade(look.skin, 0.74))
    if near_by[6] > 0.1:
        shape = CIRCLE * np.array([0.28, 0.07 + 0.16 * mouth]) * radius
        canvas.polygon(at[6] + shape, (120, 44, 44))
