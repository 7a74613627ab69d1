"""Clips are cut, drawn and stacked as MMAction2's transforms do, by the fast path and by the fallback."""

from typing import Any

import numpy as np
import pytest

from phar.openmmlab import PoseClip, imports
from phar.openmmlab.clips import read_clip
from phar.openmmlab.clips.features import FeatureClip
from phar.openmmlab.clips.frames import FrameClip
from phar.openmmlab.clips.poses import HeatmapClip, joint_heatmaps
from phar.openmmlab.clips.transforms import TransformClip
from phar.schema import ModelError

SAMPLE = {"type": "SampleFrames", "clip_len": 3, "frame_interval": 2, "num_clips": 2, "test_mode": True}


def _config(steps: list[dict], model: str = "Recognizer3D") -> dict[str, Any]:
    return {"model": {"type": model}, "test_pipeline": steps}


def _theirs(steps: list[dict], results: dict[str, Any]) -> np.ndarray:
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        return Compose(steps)(results)["inputs"].numpy()


@pytest.mark.parametrize("size", [(90, 130), (131, 77), (64, 64)])
@pytest.mark.parametrize(
    "steps",
    [
        [{"type": "Resize", "scale": (-1, 64)}, {"type": "CenterCrop", "crop_size": 48}],
        [{"type": "Resize", "scale": (-1, 64)}, {"type": "ThreeCrop", "crop_size": 64}],
        [
            {"type": "Resize", "scale": (70, 60), "keep_ratio": False},
            {"type": "TenCrop", "crop_size": (32, 40)},
        ],
        [{"type": "Resize", "scale": (80, 50)}],
    ],
    ids=["centre", "three", "ten", "resize"],
)
@pytest.mark.parametrize("layout", ["NCTHW", "NCHW"])
def test_frames_equal_mmaction(size: tuple[int, int], steps: list[dict], layout: str) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (6, *size, 3), dtype=np.uint8)
    tail = [*steps, {"type": "FormatShape", "input_format": layout}, {"type": "PackActionInputs"}]
    decoding = [{"type": "DecordInit"}, SAMPLE, {"type": "DecordDecode"}]
    clip = read_clip(
        _config([*decoding, *tail], "Recognizer2D" if layout == "NCHW" else "Recognizer3D"), "frames-1.x"
    )
    assert isinstance(clip, FrameClip)
    expected = _theirs(
        tail, {"imgs": list(frames), "img_shape": size, "num_clips": 2, "clip_len": 3, "modality": "RGB"}
    )
    views = clip.views(frames)
    got = views[0].transpose(0, 3, 1, 2) if layout == "NCHW" else views.transpose(0, 4, 1, 2, 3)
    np.testing.assert_array_equal(got, expected)


def test_frames_may_come_already_resized() -> None:
    steps = [SAMPLE, {"type": "DecordDecode"}, {"type": "Resize", "scale": (-1, 64)}]
    steps += [{"type": "CenterCrop", "crop_size": 64}, {"type": "FormatShape", "input_format": "NCTHW"}]
    clip = read_clip(_config(steps), "frames-1.x")
    assert clip.frame_size(1920, 1080) == (114, 64)
    assert clip.frame_size(1080, 1920) == (64, 114)
    small = np.zeros((6, 64, 114, 3), np.uint8)
    assert clip.views(small).shape == (2, 3, 64, 64, 3)


def test_unknown_steps_run_the_config_s_own_transforms() -> None:
    flip = {"type": "Flip", "flip_ratio": 1.0}
    tail = [{"type": "Resize", "scale": (-1, 40)}, flip, {"type": "CenterCrop", "crop_size": 32}]
    tail += [{"type": "FormatShape", "input_format": "NCTHW"}, {"type": "PackActionInputs"}]
    clip = read_clip(_config([{"type": "DecordInit"}, SAMPLE, {"type": "DecordDecode"}, *tail]), "frames-1.x")
    assert isinstance(clip, TransformClip)
    frames = np.random.default_rng(0).integers(0, 255, (6, 50, 80, 3), dtype=np.uint8)
    plain = read_clip(_config([SAMPLE, *(s for s in tail if s is not flip)]), "frames-1.x")
    assert isinstance(plain, FrameClip)
    mirrored = plain.views(np.ascontiguousarray(frames[:, :, ::-1]))
    np.testing.assert_array_equal(clip.views(frames), mirrored.transpose(0, 4, 1, 2, 3))


def test_frames_that_do_not_fit_are_refused() -> None:
    steps = [
        SAMPLE,
        {"type": "CenterCrop", "crop_size": 64},
        {"type": "FormatShape", "input_format": "NCTHW"},
    ]
    clip = read_clip(_config(steps), "frames-1.x")
    with pytest.raises(ModelError, match=r"\(6, H, W, 3\) is needed"):
        clip.views(np.zeros((5, 64, 64, 3), np.uint8))
    with pytest.raises(ModelError, match="frames of 60x64 are smaller than the crop of 64x64"):
        clip.views(np.zeros((6, 64, 60, 3), np.uint8))


