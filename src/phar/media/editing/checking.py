"""The written video compared with its source where pieces meet, by decoding both.

A join that some decoder state spoils shows within a few pictures; what is copied must come out as it
comes out of the source, what was encoded as it went into the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from phar.media.editing.decoding import PictureReader
from phar.media.editing.packets import Unfit, only
from phar.media.editing.splicing import CHECKED_PICTURES, Splice, thumbnail
from phar.media.source import Source, first_frame

#: Mean difference of grey levels between a thumbnail and its source that encoding may cause.
_MAX_DIFFERENCE = 6.0

#: Containers find key pictures by their time of decoding, which lies this much earlier at most.
_SEEK_MARGIN_S = 1.0


def check_joins(written: Path, splice: Splice) -> None:
    """Compare the pictures around every join.

    Raises:
        Unfit: a picture is missing, or is another than it should be.
    """
    order = splice.order
    by_time = np.argsort(order.shown)
    times = order.shown[by_time]
    pieces = order.piece[by_time]
    joins = np.flatnonzero(np.diff(pieces)) + 1
    if not len(joins):
        return
    windows = _merged([(max(0, j - CHECKED_PICTURES), min(len(times), j + CHECKED_PICTURES)) for j in joins])
    expected = PictureReader(splice.path, splice.index)
    try:
        found = _decoded(written, times, splice, windows)
        for first, last in windows:
            ranks = order.ranks[by_time[first:last]]
            copied = order.copied[by_time[first:last]]
            for place, (rank, is_copy) in enumerate(zip(ranks.tolist(), copied.tolist(), strict=True)):
                number, seen = next(found, (-1, None))
                if number != first + place or seen is None:
                    raise Unfit("its pieces do not decode as one video")
                if is_copy:
                    (_, frame), *_ = expected.pictures(rank, rank + 1)
                    wanted = thumbnail(frame)
                else:
                    wanted = splice.thumbnails[rank]
                if np.abs(seen.astype(int) - wanted).mean() > _MAX_DIFFERENCE:
                    raise Unfit("its pieces do not decode as one video")
    finally:
        expected.close()


def _merged(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in windows:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _decoded(
    written: Path, times: NDArray[np.int64], splice: Splice, windows: list[tuple[int, int]]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (number, thumbnail) of the written pictures in the windows, each reached by a seek."""
    source = Source(written)
    try:
        video = source.video
        only(source, video)
        base = video.time_base
        assert base is not None
        seconds = [float(time * splice.index.time_base) for time in times.tolist()]
        # The muxer may move everything so that no time is negative.
        first = first_frame(source)
        if first is None or first.pts is None:
            return
        shift_s = float(first.pts * base) - seconds[0]
        half_s = float(splice.index.step * splice.index.time_base) / 2
        for begin, last in windows:
            target = round((seconds[begin] + shift_s - _SEEK_MARGIN_S) / base)
            source.container.seek(max(0, target), stream=video, backward=True)
            number = begin
            for frame in source.container.decode(video):
                if frame.pts is None:
                    continue
                at_s = float(frame.pts * base) - shift_s
                if at_s < seconds[begin] - half_s:
                    continue
                if frame.is_corrupt or abs(at_s - seconds[number]) > half_s + 0.002:
                    return
                yield number, thumbnail(frame)
                number += 1
                if number == last:
                    break
    except (av.error.FFmpegError, ValueError, OSError):
        return
    finally:
        source.close()
