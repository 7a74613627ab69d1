"""Samples of one's own videos: clips of which the pipeline picks frames, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phar.media import Frame, frames_between, probe
from phar.openmmlab.clips import ClipSpec
from phar.openmmlab.training import ClipRecord
from phar.schema import MediaError
from phar.training.examples import REFERENCE_HZ, Drawn, Labelled, Order

#: Frames are made this much larger than the net sees them, so that there is something to crop.
_ROOM = 8 / 7
#: Short side of frames whose size the config's first step does not tell.
_SHORT_SIDE_PX = 256

Size = Callable[[int, int], tuple[int, int]]


class VideoExamples(Drawn):
    """Clips of videos; each is a span, reached by a seek."""

    def __init__(
        self,
        examples: Labelled,
        size: int,
        order: Order | None,
        window_s: float,
        seed: int,
        *,
        clip: ClipSpec,
        sampling: str,
    ) -> None:
        super().__init__(examples, size, order, window_s, seed)
        # Without an order nothing is cropped at random: frames are as deployed streams get them.
        self._frame_size = clip.frame_size if order is None else partial(_frame_size, clip)
        self._by_time = sampling == "seconds"

    def __getitem__(self, position: int) -> ClipRecord:
        clip, label = self.at(position)
        start_s, end_s = self.span(position, clip.end_s - clip.start_s)
        fps = REFERENCE_HZ if self._by_time else _fps(clip.video)
        read = partial(read_at, clip.video, clip.start_s + start_s, fps, self._frame_size)
        return ClipRecord(max(1, round((end_s - start_s) * fps)), fps, read, label)


def read_at(
    video: Path, start_s: float, fps: float, frame_size: Size, numbers: NDArray[np.int64]
) -> list[NDArray[np.uint8]]:
    """Return what is on show in the middle of each of the numbered parts of 1/fps from `start_s` on.

    Pictures are (H, W, 3) RGB, of the size that `frame_size` gives for the video's. Raises MediaError where
    nothing of it can be decoded.
    """
    wanted = sorted(set(numbers.tolist()))
    shown: dict[int, Frame] = {}
    held: Frame | None = None
    left = list(reversed(wanted))
    for frame in frames_between(video, start_s, start_s + (wanted[-1] + 1) / fps):
        while left and held is not None and start_s + (left[-1] + 0.5) / fps < frame.time_s:
            shown[left.pop()] = held
        held = frame
    if held is None:
        raise MediaError(
            f"{video}: nothing is shown from {start_s:.3f} s on; take the clip out of the manifest"
        )
    shown |= dict.fromkeys(left, held)
    pictures = {
        number: frame.to_rgb(*frame_size(frame.width_px, frame.height_px)) for number, frame in shown.items()
    }
    return [pictures[number] for number in numbers.tolist()]


def _frame_size(clip: ClipSpec, width_px: int, height_px: int) -> tuple[int, int]:
    seen = clip.frame_size(width_px, height_px)
    if seen == (width_px, height_px):
        factor = min(1.0, _SHORT_SIDE_PX / min(seen))
        return max(1, round(width_px * factor)), max(1, round(height_px * factor))
    factor = max(1.0, min(_ROOM, width_px / seen[0], height_px / seen[1]))
    return round(seen[0] * factor), round(seen[1] * factor)


@lru_cache(maxsize=4096)
def _fps(video: Path) -> float:
    return float(probe(video).fps)
