"""What every stream is: windows in, one answer a window out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phar.media import WindowMedia
from phar.openmmlab import ClipSpec
from phar.schema import Poses, StreamScore


@dataclass(frozen=True)
class Chunk:
    """Consecutive windows that are scored together, so that nets run in batches."""

    media: Sequence[WindowMedia]
    """One entry per window: its frames and sound."""
    rgb: Sequence[StreamScore] | None
    """RGB's answers, one per window, for the other streams' gates; None if RGB is switched off."""

    def rgb_score(self, position: int) -> StreamScore | None:
        """Return RGB's answer for the window at `position` in this chunk."""
        return None if self.rgb is None else self.rgb[position]


@dataclass(frozen=True)
class Answer:
    """One stream's score for one window, with the persons it saw on the way."""

    score: StreamScore
    poses: Poses | None = None


class Described(Protocol):
    """A net that says what runs it."""

    def describe(self) -> dict[str, Any]:
        """Return at least `backend`, `device` and `precision`."""


class Stream(Protocol):
    """One way of looking at a window."""

    name: str
    audio_hz: int | None
    """Sample rate of the sound it listens to, None if it does not."""
    recognizer: Described

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return the indices, within a window, of the frames this stream may need.

        frame_times_s: (n,) source time of every frame of the window, n >= 1.
        """

    def score(self, chunk: Chunk) -> list[Answer]:
        """Score every window of the chunk, in order; silence carries its reason."""


def shown_frames(clip: ClipSpec, frame_times_s: NDArray[np.float64]) -> list[int]:
    """Return the indices of the frames a net is shown of a window, clip after clip.

    frame_times_s: (n,) source time of every frame of the window, n >= 1.
    """
    num_frames = len(frame_times_s)
    span_s = float(frame_times_s[-1] - frame_times_s[0])
    fps = (num_frames - 1) / span_s if span_s > 0 else None
    return [int(i) for i in clip.frame_indices(num_frames, frame_times_s, fps)]


def shown_pictures(clip: ClipSpec, media: WindowMedia) -> NDArray[np.uint8]:
    """Return the frames a net is shown of one window, (T, H, W, 3), of the size its resizing gives."""
    indices = shown_frames(clip, media.frame_times_s)
    pictures = {}
    for i in set(indices):
        frame = media.frames[i]
        pictures[i] = frame.to_rgb(*clip.frame_size(frame.width_px, frame.height_px))
    return np.stack([pictures[i] for i in indices])
