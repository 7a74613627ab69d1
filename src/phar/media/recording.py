"""Files of sound alone: what their container claims, and their samples."""

from __future__ import annotations

import contextlib
from pathlib import Path

import av.error
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from phar.media.audio import AudioTrack
from phar.media.source import Warnings, open_container
from phar.schema import MediaError


def has_pictures(path: str | Path) -> bool:
    """Tell whether a file has a video track; the cover of an album is none.

    Raises:
        MediaError: the file cannot be opened.
    """
    with contextlib.closing(open_container(str(path))) as container:
        return any(not s.disposition & s.disposition.attached_pic for s in container.streams.video)


def recording_s(path: str | Path) -> float:
    """Return the length of a file of sound in seconds, as its container claims it; 0 where it claims none.

    Raises:
        MediaError: the file cannot be opened, or holds no sound.
    """
    with contextlib.closing(open_container(str(path))) as container:
        stream = _sound(container, path)
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / 1e6


def read_recording(path: str | Path, rate_hz: int) -> NDArray[np.float32]:
    """Return all of a file of sound, (samples, channels) in [-1, 1], from its first sample on.

    Channels are those of `WindowMedia.audio`: one for mono, else two.

    Raises:
        MediaError: the file cannot be opened, or holds no sound that can be decoded.
    """
    with contextlib.closing(open_container(str(path))) as container:
        stream = _sound(container, path)
        num_channels = min(2, max(1, stream.codec_context.layout.nb_channels))
        track = AudioTrack(stream, rate_hz, Warnings(), num_channels)
        with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
            for packet in container.demux(stream):
                track.decode(packet if packet.size else None)
        track.flush()
    if not track.num_frames:
        raise MediaError(f"{path}: no sound could be decoded; the file is damaged or encrypted")
    return track.read(track.first, track.end)


def _sound(container: InputContainer, path: str | Path) -> av.AudioStream:
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if not streams:
        raise MediaError(f"{path}: no sound track that can be decoded")
    return streams[0]
