"""Streams of pictures alone: RGB, and safe or unsafe, each a clip recognizer on frames of the window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phar.clock import Stopwatch
from phar.openmmlab import Recognizer
from phar.profile import StreamSpec
from phar.schema import StreamScore
from phar.streams.stream import Answer, Chunk, shown_frames, shown_pictures


class RgbStream:
    """Looks at every window. The answers of the one that is called rgb open other streams' gates."""

    audio_hz = None

    def __init__(self, spec: StreamSpec, recognizer: Recognizer, clock: Stopwatch) -> None:
        self.name = spec.name
        self.spec = spec
        self.recognizer = recognizer
        self._clock = clock

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return the frames the recognizer's own sampling picks in this window."""
        return set(shown_frames(self.recognizer.clip, frame_times_s))

    def score(self, chunk: Chunk) -> list[Answer]:
        """Score every window of the chunk in one batch."""
        with self._clock.stage("convert"):
            clips = [shown_pictures(self.recognizer.clip, media) for media in chunk.media]
        with self._clock.stage(self.name):
            probs = self.recognizer.predict(clips)
        return [
            Answer(StreamScore(self.name, media.window, probs=p))
            for media, p in zip(chunk.media, probs, strict=True)
        ]
