"""Examples of poses: which others each is learnt together with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from own_data import make_poses

from phar.training.sources import SOURCES, View


def test_in_training_another_clip_of_the_label_can_be_drawn(tmp_path: Path) -> None:
    source = SOURCES["skeleton"](make_poses(tmp_path / "poses"), None, ())
    view = View(7.0, "frames-1.x", None)
    chosen = source.split("train")
    for position in range(4):
        record = source.make(chosen, 16, chosen.balanced(0), view, 0)[position]
        rng = np.random.RandomState(position)
        others = [record.another(rng) for _ in range(60)]
        assert {other.label for other in others} == {record.label}
        # All eight clips of the label, itself among them.
        assert len({other.clip.keypoints.tobytes() for other in others}) == 8
        again = record.another(np.random.RandomState(position))
        np.testing.assert_array_equal(again.clip.keypoints, others[0].clip.keypoints)
    assert source.make(source.split("val"), 8, None, view, 0)[0].another is None
