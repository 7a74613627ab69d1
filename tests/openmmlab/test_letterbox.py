"""Frames of any shape keep it inside a fixed one, in inference and in training alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from phar.openmmlab import Recognizer, imports
from phar.openmmlab.clips import read_clip
from phar.openmmlab.clips.frames import FrameClip
from phar.openmmlab.letterbox import fitted, letterboxed
from phar.profile import RESOURCES

FULL = RESOURCES / "configs/moderation/i3d_r50_16x4_128x224.py"


@pytest.mark.parametrize(
    "size, inner",
    [
        ((1280, 720), (224, 126)),  # 16:9: a line of black above and below
        ((640, 480), (171, 128)),  # 4:3: pillars
        ((720, 1280), (72, 128)),  # portrait
        ((1920, 804), (224, 94)),  # wider than 16:9
        ((224, 128), (224, 128)),
        ((4000, 3), (224, 1)),
    ],
)
def test_a_picture_is_scaled_until_it_fits(size: tuple[int, int], inner: tuple[int, int]) -> None:
    assert fitted((224, 128), *size) == inner
    # What the decoder scaled already is not scaled once more.
    assert fitted((224, 128), *inner) == inner


@pytest.mark.parametrize(
    "shape, box",
    [((480, 640), (0, 128, 26, 197)), ((1280, 720), (0, 128, 76, 148)), ((720, 1280), (1, 127, 0, 224))],
)
def test_black_is_beside_or_above_and_nothing_is_cut_off(
    shape: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    frames = np.full((2, *shape, 3), 200, np.uint8)
    placed = letterboxed(frames, (224, 128))
    top, bottom, left, right = box
    expected = np.zeros((2, 128, 224, 3), np.uint8)
    expected[:, top:bottom, left:right] = 200
    np.testing.assert_array_equal(placed, expected)


def test_the_fast_path_is_what_training_does() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)
    tail: list[dict[str, Any]] = [
        {"type": "Letterbox", "scale": (70, 40)},
        {"type": "FormatShape", "input_format": "NCTHW"},
        {"type": "PackActionInputs"},
    ]
    sampler = {"type": "SampleFrames", "clip_len": 3, "frame_interval": 1, "num_clips": 1, "test_mode": True}
    clip = read_clip({"model": {"type": "Recognizer3D"}, "test_pipeline": [sampler, *tail]}, "frames-1.x")
    assert isinstance(clip, FrameClip)
    assert clip.frame_size(640, 480) == (53, 40)
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        results = {"imgs": list(frames), "img_shape": (48, 64), "num_clips": 1, "clip_len": 3}
        expected = Compose(tail)({**results, "modality": "RGB"})["inputs"].numpy()
    np.testing.assert_array_equal(clip.views(frames).transpose(0, 4, 1, 2, 3), expected)


@pytest.mark.parametrize("share, changed", [(0.0, False), (1.0, True)])
def test_training_compresses_all_frames_of_some_clips(share: float, changed: bool) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8))
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        step = {"type": "JpegCompression", "quality": (30, 30), "share": share}
        result = Compose([step])({"imgs": frames})["imgs"]
    assert [picture.shape for picture in result] == [(32, 32, 3)] * 2
    assert all((new != old).any() == changed for new, old in zip(result, frames, strict=True))


def test_compression_keeps_channels_apart() -> None:
    from phar.openmmlab.letterbox import compressed

    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 250
    (seen,) = compressed([red], 95)
    assert abs(seen.reshape(-1, 3).mean(axis=0) - [250, 0, 0]).max() < 6


def test_the_full_net_takes_sixteen_frames_of_two_seconds() -> None:
    net = Recognizer.load(FULL, None, 2, backend="torch", sampling="seconds")
    times_s = np.arange(50) / 25
    assert net.clip.num_frames == 16
    # Every 4/30 s; a window of 2 s ends just before the last, which stays on the frame before.
    assert list(net.clip.frame_indices(50, times_s)) == [
        0,
        3,
        7,
        10,
        13,
        17,
        20,
        23,
        27,
        30,
        33,
        37,
        40,
        43,
        47,
        47,
    ]
    probs = net.predict([np.zeros((16, 126, 224, 3), np.uint8)])
    assert probs.shape == (1, 2)
    assert probs.sum() == pytest.approx(1, abs=1e-5)
