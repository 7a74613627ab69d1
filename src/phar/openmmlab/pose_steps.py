"""Steps of pose pipelines that MMAction2 lacks: a frame of reference of the body's own, variation, parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.schema import COCO_KEYPOINTS, FloatArray

_SHOULDERS, _HIPS = (
    [COCO_KEYPOINTS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip")
)
#: Bones from the middle of the hips outwards: joints that a bone begins between, and the joint at its end.
_BONES: tuple[tuple[tuple[str, ...], str], ...] = (
    *((("left_hip", "right_hip"), f"{side}_shoulder") for side in ("left", "right")),
    (("left_shoulder", "right_shoulder"), "nose"),
    *(
        ((f"{side}_{inner}",), f"{side}_{outer}")
        for side in ("left", "right")
        for inner, outer in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    ),
)
#: Joints at or below this score were not seen.
_UNSEEN = 1e-3


def in_body_frame(keypoints: FloatArray, scores: FloatArray) -> FloatArray:
    """Put the origin into the middle of the hips and make a torso the unit of length.

    keypoints: (M, T, 17, 2) in pixels; scores: (M, T, 17). Both are medians over the clip of the person who
    is seen most, so that steps and jumps stay, and persons stay where they are to each other. Joints that
    were not seen are at the origin. Without hips or shoulders, the joints' own middle and extent serve.
    """
    seen = scores > _UNSEEN
    if not seen.any():
        return np.zeros_like(keypoints)
    person = int(seen.sum((1, 2)).argmax())
    own, shown = keypoints[person], seen[person]
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
) -> FloatArray:
    """Turn, scale and squeeze all poses of a clip alike, and move each joint a little.

    keypoints: (M, T, 17, 2) in pixels; joints that were not seen stay. Angles up to `rotate_deg`; factors
    within `scale`; the two axes differ by up to a share of `squeeze`; `noise` is a standard deviation in
    shares of the clip's largest extent, half of it steady through the clip.
    """
    seen = scores > _UNSEEN
    if not seen.any():
        return keypoints
    angle = np.deg2rad(rng.uniform(-rotate_deg, rotate_deg))
    sizes = rng.uniform(*scale) * (1 + rng.uniform(-squeeze, squeeze, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = keypoints[seen].mean(0)
    moved = (keypoints - centre) @ (np.diag(sizes) @ turn).T + centre
    if noise:
        spread = noise * float(np.ptp(keypoints[seen], axis=0).max())
        steady = rng.normal(0, 0.5 * spread, (len(moved), 1, *moved.shape[2:]))
        moved = moved + steady + rng.normal(0, 0.5 * spread, moved.shape)
    return np.where(seen[..., None], moved, keypoints).astype(np.float32)


def other_body(
    keypoints: FloatArray,
    scores: FloatArray,
    rng: np.random.RandomState,
    bones: float,
    sweep: Sequence[float],
) -> FloatArray:
    """Let another body do the same: other lengths of bones, movements that reach more or less far.

    keypoints: (M, T, 17, 2); joints that were not seen stay. Every bone's length is multiplied through the
    clip by its own factor, 1 give or take up to `bones`, left and right alike; the way of each joint from
    where it is on average by one factor within `sweep`.
    """
    seen = scores > _UNSEEN
    moved = np.array(keypoints, np.float32)
    counts = np.maximum(seen.sum(1, keepdims=True), 1)[..., None]
    means = (moved * seen[..., None]).sum(1, keepdims=True) / counts
    moved = means + (moved - means) * rng.uniform(*sweep)
    placed = moved.copy()
    factors: dict[str, float] = {}
    for inner, outer in _BONES:
        begin, end = [COCO_KEYPOINTS.index(joint) for joint in inner], COCO_KEYPOINTS.index(outer)
        name = "-".join(joint.split("_")[-1] for joint in (*inner, outer))
        factor = factors.setdefault(name, 1 + rng.uniform(-bones, bones))
        known = (seen[..., begin].all(-1) & seen[..., end])[..., None]
        grown = placed[..., begin, :].mean(-2) + factor * (moved[..., end, :] - moved[..., begin, :].mean(-2))
        placed[..., end, :] = np.where(known, grown, placed[..., end, :])
    return np.where(seen[..., None], placed, keypoints).astype(np.float32)


def at_even_distances(
    keypoints: FloatArray, scores: FloatArray, num_frames: int
) -> tuple[FloatArray, FloatArray]:
    """Show a whole clip in so many frames, the first and the last as they are, between frames interpolated.

    keypoints: (M, T, 17, 2); scores: (M, T, 17); both come back with `num_frames` in the place of T. Where a
    joint was not seen in one of two neighbouring frames, the nearer one counts.
    """
    last = keypoints.shape[1] - 1
    at = np.linspace(0, last, num_frames)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, last)
    share = (at - before).astype(np.float32)[:, None]
    nearer = np.rint(at).astype(int)
    both = (scores[:, before] > _UNSEEN) & (scores[:, after] > _UNSEEN)
    between = keypoints[:, before] * (1 - share[..., None]) + keypoints[:, after] * share[..., None]
    found = np.where(both[..., None], between, keypoints[:, nearer])
    sure = np.where(both, scores[:, before] * (1 - share) + scores[:, after] * share, scores[:, nearer])
    return found.astype(np.float32), sure.astype(np.float32)


def _changed(results: dict[str, Any], change: Callable[..., FloatArray], *settings: Any) -> dict[str, Any]:
    """The results of a pipeline with keypoints that `change` has moved at random."""
    keypoints = np.asarray(results["keypoint"], np.float32)
    scores = np.asarray(results["keypoint_score"], np.float32)
    rng = np.random.RandomState(np.random.randint(2**31))
    return {**results, "keypoint": change(keypoints, scores, rng, *settings)}


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


def register() -> None:
    """Register the steps with MMAction2, once."""
    from mmaction.registry import TRANSFORMS

    if "BodyFrame" in TRANSFORMS.module_dict:
        return

    class BodyFrame:
        """See `in_body_frame`; after PoseDecode."""

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            keypoints = np.asarray(results["keypoint"], np.float32)
            scores = np.asarray(results["keypoint_score"], np.float32)
            return {**results, "keypoint": in_body_frame(keypoints, scores)}

    class VaryPoses:
        """See `varied`; on keypoints in pixels."""

        def __init__(
            self,
            rotate_deg: float = 15.0,
            scale: Sequence[float] = (0.9, 1.1),
            squeeze: float = 0.1,
            noise: float = 0.0,
        ) -> None:
            self._settings = (rotate_deg, scale, squeeze, noise)

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            return _changed(results, varied, *self._settings)

    class OtherBody:
        """See `other_body`; after `BodyFrame`."""

        def __init__(self, bones: float = 0.1, sweep: Sequence[float] = (0.85, 1.15)) -> None:
            self._settings = (bones, sweep)

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            return _changed(results, other_body, *self._settings)

    class OtherPace:
        """Take the sampled frames from other instants: now slower, now faster; after the sampler.

        The clip's time is bent by up to `share` of its length, and begins and ends where it did.
        """

        def __init__(self, share: float = 0.1) -> None:
            self._share = share

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            frames = np.asarray(results["frame_inds"])
            last = max(1, int(results["total_frames"]) - 1)
            bends = np.random.uniform(-self._share, self._share, 2) / [1, 2]
            at = frames / last
            bent = at + bends[0] * np.sin(np.pi * at) + bends[1] * np.sin(2 * np.pi * at)
            return {**results, "frame_inds": np.rint(bent.clip(0, 1) * last).astype(frames.dtype)}

    class PartOfClip:
        """Keep a random part of a clip's frames, at least this share of them; before the sampler."""

        def __init__(self, share: float = 0.7) -> None:
            self._share = share

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            num_frames = int(results["total_frames"])
            length = max(1, round(num_frames * np.random.uniform(self._share, 1.0)))
            start = int(np.random.randint(num_frames - length + 1))
            part: dict[str, NDArray[Any]] = {
                name: results[name][:, start : start + length] for name in ("keypoint", "keypoint_score")
            }
            return {**results, **part, "total_frames": length}

    class EvenFrames:
        """See `at_even_distances`; the sampler after it finds as many frames as it takes."""

        def __init__(self, num_frames: int = 48) -> None:
            self._num_frames = num_frames

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            keypoints = np.asarray(results["keypoint"], np.float32)
            scores = np.asarray(results["keypoint_score"], np.float32)
            found, sure = at_even_distances(keypoints, scores, self._num_frames)
            return {
                **results,
                "keypoint": found,
                "keypoint_score": sure,
                "total_frames": self._num_frames,
            }

    class HideJoints:
        """Take each joint for unseen through the whole clip with this probability."""

        def __init__(self, share: float = 0.05) -> None:
            self._share = share

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            scores = np.array(results["keypoint_score"], np.float32)
            hidden = np.random.uniform(size=scores.shape[-1]) < self._share
            scores[..., hidden] = 0.0
            return {**results, "keypoint_score": scores}

    class BodyParts:
        """See `by_parts`; after the features of joints are made."""

        def __init__(self, parts: Sequence[Sequence[int]]) -> None:
            self._parts = parts

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            features = np.asarray(results["keypoint"], np.float32)
            return {**results, "keypoint": by_parts(features, self._parts)}

    for step in (BodyFrame, VaryPoses, OtherBody, OtherPace, PartOfClip, EvenFrames, HideJoints, BodyParts):
        TRANSFORMS.register_module(module=step)
