"""Clips by the config's own transforms, for test pipelines with a step that has no fast path here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab import imports
from phar.openmmlab.clips.poses import PoseClip
from phar.openmmlab.clips.spec import ClipSpec
from phar.schema import ModelError


@dataclass(frozen=True)
class TransformClip(ClipSpec):
    """Windows that MMAction2's transforms prepare, from the decoded frames or poses on."""

    steps: tuple[Mapping[str, Any], ...]
    """The pipeline's steps after decoding."""
    stacked_2d: bool = False

    @property
    def views_are_independent(self) -> bool:
        """False for 2D recognizers, whose head must see all frames of a window at once."""
        return not self.stacked_2d

    def views(self, window: NDArray[np.uint8] | PoseClip) -> NDArray[Any]:
        """Frames (num_frames, H, W, 3) RGB or poses -> what the pipeline packs as the net's input."""
        results: dict[str, Any] = {
            "label": -1,
            "start_index": 0,
            "total_frames": self.num_frames,
            "frame_inds": np.arange(self.num_frames),
            "clip_len": self.sampler.clip_len,
            "num_clips": self.sampler.total_clips,
            "frame_interval": self.sampler.frame_interval,
        }
        if isinstance(window, PoseClip):
            shape = (window.height_px, window.width_px)
            results |= {
                "modality": "Pose",
                "keypoint": window.keypoints.astype(np.float16).astype(np.float32),
                "keypoint_score": window.scores.astype(np.float16).astype(np.float32),
            }
        else:
            shape = (window.shape[1], window.shape[2])
            results |= {"modality": "RGB", "imgs": list(window)}
        results |= {"img_shape": shape, "original_shape": shape}
        with imports.scope("mmaction"):
            from mmengine.dataset import Compose

            try:
                inputs = Compose(list(self.steps))(results)["inputs"]
            except Exception as error:
                names = ", ".join(str(step["type"]) for step in self.steps)
                raise ModelError(f"the config's test pipeline ({names}) failed: {error}") from error
        views: NDArray[Any] = inputs.numpy()
        return views[None] if self.stacked_2d else views
