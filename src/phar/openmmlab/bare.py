"""A config's net alone, as a function of one tensor, with an input that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phar.openmmlab import imports, loading
from phar.openmmlab.clips import ClipSpec, PoseClip, read_clip
from phar.openmmlab.clips.features import FeatureClip
from phar.openmmlab.clips.joints import JointClip
from phar.openmmlab.clips.poses import HeatmapClip
from phar.openmmlab.detector import WHOLE, DetectorNet, read_letterbox, stages_of
from phar.openmmlab.person_class import follow_classes
from phar.openmmlab.pose import PoseNet, read_cropper
from phar.openmmlab.recognizer import RecognizerNet
from phar.schema import ModelError

#: The source picture that nets are given: 16:9, as most videos are.
WIDTH_PX, HEIGHT_PX = 1280, 720
#: Rows and bands of log-mel features of seven seconds: 16 kHz, hop 256.
_FEATURES = (437, 80)

#: Where each kind of net is registered, and what it is asked at once.
_KINDS = {
    "recognizer": ("mmaction", "window"),
    "detector": ("mmdet", "frame"),
    "pose": ("mmpose", "person"),
}


@dataclass(frozen=True)
class BareNet:
    """One net without what comes before and after it."""

    module: nn.Module
    """A function of one tensor: (N, ...) -> tensor or tuple of them."""
    model: nn.Module
    """The OpenMMLab model it wraps."""
    kind: str
    """recognizer, detector or pose."""
    unit: str
    """What `example` stands for: one window, frame or person."""
    example: NDArray[Any]
    """An input of noise, (V, ...): V views of one unit."""


def kind_of(config: Any) -> str:
    """Return whether a config describes a recognizer, a detector or a pose net."""
    model = config["model"]
    if "cls_head" in model:
        return "recognizer"
    return "pose" if "head" in model else "detector"


def bare_net(
    config: str | Path,
    checkpoint: str | Path | None = None,
    num_classes: int | None = None,
    *,
    weights: bool = True,
) -> BareNet:
    """Build the net of a config.

    `num_classes` is the length of the label file; None takes the config's. With `weights` False it has shapes
    only: it is on torch's meta device, costs no memory, and can be counted but not run. Raises ModelError.
    """
    loaded = loading.load_config(config)
    kind = kind_of(loaded)
    library, unit = _KINDS[kind]
    description = deepcopy(loaded["model"])
    if kind == "recognizer" and num_classes is not None:
        description["cls_head"]["num_classes"] = num_classes
    # The libraries are imported outside of the device: they make tensors of their own.
    with imports.scope(library):
        place: AbstractContextManager[Any] = nullcontext() if weights else torch.device("meta")
        with place:
            model: Any = loading.build(description, library, seed=0)
    if checkpoint is not None:
        state = loading.load_checkpoint(checkpoint)["state_dict"]
        loading.load_weights(model, checkpoint, state, num_classes)
    module: nn.Module
    if kind == "recognizer":
        clip = read_clip(loaded, "frames-1.x")
        if model.test_cfg is not None:
            model.test_cfg.pop("max_testing_views", None)
        module = RecognizerNet(model, clip.channels_last, not clip.views_are_independent)
        example = clip.views(example_window(clip))
    elif kind == "pose":
        cropper = read_cropper(loaded)
        module = PoseNet(model)
        example = _noise(1, cropper.height_px, cropper.width_px, 3)
    else:
        if stages_of(model) == WHOLE:
            raise ModelError(f"config {config}: this kind of detector is no single net; name another")
        module = DetectorNet(model)
        example = read_letterbox(loaded)(_noise(HEIGHT_PX, WIDTH_PX, 3))[None]
    return BareNet(module.eval(), model, kind, unit, example)


def check_weights(config: str | Path, checkpoint: str | Path, state: Mapping[str, Tensor]) -> None:
    """Check that the weights of `checkpoint` are those of a config's net, no fewer and no more.

    Raises ModelError.
    """
    loaded = loading.load_config(config)
    description = deepcopy(loaded["model"])
    kind = kind_of(loaded)
    if kind == "detector":
        follow_classes(description, state)
    loading.load_weights(loading.build(description, _KINDS[kind][0], seed=0), checkpoint, state)


def random_weights(config: str | Path, num_classes: int | None, seed: int) -> dict[str, Tensor]:
    """Return the weights of a config's net as they are drawn from `seed`, untrained.

    `num_classes` is the length of a recognizer's label file, None for other nets. Raises ModelError.
    """
    loaded = loading.load_config(config)
    description = deepcopy(loaded["model"])
    if num_classes is not None and "cls_head" in description:
        description["cls_head"]["num_classes"] = num_classes
    return dict(loading.build(description, _KINDS[kind_of(loaded)][0], seed).state_dict())


def example_window(clip: ClipSpec) -> Any:
    """Return one window of noise, in the form a recognizer's clip reader takes."""
    if isinstance(clip, FeatureClip):
        return np.random.default_rng(0).standard_normal(_FEATURES, np.float32)
    if isinstance(clip, HeatmapClip | JointClip):
        points = np.random.default_rng(0).uniform(100, 600, (2, clip.num_frames, 17, 2))
        scores = np.ones((2, clip.num_frames, 17), np.float32)
        frame_index = np.arange(clip.num_frames)
        return PoseClip(points.astype(np.float32), scores, HEIGHT_PX, WIDTH_PX, frame_index)
    width_px, height_px = clip.frame_size(WIDTH_PX, HEIGHT_PX)
    return _noise(clip.num_frames, height_px, width_px, 3)


def _noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
