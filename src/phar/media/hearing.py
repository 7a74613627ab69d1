"""The sound of a window, read as far ahead as it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phar.media.audio import AudioTrack
from phar.media.demux import Demuxer
from phar.schema import Window


def heard(
    demuxer: Demuxer,
    track: AudioTrack,
    hz: int,
    origin_s: float,
    window: Window,
    *,
    next_start_s: float,
    lag_s: float,
) -> NDArray[np.float32] | None:
    """Return the samples of a window at `hz`; None if no sound can be decoded.

    origin_s: the video's first frame on the track's clock. next_start_s: where the next window begins; what
    lies before is forgotten. lag_s: how far the video may be read past the window while its sound is missing.
    """
    end_s = origin_s + window.end_s
    while track.reached_s < end_s:
        if (packet := demuxer.next_audio()) is not None:
            track.decode(packet)
        elif demuxer.ended:
            track.decode(None)
            track.flush()
            break
        elif demuxer.video_read_s > end_s + lag_s or not demuxer.can_read_ahead():
            track.flush()
            break
        else:
            demuxer.pump()
    if not track.num_frames and track.num_errors:
        return None
    zero = round(origin_s * hz)
    samples = track.read(zero + round(window.start_s * hz), zero + round(window.end_s * hz))
    track.forget(zero + round(next_start_s * hz))
    return samples


def listen(demuxer: Demuxer, track: AudioTrack) -> None:
    """Find out whether the sound can be decoded at all, for a reader that does not want it."""
    while (packet := demuxer.next_audio()) is not None:
        if not track.num_frames:
            track.decode(packet)
    if demuxer.ended and not track.num_frames:
        track.decode(None)
