"""Where a narrower picture is cut out of a wide one, so that it follows the persons without a jerk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from phar.schema import Poses

Floats = NDArray[np.float64]

#: Samples of the path per second.
RATE_HZ = 10

#: A person seen for less than half of this is noise; a movement is spread over about as long.
_MEDIAN_S, _SPREAD_S = 1.0, 0.6

#: The frame moves at most by this part of its own side in a second.
_FASTEST = 0.35

#: Boxes seen this long before and after still count.
_MARGIN_S = 1.0

#: What a way of the frame's own side costs, where looking at the best person for a moment is worth 1.
_WAY_COST = 3.0


@dataclass(frozen=True, eq=False)
class Framing:
    """A frame of fixed size on its way over a larger picture."""

    width_px: int
    height_px: int
    times_s: Floats
    """(n,) seconds of the source, increasing."""
    centres_px: Floats
    """(n, 2) x, y of the frame's middle; the frame never leaves the picture."""

    def centre_at(self, time_s: float) -> tuple[float, float]:
        """Return the middle of the frame at a time, between samples on a straight line."""
        x, y = (float(np.interp(time_s, self.times_s, self.centres_px[:, axis])) for axis in (0, 1))
        return x, y


def frame_size(width_px: int, height_px: int, aspect: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (width, height) of an aspect ratio inside a picture, in even pixels."""
    wide, high = aspect
    width = min(width_px, height_px * wide / high)
    height = min(height_px, width_px * high / wide)
    return max(2, int(width / 2 + 1e-6) * 2), max(2, int(height / 2 + 1e-6) * 2)


def follow(
    poses: Poses, start_s: float, end_s: float, picture_px: tuple[int, int], aspect: tuple[int, int]
) -> Framing:
    """Let a frame follow the persons of [start_s, end_s).

    It keeps all of them in view if it is large enough; else it keeps to one, a large and sure one, and
    does not go from one to another and back. Single wrong boxes are ignored, movements are smoothed, and
    the frame's speed has a limit. Where nobody is seen it goes on slowly to where somebody is seen next;
    if nobody ever is, it stays in the middle.

    Args:
        poses: the persons of the whole video.
        start_s: beginning, source time.
        end_s: end.
        picture_px: width and height of the upright picture.
        aspect: width and height of the frame, as in 9:16.
    """
    size = np.array(frame_size(*picture_px, aspect), float)
    room = np.array(picture_px, float)
    num = max(2, int(np.ceil((end_s - start_s) * RATE_HZ)) + 1)
    times = np.linspace(start_s, end_s, num)
    seen_s, targets = _targets(poses, start_s, end_s, size, room)
    if len(seen_s):
        path = np.stack([np.interp(times, seen_s, targets[:, axis]) for axis in (0, 1)], 1)
        path = _smooth(_median(path))
    else:
        path = np.tile(room / 2, (num, 1))
    path = _limited(path, times, _FASTEST * size)
    centres = np.clip(path, size / 2, room - size / 2)
    return Framing(int(size[0]), int(size[1]), times, centres)


def _targets(poses: Poses, start_s: float, end_s: float, size: Floats, room: Floats) -> tuple[Floats, Floats]:
    """Return when persons were seen, and where the frame should look for them."""
    found_s: list[float] = []
    choices: list[tuple[Floats, Floats]] = []
    for place in np.unique(poses.frame_index):
        time_s = float(poses.frame_time_s[place])
        if not start_s - _MARGIN_S <= time_s <= end_s + _MARGIN_S:
            continue
        boxes = poses.boxes[poses.frame_index == place].astype(float)
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:4].max(axis=0)
        found_s.append(time_s)
        # A side of the frame as long as the picture's holds everybody anyway.
        if ((high - low <= size) | (size >= room - 1)).all():
            choices.append((((low + high) / 2)[None], np.ones(1)))
            continue
        sides = np.clip(boxes[:, 2:4] - boxes[:, :2], 1, None)
        weights = sides.prod(axis=1) * np.clip(boxes[:, 4], 1e-3, None)
        choices.append(((boxes[:, :2] + boxes[:, 2:4]) / 2, weights / weights.sum()))
    return np.array(found_s), _steady(choices, size)


def _steady(choices: list[tuple[Floats, Floats]], size: Floats) -> Floats:
    """Choose one place per moment, so that their worth less the way between them is greatest.

    Source: dynamic programming over a trellis (Viterbi 1967).
    """
    if not choices:
        return np.zeros((0, 2))
    total = choices[0][1]
    back = []
    for (before, _), (places, worth) in pairwise(choices):
        ways = np.linalg.norm((places[:, None] - before[None]) / size, axis=2)
        reached = total[None] - _WAY_COST * ways
        back.append(reached.argmax(axis=1))
        total = reached.max(axis=1) + worth
    chosen = [int(total.argmax())]
    for step in reversed(back):
        chosen.append(int(step[chosen[-1]]))
    return np.array([places[i] for (places, _), i in zip(choices, reversed(chosen), strict=True)])


def _median(path: Floats) -> Floats:
    reach = round(_MEDIAN_S * RATE_HZ / 2)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    middle: Floats = np.median(windows, axis=-1)
    return middle


def _smooth(path: Floats) -> Floats:
    sigma = _SPREAD_S * RATE_HZ
    reach = int(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in (0, 1)], 1)


def _limited(path: Floats, times: Floats, fastest: Floats) -> Floats:
    """Return the path half way between the lowest above it and the highest below it that are slow enough."""
    apart = np.abs(times[:, None] - times[None])
    found = []
    for axis in (0, 1):
        cone = fastest[axis] * apart
        above = (path[None, :, axis] - cone).max(axis=1)
        below = (path[None, :, axis] + cone).min(axis=1)
        found.append((above + below) / 2)
    return np.stack(found, 1)
