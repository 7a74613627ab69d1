"""The skeleton stream hands poses to its recognizer: by rank, or one person a row where that is asked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from phar.clock import Stopwatch
from phar.profile import load_profile
from phar.schema import Window
from phar.streams.skeleton import SkeletonStream
from phar.streams.stream import Chunk

NUM_FRAMES = 4


class FakeRecognizer:
    """Wants the last frame, then the first and the second, and keeps what it is handed."""

    def __init__(self, follows_persons: bool) -> None:
        self.clip = SimpleNamespace(
            follows_persons=follows_persons, frame_indices=lambda n, times_s, fps: np.array([3, 0, 1])
        )
        self.seen = []

    def predict(self, batch):
        self.seen += batch
        return np.full((len(batch), 6), 1 / 6, np.float32)


class FakeFinder:
    """Two persons who stand still; which of them is the best changes from frame to frame."""

    spec = SimpleNamespace(pose_score_thr=0.1)

    def find(self, frames):
        return [self._at(frame.time_s) for frame in frames]

    def _at(self, time_s):
        # The left one is the best at first, the right one from frame 1 on, by less.
        left = [0, 0, 50, 100, 0.9 if time_s == 0 else 0.5]
        right = [200, 0, 250, 100, 0.6]
        boxes = np.array(sorted([left, right], key=lambda box: -box[4]), np.float32)
        keypoints = np.ones((2, 17, 3), np.float32)
        keypoints[..., 0] = boxes[:, :1] + time_s
        return boxes, keypoints


@pytest.mark.parametrize(
    ("follows_persons", "expected"),
    # The left person's joints lie at 0 plus the time, the right one's at 200.
    [(False, [[203, 0, 201], [3, 200, 1]]), (True, [[3, 0, 1], [203, 200, 201]])],
)
def test_rows_follow_persons_where_the_net_asks_for_it(follows_persons: bool, expected: list) -> None:
    recognizer = FakeRecognizer(follows_persons)
    spec = load_profile("demo").streams["skeleton"]
    stream = SkeletonStream(spec, (), recognizer, FakeFinder(), Stopwatch())
    frames = {i: SimpleNamespace(time_s=float(i), width_px=320, height_px=240) for i in range(NUM_FRAMES)}
    media = SimpleNamespace(
        window=Window(0, 0.0, float(NUM_FRAMES)),
        frames=frames,
        frame_times_s=np.arange(NUM_FRAMES, dtype=float),
    )
    (answer,) = stream.score(Chunk([media], None))
    (clip,) = recognizer.seen
    assert clip.keypoints[:, :, 0, 0].tolist() == expected
    assert clip.frame_index.tolist() == [3, 0, 1]
    assert answer.poses.frame_time_s.tolist() == [0, 1, 3]
