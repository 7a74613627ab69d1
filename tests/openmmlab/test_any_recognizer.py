"""Any MMAction2 recognizer by its own config: the same frames give the same probabilities as its inference.

The configs are those of MMAction2's wheel, made small. MMAction2 samples, crops and stacks the frames of an
array; ours is asked which frames it wants and is handed those.
"""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import mmaction
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from parity import enliven, moving_pictures, save, scale

from phar.openmmlab import Recognizer, imports
from phar.openmmlab.clips.frames import FrameClip
from phar.openmmlab.clips.transforms import TransformClip

with imports.scope("mmaction"):
    from mmaction.apis import inference_recognizer, init_recognizer

THEIR_CONFIGS = Path(mmaction.__file__).parent / ".mim" / "configs" / "recognition"
NUM_CLASSES = 5

#: The smallest net of each kind, and what is changed in its published config. Steps of the test pipeline are
#: changed by their type.
SMALL: Mapping[str, tuple[str, dict[str, Any], dict[str, dict[str, Any]]]] = {
    # Two-dimensional: NCHW, frames of all crops in one view, averaged inside the head.
    "tsn": (
        "tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py",
        {"backbone": {"depth": 18}, "cls_head": {"in_channels": 512}},
        {
            "SampleFrames": {"num_clips": 3},
            "Resize": {"scale": (-1, 48)},
            "TenCrop": {"crop_size": 32},
        },
    ),
    # Its own mean in BGR order, no deviation, ten clips.
    "c3d": (
        "c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py",
        {"backbone": {"out_dim": 2048}},
        {"SampleFrames": {"num_clips": 2}, "Resize": {"scale": (-1, 40)}, "CenterCrop": {"crop_size": 32}},
    ),
    "i3d": (
        "i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py",
        {"backbone": {"base_channels": 8}, "cls_head": {"in_channels": 256}},
        {
            "SampleFrames": {"clip_len": 8, "num_clips": 3},
            "Resize": {"scale": (-1, 32)},
            "ThreeCrop": {"crop_size": 32},
        },
    ),
    # Ten start positions a window, past the end it goes round.
    "i3d-dense": (
        "i3d/i3d_imagenet-pretrained-r50_8xb8-dense-32x2x1-100e_kinetics400-rgb.py",
        {"backbone": {"base_channels": 8}, "cls_head": {"in_channels": 256}},
        {
            "DenseSampleFrames": {"clip_len": 8},
            "Resize": {"scale": (-1, 32)},
            "ThreeCrop": {"crop_size": 32},
        },
    ),
    # Two pathways at two frame rates.
    "slowfast": (
        "slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb.py",
        {
            "backbone": {"slow_pathway": {"base_channels": 16}, "fast_pathway": {"base_channels": 2}},
            "cls_head": {"in_channels": 512 + 64},
        },
        {
            "SampleFrames": {"num_clips": 2},
            "Resize": {"scale": (-1, 32)},
            "ThreeCrop": {"crop_size": 32},
        },
    ),
    "videomae": (
        "videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400.py",
        {
            "backbone": {
                "img_size": 32,
                "patch_size": 8,
                "embed_dims": 48,
                "depth": 2,
                "num_heads": 4,
                "num_frames": 8,
            },
            "cls_head": {"in_channels": 48},
        },
        {
            "SampleFrames": {"clip_len": 8, "num_clips": 2},
            "Resize": {"scale": (-1, 32)},
            "ThreeCrop": {"crop_size": 32},
        },
    ),
    "swin": (
        "swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py",
        {
            "backbone": {
                "arch": {"_delete_": True, "embed_dims": 24, "depths": [2, 2], "num_heads": [2, 4]},
                "window_size": (4, 4, 4),
                "out_indices": (1,),
            },
            "cls_head": {"in_channels": 48},
        },
        {
            "SampleFrames": {"clip_len": 8, "num_clips": 2},
            "Resize": {"scale": (-1, 32)},
            "ThreeCrop": {"crop_size": 32},
        },
    ),
}


def small_config(name: str) -> Config:
    """A published config with a small net and small pictures."""
    path, model, steps = SMALL[name]
    config = Config.fromfile(str(THEIR_CONFIGS / path))
    config.merge_from_dict(
        {"model": {"cls_head": {"num_classes": NUM_CLASSES}, "backbone": {"pretrained": None}}}
    )
    config.merge_from_dict({"model": deepcopy(model)})
    for step in config.test_pipeline:
        step.update(steps.get(step["type"], {}))
    return config


def their_scores(model: Any, frames: np.ndarray, config: Config) -> np.ndarray:
    """What MMAction2's own inference says of all frames of a window."""
    # No file is decoded: frames are picked out of an array by the indices its sampler gives.
    decoding = {"DecordInit": None, "DecordDecode": {"type": "ArrayDecode"}}
    steps = [decoding.get(step["type"], step) for step in config.test_pipeline]
    data = {
        "array": frames,
        "total_frames": len(frames),
        "start_index": 0,
        "modality": "RGB",
        "label": -1,
        "avg_fps": 30,
    }
    with imports.scope("mmaction"):
        pipeline = Compose([step for step in steps if step is not None])
        return inference_recognizer(model, data, pipeline).pred_score.numpy()


@pytest.mark.parametrize("name", SMALL)
def test_scores_equal_mmaction(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    frames = moving_pictures(70, 40, 56)
    with imports.scope("mmaction"):
        torch.manual_seed(0)
        theirs = init_recognizer(config.copy(), device="cpu")
    enliven(theirs, lambda: their_scores(theirs, frames, config))
    scale(theirs.cls_head.fc_cls, 8)
    expected = their_scores(theirs, frames, config)
    ours = Recognizer.load(
        config, save(theirs, tmp_path / "random.pth"), NUM_CLASSES, device="cpu", backend="torch"
    )
    assert isinstance(ours.clip, FrameClip)
    wanted = ours.clip.frame_indices(len(frames))
    got = ours.predict([frames[wanted], frames[wanted][..., ::-1], frames[(wanted + 5) % len(frames)]])
    np.testing.assert_allclose(got[0], expected, atol=1e-4)
    # Other colours or other frames would not have passed.
    assert np.abs(got[1:] - expected).max(1).min() > 1e-3


@pytest.mark.parametrize("name", ["tsn", "swin"])
def test_steps_without_a_fast_path_are_run(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    config.test_pipeline.insert(-2, {"type": "Flip", "flip_ratio": 1.0})
    frames = moving_pictures(70, 40, 56)
    with imports.scope("mmaction"):
        torch.manual_seed(0)
        theirs = init_recognizer(config.copy(), device="cpu")
    enliven(theirs, lambda: their_scores(theirs, frames, config))
    scale(theirs.cls_head.fc_cls, 8)
    ours = Recognizer.load(
        config, save(theirs, tmp_path / "random.pth"), NUM_CLASSES, device="cpu", backend="torch"
    )
    assert isinstance(ours.clip, TransformClip)
    (got,) = ours.predict([frames[ours.clip.frame_indices(len(frames))]])
    np.testing.assert_allclose(got, their_scores(theirs, frames, config), atol=1e-4)
    assert np.abs(got - their_scores(theirs, frames, small_config(name))).max() > 1e-3
