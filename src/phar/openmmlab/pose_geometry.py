"""Poses of a clip in another frame of reference, at other instants, varied, blended, as nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phar.schema import COCO_KEYPOINTS, FloatArray

_SHOULDERS, _HIPS = (
    [COCO_KEYPOINTS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip")
)
#: Keypoints (M, T, 17, 2) and scores (M, T, 17).
Poses = tuple[FloatArray, FloatArray]
#: Joints at or below this score were not seen.
_UNSEEN = 1e-3


def in_body_frame(keypoints: FloatArray, scores: FloatArray, first_frames: int | None = None) -> FloatArray:
    """Put the origin into the middle of the hips and make a torso the unit of length.

    keypoints: (M, T, 17, 2) in pixels; scores: (M, T, 17). Both are medians over the clip of the person who
    is seen most, so that steps and jumps stay, and persons stay where they are to each other. With
    `first_frames` both are of so many frames at the clip's begin, where somebody about to act stands still;
    unless the person is not seen in these. Joints that were not seen are at the origin. Without hips or
    shoulders, the joints' own middle and extent serve.
    """
    seen = scores > _UNSEEN
    if not seen.any():
        return np.zeros_like(keypoints)
    person = int(seen.sum((1, 2)).argmax())
    begin = slice(first_frames) if seen[person, :first_frames].any() else slice(None)
    own, shown = keypoints[person, begin], seen[person, begin]
    hips, shoulders = shown[:, _HIPS].all(1), shown[:, _SHOULDERS].all(1)
    middles = own[hips][:, _HIPS].mean(1) if hips.any() else own[shown]
    origin = np.median(middles, axis=0)
    both = hips & shoulders
    unit = 0.0
    if both.any():
        torsos = own[both][:, _SHOULDERS].mean(1) - own[both][:, _HIPS].mean(1)
        unit = float(np.median(np.linalg.norm(torsos, axis=1)))
    if unit < 1.0:
        # A body is about three torsos high.
        unit = max(1.0, float(np.ptp(own[shown], axis=0).max()) / 3)
    placed = (keypoints - origin) / unit
    return np.where(seen[..., None], placed, 0.0).astype(np.float32)


def varied(
    keypoints: FloatArray,
    scores: FloatArray,
    rng: np.random.RandomState,
    rotate_deg: float,
    scale: Sequence[float],
    squeeze: float,
    noise: float,
    offset: float = 0.0,
) -> FloatArray:
    """Turn, scale and squeeze all poses of a clip alike, and move each joint a little.

    keypoints: (M, T, 17, 2) in pixels; joints that were not seen stay. Angles up to `rotate_deg`; factors
    within `scale`; the two axes differ by up to a share of `squeeze`; `noise` is a standard deviation in
    shares of the clip's largest extent, half of it steady through the clip; `offset` is one of what is
    steady alone, as another person's build and bearing are.
    """
    seen = scores > _UNSEEN
    if not seen.any():
        return keypoints
    angle = np.deg2rad(rng.uniform(-rotate_deg, rotate_deg))
    sizes = rng.uniform(*scale) * (1 + rng.uniform(-squeeze, squeeze, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = keypoints[seen].mean(0)
    moved = (keypoints - centre) @ (np.diag(sizes) @ turn).T + centre
    extent = float(np.ptp(keypoints[seen], axis=0).max())
    if noise:
        spread = noise * extent
        steady = rng.normal(0, 0.5 * spread, (len(moved), 1, *moved.shape[2:]))
        moved = moved + steady + rng.normal(0, 0.5 * spread, moved.shape)
    if offset:
        moved = moved + rng.normal(0, offset * extent, (len(moved), 1, *moved.shape[2:]))
    return np.where(seen[..., None], moved, keypoints).astype(np.float32)


def at_even_distances(keypoints: FloatArray, scores: FloatArray, num_frames: int) -> Poses:
    """Show a whole clip in so many frames, the first and the last as they are, between frames interpolated.

    keypoints: (M, T, 17, 2); scores: (M, T, 17); both come back with `num_frames` in the place of T. Where a
    joint was not seen in one of two neighbouring frames, the nearer one counts.
    """
    return _interpolated(keypoints, scores, np.linspace(0, keypoints.shape[1] - 1, num_frames))


def in_step(one: Poses, other: Poses, share: float) -> tuple[Poses, Poses]:
    """Show two clips of a movement at a common pace, so that its like moments coincide.

    Both are keypoints (M, T, 17, 2) in the same frame of reference and scores (M, T, 17), and come back with
    as many frames as `one` has; persons and frames may differ in number. The pace is `share` of the way from
    that of the one to that of the other. What matters is how joints move, wherever they stand.
    Source: Sakoe, Chiba, Dynamic Programming Algorithm Optimization for Spoken Word Recognition, 1978.
    """
    from librosa.sequence import dtw  # takes over a second to import

    persons = min(len(one[0]), len(other[0]))
    movements = [_movement(keypoints[:persons], scores[:persons]) for keypoints, scores in (one, other)]
    _, path = dtw(*movements, metric="sqeuclidean")
    path = path[::-1]
    instants = path @ [1 - share, share]
    at = np.linspace(instants[0], instants[-1], one[0].shape[1])
    first, second = (np.interp(at, instants, own) for own in path.T)
    return _interpolated(*one, first), _interpolated(*other, second)


def _movement(keypoints: FloatArray, scores: FloatArray) -> FloatArray:
    """(M * 34, T) where joints are from their own means; 0 where they are not seen."""
    unseen = np.repeat((scores <= _UNSEEN)[..., None], 2, axis=-1)
    found = np.ma.masked_array(keypoints, unseen)
    moved = (found - found.mean(axis=1, keepdims=True)).filled(0)
    return np.moveaxis(moved, 1, -1).reshape(-1, keypoints.shape[1])


def _interpolated(keypoints: FloatArray, scores: FloatArray, at: FloatArray) -> Poses:
    """Keypoints and scores at instants counted in frames; see `at_even_distances`."""
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, keypoints.shape[1] - 1)
    share = (at - before).astype(np.float32)[:, None]
    nearer = np.rint(at).astype(int)
    both = (scores[:, before] > _UNSEEN) & (scores[:, after] > _UNSEEN)
    between = keypoints[:, before] * (1 - share[..., None]) + keypoints[:, after] * share[..., None]
    found = np.where(both[..., None], between, keypoints[:, nearer])
    sure = np.where(both, scores[:, before] * (1 - share) + scores[:, after] * share, scores[:, nearer])
    return found.astype(np.float32), sure.astype(np.float32)


def blended(one: Poses, other: Poses, share: float) -> Poses:
    """Poses between two clips of equally many frames, `share` of the way from the one to the other.

    Both are keypoints (M, T, 17, 2) in the same frame of reference and scores (M, T, 17). A joint counts as
    seen where both clips see it, else it is at the origin. Persons that only the one clip has stay.
    Raises ValueError where the clips differ in length.
    """
    keypoints, scores = (np.array(part, np.float32) for part in one)
    persons = min(len(scores), len(other[1]))
    if scores.shape[1] != other[1].shape[1]:
        raise ValueError(f"clips of {scores.shape[1]} and {other[1].shape[1]} frames have nothing between")
    scores[:persons] = np.minimum(scores[:persons], other[1][:persons])
    between = keypoints[:persons] * (1 - share) + other[0][:persons] * share
    keypoints[:persons] = np.where(scores[:persons, ..., None] > _UNSEEN, between, 0.0)
    return keypoints, scores


def without_scores(features: FloatArray) -> FloatArray:
    """Leave out what says how sure joints are, where all are seen or none: as features scores mislead then.

    features: (M, T, joints, 3n), x, y and score of each of n kinds, as GenSkeFeat makes them; gives
    (M, T, joints, 2n).
    """
    return features.reshape(*features.shape[:-1], -1, 3)[..., :2].reshape(*features.shape[:-1], -1)


def with_position(features: FloatArray) -> FloatArray:
    """Add where in the clip each frame stands, which a mean over time does not tell.

    features: (M, T, nodes, C); gives (M, T, nodes, C + 2): from -1 to 1, and the cosine of one whole turn.
    """
    at = np.linspace(-1, 1, features.shape[1], dtype=np.float32)
    position = np.stack([at, -np.cos(np.pi * at)], axis=-1)[:, None]
    return np.concatenate([features, np.broadcast_to(position, (*features.shape[:3], 2))], axis=-1)


def by_parts(features: FloatArray, parts: Sequence[Sequence[int]]) -> FloatArray:
    """Make parts of the body the nodes of a graph, the features of their joints side by side.

    features: (M, T, joints, C); gives (M, T, parts, C * joints of the largest part), zeros where a part has
    fewer. Source: Thakkar, Narayanan, Part-based Graph Convolutional Network for Action Recognition, 2018.
    """
    *shape, _, channels = features.shape
    nodes = np.zeros((*shape, len(parts), channels * max(map(len, parts))), np.float32)
    for node, joints in enumerate(parts):
        nodes[..., node, : channels * len(joints)] = features[..., list(joints), :].reshape(*shape, -1)
    return nodes
