"""The single-frame control shows one picture of a window, whichever frames a stream looks at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from phar.evaluate.stills import UNHEARD, Stills
from phar.media import WindowMedia
from phar.schema import StreamScore, Window
from phar.streams.stream import Answer, Chunk
from phar.streams.table import Streams

WINDOW = Window(0, 0.0, 7.0)


class Looking:
    name, audio_hz, recognizer = "rgb", None, None

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def wanted(self, frame_times_s: np.ndarray) -> set[int]:
        return {0, 2, 4}

    def score(self, chunk: Chunk) -> list[Answer]:
        self.shown = [chunk.media[0].frames[i] for i in (0, 2, 4)]
        assert chunk.media[0].audio is None
        return [Answer(StreamScore("rgb", WINDOW, np.array([1.0], np.float32)))]


class Listening(Looking):
    name, audio_hz = "audio", 16000


def test_one_picture_and_no_sound() -> None:
    looking = Looking()
    streams = Stills.of(Streams((looking, Listening()), 16000, {"backend": "torch"}))  # type: ignore[arg-type]
    assert streams.audio_hz is None
    still, silent = streams.in_order
    times_s = np.arange(5.0)
    assert still.wanted(times_s) == {2}
    assert silent.wanted(times_s) == set()
    picture = SimpleNamespace(time_s=2.0)
    media = WindowMedia(WINDOW, times_s, {2: picture}, np.zeros((9, 1), np.float32))  # type: ignore[dict-item]
    assert still.score(Chunk([media], None))[0].score.probs == np.ones(1, np.float32)
    assert looking.shown == [picture] * 3
    assert silent.score(Chunk([media], None))[0].score.silent == UNHEARD
