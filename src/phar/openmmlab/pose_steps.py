"""Steps of pose pipelines that MMAction2 lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.pose_geometry import (
    at_even_distances,
    blended,
    by_parts,
    in_body_frame,
    in_step,
    varied,
    with_position,
    without_scores,
)
from phar.schema import FloatArray, ModelError


def _poses(results: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
    """The keypoints (M, T, 17, 2) and scores (M, T, 17) of a pipeline's results."""
    return np.asarray(results["keypoint"], np.float32), np.asarray(results["keypoint_score"], np.float32)


def _rng() -> np.random.RandomState:
    """A generator of a step's own, drawn from the global one that the libraries' transforms use."""
    return np.random.RandomState(np.random.randint(2**31))


def register() -> None:
    """Register the steps with MMAction2, once."""
    from mmaction.registry import TRANSFORMS

    if "BodyFrame" in TRANSFORMS.module_dict:
        return

    class BodyFrame:
        """See `in_body_frame`; after PoseDecode."""

        def __init__(self, first_frames: int | None = None) -> None:
            self._first_frames = first_frames

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            return {**results, "keypoint": in_body_frame(*_poses(results), self._first_frames)}

    class VaryPoses:
        """See `varied`; on keypoints in pixels."""

        def __init__(
            self,
            rotate_deg: float = 15.0,
            scale: Sequence[float] = (0.9, 1.1),
            squeeze: float = 0.1,
            noise: float = 0.0,
            offset: float = 0.0,
        ) -> None:
            self._settings = (rotate_deg, scale, squeeze, noise, offset)

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            return {**results, "keypoint": varied(*_poses(results), _rng(), *self._settings)}

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
            found, sure = at_even_distances(*_poses(results), self._num_frames)
            return {
                **results,
                "keypoint": found,
                "keypoint_score": sure,
                "total_frames": self._num_frames,
            }

    class BetweenTwo:
        """At times show what lies between the clip and another of its label; see `in_step` and `blended`.

        Args:
            probability: how often; else the clip stays as it is.
            before: the pipeline's steps before this one, which the other clip goes through too.
        """

        def __init__(self, probability: float = 0.5, before: Sequence[dict[str, Any]] = ()) -> None:
            from mmengine.dataset import Compose

            self._probability = probability
            self._before = Compose([dict(step) for step in before])

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            if "another" not in results:
                raise ModelError("BetweenTwo needs examples in files, and is for train_pipeline alone")
            rng = _rng()
            if rng.uniform() >= self._probability:
                return results
            other = self._before(results["another"](rng))
            share = rng.uniform()
            keypoints, scores = blended(*in_step(_poses(results), _poses(other), share), share)
            return {**results, "keypoint": keypoints, "keypoint_score": scores}

    class HideJoints:
        """Take each joint for unseen through the whole clip with this probability."""

        def __init__(self, share: float = 0.05) -> None:
            self._share = share

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            keypoints, scores = _poses(results)
            kept = np.random.uniform(size=scores.shape[-1]) >= self._share
            return {**results, "keypoint": keypoints * kept[:, None], "keypoint_score": scores * kept}

    class BodyParts:
        """See `by_parts`; after the features of joints are made."""

        def __init__(self, parts: Sequence[Sequence[int]]) -> None:
            self._parts = parts

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            features = np.asarray(results["keypoint"], np.float32)
            return {**results, "keypoint": by_parts(features, self._parts)}

    class WithoutScores:
        """See `without_scores`; after GenSkeFeat, before `BodyParts`."""

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            return {**results, "keypoint": without_scores(np.asarray(results["keypoint"], np.float32))}

    class ClipPosition:
        """See `with_position`; after the features of joints are made, and after `BodyParts`."""

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            return {**results, "keypoint": with_position(np.asarray(results["keypoint"], np.float32))}

    for step in (
        *(BodyFrame, EvenFrames, PartOfClip),
        *(VaryPoses, HideJoints, BetweenTwo),
        *(WithoutScores, BodyParts, ClipPosition),
    ):
        TRANSFORMS.register_module(module=step)
