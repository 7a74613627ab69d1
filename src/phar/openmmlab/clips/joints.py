"""Clips of poses by the config's own transforms: graph networks, and what has no fast path here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.clips.poses import PoseClip
from phar.openmmlab.clips.spec import ClipSpec
from phar.openmmlab.clips.transforms import compose, run
from phar.schema import ModelError

#: Features of `GenSkeFeat` that are differences between a frame and the next.
_MOTIONS = frozenset({"jm", "bm"})


@dataclass(frozen=True)
class JointClip(ClipSpec):
    """Windows of poses that MMAction2's transforms prepare, on both sides of the sampling of frames."""

    before: tuple[Mapping[str, Any], ...]
    """The pipeline's steps before the sampler, which MMAction2 runs on all frames."""
    after: tuple[Mapping[str, Any], ...]
    """Its steps from the sampler on."""
    graph: bool
    """Whether the net is a graph network, which takes persons one by one."""

    @property
    def follows_persons(self) -> bool:
        """True for graph networks."""
        return self.graph

    @property
    def num_frames(self) -> int:
        """Frames of one window that are asked for: with motion features, those that follow as well."""
        return super().num_frames * (2 if self._motion else 1)

    @cached_property
    def _motion(self) -> bool:
        return any(
            step["type"] == "ToMotion" or _MOTIONS & set(step.get("feats", ())) for step in self.before
        )

    @cached_property
    def _transforms(self) -> tuple[Any, Any]:
        return compose(self.before), compose(self.after)

    def check(self) -> None:
        """Build the transforms. Raises ModelError where one of them is not known."""
        _ = self._transforms

    def frame_indices(
        self,
        num_frames: int,
        frame_times_s: NDArray[np.float64] | None = None,
        fps: float | None = None,
    ) -> NDArray[np.int64]:
        """Which of a window's frames are asked for: those shown, then for motion features the next ones."""
        shown = super().frame_indices(num_frames, frame_times_s, fps)
        return np.concatenate([shown, np.minimum(shown + 1, num_frames - 1)]) if self._motion else shown

    def views(self, window: PoseClip) -> NDArray[Any]:
        """Poses of the frames that `frame_indices` names -> what the pipeline packs as the net's input.

        With motion features the window must say which frames they are.
        """
        count = window.keypoints.shape[1]
        if count != self.num_frames:
            raise ModelError(
                f"poses of {count} frames were given, {self.num_frames} are needed;"
                " hand over the frames that frame_indices names"
            )
        first, place = self._in_order(window)
        shape = (window.height_px, window.width_px)
        results: dict[str, Any] = {
            "label": -1,
            "start_index": 0,
            "modality": "Pose",
            "total_frames": len(first),
            "img_shape": shape,
            "original_shape": shape,
            # MMAction2 keeps poses as float16, and what comes before PoseDecode counts in it.
            "keypoint": window.keypoints[:, first].astype(np.float16),
            "keypoint_score": window.scores[:, first].astype(np.float16),
        }
        sampled = {
            "frame_inds": place,
            "clip_len": self.sampler.clip_len,
            "num_clips": self.sampler.total_clips,
            "frame_interval": None,
        }
        before, after = self._transforms
        results = run(before, results)
        views: NDArray[Any] = run(after, {**results, **sampled})["inputs"].numpy()
        return views

    def _in_order(self, window: PoseClip) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each frame first comes, in order of time, and which of those frames are shown."""
        count = window.keypoints.shape[1]
        if not self._motion:
            return np.arange(count), np.arange(count)
        if window.frame_index is None:
            raise ValueError("motion features need the frame_index of a PoseClip")
        # Each shown frame then stands before the one that follows it in the window; the window's last
        # frame comes last, and counts as standing still.
        _, first, place = np.unique(window.frame_index, return_index=True, return_inverse=True)
        return first, place[: super().num_frames]
