"""Frame sampling equals MMAction2's, version by version, and follows the clock where asked to."""

import numpy as np
import pytest

from phar.openmmlab import imports
from phar.openmmlab.sampling import FrameSampler
from phar.schema import ModelError

LENGTHS = (1, 2, 7, 15, 16, 47, 48, 54, 60, 95, 96, 107, 108, 181, 182, 192, 210, 211, 420)
STEPS = [
    {"type": "SampleFrames", "clip_len": 16, "frame_interval": 12, "num_clips": 1},
    {"type": "SampleFrames", "clip_len": 16, "frame_interval": 4, "num_clips": 10},
    {
        "type": "SampleFrames",
        "clip_len": 8,
        "frame_interval": 8,
        "num_clips": 3,
        "out_of_bound_opt": "repeat_last",
    },
    {"type": "SampleFrames", "clip_len": 1, "frame_interval": 1, "num_clips": 25},
    {"type": "SampleFrames", "clip_len": 1, "frame_interval": 1, "num_clips": 8, "twice_sample": True},
    {"type": "SampleFrames", "clip_len": 64, "frame_interval": 1, "num_clips": 10},
    {"type": "DenseSampleFrames", "clip_len": 1, "frame_interval": 1, "num_clips": 8},
    {
        "type": "DenseSampleFrames",
        "clip_len": 4,
        "frame_interval": 2,
        "num_clips": 2,
        "num_sample_positions": 3,
    },
    {"type": "UniformSampleFrames", "clip_len": 48, "num_clips": 10},
    {"type": "UniformSampleFrames", "clip_len": 54, "num_clips": 1},
    {"type": "UniformSample", "clip_len": 16, "num_clips": 4},
]


@pytest.mark.parametrize("step", STEPS, ids=lambda s: "-".join(str(v) for v in s.values()))
def test_equals_mmaction_1x(step: dict) -> None:
    with imports.scope("mmaction"):
        from mmaction.registry import TRANSFORMS

        theirs = TRANSFORMS.build({**step, "test_mode": True})
    ours = FrameSampler.from_step(step)
    for num_frames in LENGTHS:
        expected = theirs({"total_frames": num_frames, "start_index": 0})["frame_inds"]
        got = ours.indices(num_frames)
        assert got.tolist() == expected.tolist(), f"{num_frames} frames"
        assert len(got) == ours.total_clips * ours.clip_len


def test_drawing_leaves_the_global_generator_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    FrameSampler("UniformSampleFrames", clip_len=48, num_clips=2).indices(300)
    assert (np.random.get_state()[1] == before).all()


def test_210_frames_16_by_12() -> None:
    sampler = FrameSampler("SampleFrames", clip_len=16, frame_interval=12)
    # 1.x centres 15 * 12 + 1 = 181 frames in 210; 0.x counts 16 * 12 = 192 and takes half of the rest + 1.
    assert sampler.indices(210, "frames-1.x").tolist() == [14 + 12 * i for i in range(16)]
    assert sampler.indices(210, "frames-0.x").tolist() == [9 + 12 * i for i in range(16)]


def test_past_the_end_wraps() -> None:
    sampler = FrameSampler("SampleFrames", clip_len=4, frame_interval=12)
    assert sampler.indices(30, "frames-1.x").tolist() == [0, 12, 24, 6]
    assert sampler.indices(30, "frames-0.x").tolist() == [0, 12, 24, 6]


def test_0x_spreads_ten_views() -> None:
    sampler = FrameSampler("SampleFrames", clip_len=64, frame_interval=1, num_clips=10)
    # 437 rows leave 374 places, 37.4 a view; each view starts in the middle of its share, rounded down.
    starts = sampler.indices(437, "frames-0.x").reshape(10, 64)[:, 0]
    assert starts.tolist() == [18, 56, 93, 130, 168, 205, 243, 280, 317, 355]


def test_seconds_at_30_fps_is_nearly_frames() -> None:
    sampler = FrameSampler("SampleFrames", clip_len=16, frame_interval=12)
    times = np.arange(210) / 30
    assert sampler.indices(210, "seconds", times).tolist() == sampler.indices(210).tolist()


@pytest.mark.parametrize("fps", [12.5, 15, 25, 60])
def test_seconds_picks_the_same_times_at_any_rate(fps: float) -> None:
    sampler = FrameSampler("SampleFrames", clip_len=16, frame_interval=12)
    num_frames = round(7 * fps)
    times = 3.2 + np.arange(num_frames) / fps
    picked = times[sampler.indices(num_frames, "seconds", times)] - 3.2
    expected = (14 + 12 * np.arange(16)) / 30
    assert np.abs(picked - expected).max() <= max(1 / fps, 1 / 30)


def test_seconds_with_a_gap_shows_the_frame_that_was_on_screen() -> None:
    sampler = FrameSampler("SampleFrames", clip_len=7, frame_interval=30)
    # 7 s at one frame a second, but the frame of second 3 stays for three seconds.
    times = np.array([0.0, 1.0, 2.0, 3.0, 6.0])
    assert sampler.indices(5, "seconds", times).tolist() == [0, 1, 2, 3, 3, 3, 4]


def test_wrong_requests() -> None:
    with pytest.raises(ModelError, match="UntrimmedSampleFrames is not known"):
        FrameSampler.from_step({"type": "UntrimmedSampleFrames", "clip_len": 1})
    sampler = FrameSampler("SampleFrames", clip_len=1)
    with pytest.raises(ValueError, match="sampling 'frames' is not one of"):
        sampler.indices(4, "frames")
    with pytest.raises(ValueError, match="time of every frame"):
        sampler.indices(4, "seconds")
