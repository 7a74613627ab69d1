"""A span of a long video: its pictures and its sound, reached by a seek."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from phar.media.audio import AudioTrack
from phar.media.frame import Converter, Frame
from phar.media.reader import read_frames
from phar.media.source import Source, Warnings, first_frame

#: How far before the span is sought: containers find key pictures by their time of decoding.
_MARGIN_S = 1.0

#: Times this near to each other are the same.
_EDGE_S = 1e-6


def frames_between(path: str | Path, start_s: float, end_s: float) -> Iterator[Frame]:
    """Yield the picture on show at `start_s` and all that begin in [start_s, end_s), in order.

    Times are source time: 0 is the first picture of the video. A file that cannot be sought in is read
    from its beginning.

    Raises:
        MediaError: the file cannot be opened or decoded.
    """
    frames: Generator[Frame, None, None] = _sought(path, start_s)
    first = next(frames, None)
    if first is None or first.time_s > max(start_s, 0.0) + _EDGE_S:
        frames = read_frames(path)
        first = next(frames, None)
    held: Frame | None = None
    with contextlib.closing(frames):
        for frame in () if first is None else chain([first], frames):
            if frame.time_s >= end_s - _EDGE_S:
                break
            if frame.time_s <= start_s + _EDGE_S:
                held = frame
                continue
            if held is not None:
                yield held
                held = None
            yield frame
    if held is not None:
        yield held


def sound_between(
    path: str | Path, start_s: float, end_s: float, rate_hz: int, num_channels: int | None = 2
) -> NDArray[np.float32] | None:
    """Return the sound of [start_s, end_s), (samples, channels) in [-1, 1]; None if the file has none.

    `num_channels` None: those of `WindowMedia.audio`, one for mono and else two.

    Raises:
        MediaError: the file cannot be opened, or has no video track.
    """
    with contextlib.closing(Source(path, num_threads=1)) as source:
        stream = source.audio
        first = first_frame(source)
        if stream is None or first is None or first.pts is None or not source.video.time_base:
            return None
        origin_s = float(first.pts * source.video.time_base)
        num_channels = num_channels or min(2, max(1, stream.codec_context.layout.nb_channels))
        zero = round(origin_s * rate_hz)
        begin, end = zero + round(start_s * rate_hz), zero + round(end_s * rate_hz)
        for early_s in (_MARGIN_S, 10 * _MARGIN_S, start_s + origin_s + 1):
            track = AudioTrack(stream, rate_hz, Warnings(), num_channels)
            first_s = None
            source.container.seek(round(max(0.0, origin_s + start_s - early_s) * av.time_base))
            with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
                for packet in source.demux(stream):
                    if first_s is None and packet.pts is not None:
                        first_s = float(packet.pts * packet.time_base)
                    track.decode(packet if packet.size else None)
                    if track.reached_s >= end / rate_hz + 0.1:
                        break
            track.flush()
            if first_s is not None and first_s <= origin_s + start_s:
                break
        return track.read(begin, end)


def _sought(path: str | Path, start_s: float) -> Generator[Frame, None, None]:
    """Yield frames from a little before `start_s`; none if the file does not say when they are shown."""
    with contextlib.closing(Source(path)) as source:
        first = first_frame(source)
        base = source.video.time_base
        if first is None or first.pts is None or base is None or source.container.format.name == "avi":
            return
        geometry = source.geometry(first)
        converter = Converter()
        target = first.pts + round(max(0.0, start_s - _MARGIN_S) / base)
        with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
            source.container.seek(target, stream=source.video, backward=True)
            for packet in source.demux(source.video):
                for stored in packet.decode():
                    if stored.pts is not None and stored.pts >= first.pts:
                        yield Frame(float((stored.pts - first.pts) * base), geometry, stored, converter)
