"""Clips by the config's own transforms, for test pipelines with a step that has no fast path here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab import imports
from phar.openmmlab.clips.spec import ClipSpec
from phar.schema import ModelError


@dataclass(frozen=True)
class TransformClip(ClipSpec):
    """Windows that MMAction2's transforms prepare, from the decoded frames on."""

    steps: tuple[Mapping[str, Any], ...]
    """The pipeline's steps after decoding."""
    stacked_2d: bool = False

    @property
    def views_are_independent(self) -> bool:
        """False for 2D recognizers, whose head must see all frames of a window at once."""
        return not self.stacked_2d

    @cached_property
    def _transforms(self) -> Any:
        return compose(self.steps)

    def check(self) -> None:
        """Build the transforms. Raises ModelError where one of them is not known."""
        _ = self._transforms

    def views(self, window: NDArray[np.uint8]) -> NDArray[Any]:
        """Frames (num_frames, H, W, 3) RGB -> what the pipeline packs as the net's input."""
        shape = (window.shape[1], window.shape[2])
        results = {
            "label": -1,
            "start_index": 0,
            "total_frames": self.num_frames,
            "frame_inds": np.arange(self.num_frames),
            "clip_len": self.sampler.clip_len,
            "num_clips": self.sampler.total_clips,
            "frame_interval": self.sampler.frame_interval,
            "modality": "RGB",
            "imgs": list(window),
            "img_shape": shape,
            "original_shape": shape,
        }
        views: NDArray[Any] = run(self._transforms, results)["inputs"].numpy()
        return views[None] if self.stacked_2d else views


def compose(steps: Sequence[Mapping[str, Any]]) -> Any:
    """Build MMAction2's transforms. Raises ModelError where one is not known or not rightly described."""
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        try:
            return Compose([dict(step) for step in steps])
        except Exception as error:
            raise ModelError(
                f"the config's test pipeline ({_names(steps)}) cannot be built: {_line(error)}"
            ) from error


def run(transforms: Any, results: dict[str, Any]) -> dict[str, Any]:
    """Run what `compose` built. Raises ModelError where a step fails."""
    with imports.scope("mmaction"):
        try:
            return transforms(results)  # type: ignore[no-any-return]
        except Exception as error:
            names = ", ".join(type(step).__name__ for step in transforms.transforms)
            raise ModelError(f"the config's test pipeline ({names}) failed: {_line(error)}") from error


def _names(steps: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(step["type"]) for step in steps)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
