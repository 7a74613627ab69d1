"""Augmentation of clips by albumentations, as a step of MMAction2's pipelines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phar.schema import ModelError


def register() -> None:
    """Register `Albu` with MMAction2, once."""
    from mmaction.registry import TRANSFORMS

    if "Albu" in TRANSFORMS.module_dict:
        return

    class Albu:
        """Transforms of albumentations, the same for all frames of a clip.

        `transforms` are mappings of a `type`, its name there, to arguments, as MMDetection's and MMPose's
        steps of this name take them; OneOf and SomeOf hold more of them.
        """

        def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
            self._transforms = [dict(each) for each in transforms]
            self._built: Any = None

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            if self._built is None:
                self._built = _compose(self._transforms)
            # Its generator is its own; this one is seeded for each sample.
            self._built.set_random_seed(int(np.random.randint(2**31)))
            frames = self._built(images=np.stack(results["imgs"]))["images"]
            return {**results, "imgs": list(frames), "img_shape": frames.shape[1:3]}

    TRANSFORMS.register_module(module=Albu)


def _compose(transforms: Sequence[Mapping[str, Any]]) -> Any:
    # It would ask the package index for newer versions.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations.Compose([_built(albumentations, each) for each in transforms])


def _built(library: Any, description: Mapping[str, Any]) -> Any:
    arguments = dict(description)
    name = arguments.pop("type")
    if not hasattr(library, name):
        raise ModelError(f"albumentations has no transform {name!r}; correct the config's Albu step")
    if "transforms" in arguments:
        arguments["transforms"] = [_built(library, each) for each in arguments["transforms"]]
    return getattr(library, name)(**arguments)
