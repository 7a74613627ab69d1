"""Streams that answer without any model, so that the order of work can be tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from phar.media import at_rate, write_video
from phar.profile import Profile
from phar.schema import Poses, StreamScore
from phar.streams.stream import Answer, Chunk
from phar.streams.table import Streams

#: Given a window's start in seconds: probabilities, or the reason for silence.
Says = Callable[[float], list[float] | str]


class FakeStream:
    """Answers by the window's start time."""

    def __init__(self, name: str, says: Says, poses: bool) -> None:
        self.name = name
        self.audio_hz = 16000 if name == "audio" else None
        self.recognizer = None
        self._says = says
        self._poses = poses

    def wanted(self, frame_times_s: np.ndarray) -> set[int]:
        return {0, len(frame_times_s) - 1}

    def score(self, chunk: Chunk) -> list[Answer]:
        return [self._answer(media.window) for media in chunk.media]

    def describe(self) -> dict[str, Any]:
        return {self.name: {"backend": "torch", "device": "cpu", "precision": "fp32"}}

    def _answer(self, window: Any) -> Answer:
        said = self._says(window.start_s)
        poses = None
        if self._poses:
            poses = Poses(
                np.array([window.start_s]),
                np.array([0]),
                np.array([[1, 2, 30, 40, 0.9]], np.float32),
                np.full((1, 17, 3), 0.5, np.float32),
            )
        if isinstance(said, str):
            return Answer(StreamScore(self.name, window, silent=said), poses)
        return Answer(StreamScore(self.name, window, np.array(said, np.float32)), poses)


@pytest.fixture
def fake_streams(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes the pipeline load fakes: `fake_streams(rgb=lambda start_s: ...)`."""

    def install(**answers: Says) -> None:
        def load(profile: Profile, **_: Any) -> Streams:
            # The real table runs audio before skeleton, unlike the profile's order.
            order = [name for name in ("rgb", "audio", "skeleton") if name in profile.streams]
            streams = tuple(FakeStream(name, answers[name], name == "skeleton") for name in order)
            return Streams(streams, 16000, {"backend": "torch", "device": "cpu", "precision": "fp32"})

        monkeypatch.setattr("phar.pipeline.load_streams", load)

    return install


SMALL: Mapping[str, Any] = {
    "name": "small",
    "window_s": 7,
    "streams": {
        "rgb": {"config": "net.py", "labels": ["march", "wave", "ring", "none"], "weight": 0.5},
        "skeleton": {"config": "net.py", "labels": ["march", "wave"], "weight": 0.6},
        "audio": {"config": "net.py", "labels": ["ring"], "weight": 1.0},
    },
    "persons": {"detector": {"config": "net.py"}, "pose": {"config": "net.py"}},
    "fusion": {"threshold": 0.3},
}


@pytest.fixture
def small_profile(tmp_path: Path) -> Path:
    """A profile file whose nets need no checkpoints, for use with `fake_streams`."""
    folder = tmp_path / "profile"
    folder.mkdir()
    (folder / "net.py").write_text("model = dict()\n")
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(dict(SMALL)))
    return path


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """Return a function that writes a small grey clip of some seconds with a tone, once per length."""
    folder = tmp_path_factory.mktemp("clips")

    def make(duration_s: float, fps: int = 8) -> Path:
        path = folder / f"{duration_s:g}s_{fps}fps.mp4"
        if not path.exists():
            count = round(duration_s * fps)
            tone = np.sin(np.arange(int(duration_s * 16000)) * 0.1).astype(np.float32) * 0.2
            pictures = (np.full((48, 64, 3), 60 + i % 100, np.uint8) for i in range(count))
            write_video(path, at_rate(pictures, fps), Fraction(fps), (tone, 16000))
        return path

    return make
