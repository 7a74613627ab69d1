"""The single-frame control: streams that are shown one picture of each window, and hear nothing.

What is still recognized needs no motion and no sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phar.media import Frame, WindowMedia
from phar.schema import StreamScore
from phar.streams.stream import Answer, Chunk, Stream
from phar.streams.table import Streams

#: Why a stream that listens is silent.
UNHEARD = "a single picture has no sound"


class _Repeated(Mapping[int, Frame]):
    """One frame for every index of a window."""

    def __init__(self, frame: Frame, num_frames: int) -> None:
        self._frame, self._num_frames = frame, num_frames

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < self._num_frames:
            raise KeyError(index)
        return self._frame

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._num_frames))

    def __len__(self) -> int:
        return self._num_frames


class _Still:
    """A stream that sees the middle frame wherever it looks."""

    def __init__(self, stream: Stream) -> None:
        self.name, self.recognizer = stream.name, stream.recognizer
        self.audio_hz: int | None = None
        self._stream = stream

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return the middle frame."""
        return set() if self._stream.audio_hz else {len(frame_times_s) // 2}

    def score(self, chunk: Chunk) -> list[Answer]:
        """Score every window of the chunk as if nothing in it moved."""
        if self._stream.audio_hz:
            return [Answer(StreamScore(self.name, media.window, silent=UNHEARD)) for media in chunk.media]
        return self._stream.score(replace(chunk, media=[_stilled(media) for media in chunk.media]))


@dataclass(frozen=True)
class Stills(Streams):
    """A profile's streams, each shown single pictures."""

    @classmethod
    def of(cls, streams: Streams) -> Stills:
        """Wrap loaded streams."""
        return cls(tuple(_Still(stream) for stream in streams.in_order), None, streams.runtime)


def _stilled(media: WindowMedia) -> WindowMedia:
    frame = media.frames[len(media.frame_times_s) // 2]
    return replace(media, frames=_Repeated(frame, len(media.frame_times_s)), audio=None)
