"""Small reports that exercise every key, as fixtures for all rooms."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from phar import timeline
from phar.fusion import fuse
from phar.schema import Poses, Report, SegmentSpec, StreamScore, Video

LABELS = ("march", "wave", "ring", "none")
VOCABULARIES = {"rgb": LABELS, "skeleton": ("march", "wave"), "audio": ("ring",)}
WEIGHTS = {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0}


def build(rows: list[dict[str, list[float] | str]], duration_s: float, **changes) -> Report:
    """Build a report from per-window scores: a list of numbers, or the reason for silence."""
    cover = timeline.windows(duration_s, 7, 7)
    predictions = []
    for window, row in zip(cover, rows, strict=True):
        scores = {
            name: StreamScore(name, window, silent=value)
            if isinstance(value, str)
            else StreamScore(name, window, np.array(value, np.float32))
            for name, value in row.items()
        }
        predictions.append(fuse("weighted_sum", LABELS, VOCABULARIES, WEIGHTS, scores))
    found = timeline.segments(predictions, LABELS, SegmentSpec(threshold=0.3))
    values = {
        "video": Video("clip.mp4", duration_s, Fraction(30000, 1001), 64, 48, True),
        "profile": {
            "name": "test",
            "window_s": 7.0,
            "stride_s": 7.0,
            "sampling": "seconds",
            "fusion": "weighted_sum",
            "coefficients": WEIGHTS,
            "segments": {"threshold": 0.3},
            "models": {"rgb": {"config": "a.py", "checkpoint": None, "sha256": None}},
            "backend": "torch",
            "device": "cpu",
            "precision": "fp32",
        },
        "labels": LABELS,
        "vocabularies": VOCABULARIES,
        "predictions": tuple(predictions),
        "timestamps": tuple(found),
        "tags": tuple(timeline.tags(found, cover, duration_s)),
        "timing": {"total_s": 1.5, "realtime_factor": 12.0, "main": {"rgb": 1.0}},
        "created": "2024-05-01T12:00:00+00:00",
        "phar_version": "0.1.0",
        "topk": 3,
        "warnings": ("a frame could not be decoded",),
    }
    return Report(**(values | changes))


@pytest.fixture
def make_report() -> Callable[..., Report]:
    return build


@pytest.fixture
def report() -> Report:
    return build(
        [
            {"rgb": [0.4, 0.2, 0.3, 0.1], "skeleton": [0.75, 0.25], "audio": "too quiet"},
            {"rgb": [0.1, 0.1, 0.5, 0.3], "skeleton": "no person", "audio": [1.0]},
            {"rgb": [0.25, 0.25, 0.25, 0.25], "skeleton": "no person", "audio": "too quiet"},
        ],
        duration_s=16.5,
    )


@pytest.fixture
def poses() -> Poses:
    rng = np.random.default_rng(1)
    return Poses(
        frame_time_s=np.array([0.0, 0.5]),
        frame_index=np.array([0, 0, 1]),
        boxes=rng.random((3, 5), np.float32),
        keypoints=rng.random((3, 17, 3), np.float32),
    )
