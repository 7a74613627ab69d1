"""Scores of different kinds of pose nets as confidences that can be compared."""

import numpy as np
import pytest

from phar.openmmlab import PoseEstimator, loading
from phar.profile import RESOURCES
from phar.schema import ModelError

CONFIG = RESOURCES / "configs" / "person" / "rtmpose_demo.py"


def confidences(scores: list[float], **score_map: float) -> list[float]:
    config = loading.load_config(CONFIG)
    if score_map:
        config.score_map = score_map
    estimator = PoseEstimator.load(config, None, "cpu", "torch")
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, : len(scores), 2] = scores
    mapped = estimator.confident(keypoints)
    assert mapped.shape == (1, 17, 3)
    return mapped[0, : len(scores), 2].tolist()


def test_without_a_map_scores_are_only_bounded() -> None:
    assert confidences([-0.1, 0.25, 1.0, 1.3]) == pytest.approx([0, 0.25, 1, 1])


def test_a_map_says_which_scores_count_as_0_and_as_1() -> None:
    assert confidences([0.1, 0.2, 0.5, 0.8, 0.9], low=0.2, high=0.8) == pytest.approx([0, 0, 0.5, 1, 1])


def test_a_map_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ModelError, match=r"score_map of .* runs from 1 to 0\.5; low must be below high"):
        confidences([0.1], low=1.0, high=0.5)