HEATMAPS = {
    "type": "GeneratePoseTarget",
    "sigma": 0.6,
    "use_score": True,
    "with_kp": True,
    "with_limb": False,
}


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("compact", [{}, {"hw_ratio": 1.0}, {"allow_imgpad": False, "padding": 0.5}])
def test_pose_volumes_equal_mmaction(double: bool, compact: dict) -> None:
    random = np.random.default_rng(0)
    num_frames, num_persons = 12, 3
    # Three persons, partly outside the picture; one absent in half of the frames, some joints unseen.
    keypoints = (
        random.uniform(-30, 350, (num_persons, num_frames, 17, 2)).astype(np.float16).astype(np.float32)
    )
    scores = random.uniform(0, 1, (num_persons, num_frames, 17)).astype(np.float16).astype(np.float32)
    keypoints[2, :6], scores[2, :6] = 0, 0
    scores[random.uniform(size=scores.shape) < 0.2] = 0
    tail = [
        {"type": "PoseDecode"},
        {"type": "PoseCompact", **compact},
        {"type": "Resize", "scale": (-1, 64)},
        {"type": "CenterCrop", "crop_size": 56},
        {**HEATMAPS, "double": double},
        {"type": "FormatShape", "input_format": "NCTHW_Heatmap"},
        {"type": "PackActionInputs"},
    ]
    sample = {"type": "UniformSampleFrames", "clip_len": 4, "num_clips": 3, "test_mode": True}
    clip = read_clip(_config([sample, *tail]), "frames-1.x")
    assert isinstance(clip, HeatmapClip)
    expected = _theirs(
        tail,
        {
            "keypoint": keypoints.copy(),
            "keypoint_score": scores.copy(),
            "img_shape": (240, 320),
            "total_frames": num_frames,
            "frame_inds": np.arange(num_frames),
            "num_clips": 3,
            "clip_len": 4,
        },
    )
    got = clip.views(PoseClip(keypoints, scores, 240, 320))
    assert got.shape == expected.shape == (6 if double else 3, 17, 4, 56, 56)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert expected.max() > 0.5


def test_poses_too_small_to_cut_out_stay_where_they_are() -> None:
    points = np.full((1, 3, 17, 2), 20.0, np.float32)
    sample = {"type": "UniformSampleFrames", "clip_len": 3}
    steps = [sample, {"type": "PoseDecode"}, {"type": "PoseCompact"}, HEATMAPS]
    clip = read_clip(
        _config([*steps, {"type": "FormatShape", "input_format": "NCTHW_Heatmap"}]), "frames-1.x"
    )
    volume = clip.views(PoseClip(points, np.ones((1, 3, 17), np.float32), 40, 60))
    assert volume.shape == (1, 17, 3, 40, 60)
    assert np.argwhere(volume[0, 0, 0] == 1).tolist() == [[20, 20]]
    empty = clip.views(PoseClip(points * 0, np.zeros((1, 3, 17), np.float32), 40, 60))
    assert not empty.any()


def test_a_heatmap_by_hand() -> None:
    maps = joint_heatmaps(
        np.array([[[[2.0, 1.0]]], [[[3.0, 1.0]]]], np.float32),
        np.array([[[0.8]], [[0.4]]], np.float32),
        3,
        6,
        0.6,
    )[0, 0]
    # Neighbours one pixel off hold exp(-1 / 0.72) of the peak; overlapping persons, the larger of the two.
    side = np.exp(-1 / 0.72)
    np.testing.assert_allclose(maps[1, 1:5], [0.8 * side, 0.8, 0.4, 0.4 * side], rtol=1e-5)
    np.testing.assert_allclose(maps[0, 2], 0.8 * side, rtol=1e-5)


@pytest.mark.parametrize("num_rows", [3, 63, 64, 100, 437, 700])
def test_audio_views_equal_mmaction(num_rows: int) -> None:
    sample = {"type": "SampleFrames", "clip_len": 64, "frame_interval": 1, "num_clips": 10, "test_mode": True}
    select = [{"type": "AudioFeatureSelector"}, {"type": "FormatAudioShape", "input_format": "NCTF"}]
    steps = [sample, *select, {"type": "PackActionInputs"}]
    clip = read_clip(_config([{"type": "LoadAudioFeature"}, *steps], "RecognizerAudio"), "frames-1.x")
    assert isinstance(clip, FeatureClip)
    features = np.random.default_rng(0).normal(size=(num_rows, 80)).astype(np.float32)
    expected = _theirs(
        steps, {"audios": features, "length": num_rows, "total_frames": num_rows, "start_index": 0}
    )
    assert expected.shape == (10, 1, 128, 80)
    np.testing.assert_array_equal(clip.views(features), expected)


def test_audio_views_are_padded_to_128_rows_with_zeros() -> None:
    clip = read_clip(
        _config(
            [
                {"type": "SampleFrames", "clip_len": 64, "num_clips": 10},
                {"type": "AudioFeatureSelector"},
                {"type": "FormatAudioShape", "input_format": "NCTF"},
            ],
            "RecognizerAudio",
        ),
        "frames-0.x",
    )
    views = clip.views(np.ones((437, 80), np.float32))
    assert (views[:, 0, :63] == 1).all() and not views[:, 0, 63:].any()


def test_pipelines_that_cannot_be_read() -> None:
    with pytest.raises(ModelError, match="no test_pipeline"):
        read_clip({"model": {"type": "Recognizer3D"}}, "frames-1.x")
    with pytest.raises(ModelError, match="samples no frames"):
        read_clip(_config([{"type": "Resize", "scale": (-1, 64)}]), "frames-1.x")
