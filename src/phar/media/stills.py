"""Single pictures spread over a video, for far less work than decoding it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error

from phar.media.demux import MAX_AHEAD_BYTES, Demuxer, Packet, held_bytes
from phar.media.frame import Converter, Frame
from phar.media.source import Source, Warnings


def read_stills(
    path: str | Path, every_s: float, max_gap_s: float, num_threads: int | None = None
) -> Iterator[Frame]:
    """Yield key frames, at most one in `every_s` seconds, in order; each is converted only when asked.

    Encoders set a key frame at a change of shot and every few seconds, so they are decoded alone. Where
    they lie more than `max_gap_s` apart, the frames between are decoded as well, those that no other frame
    needs left out. Times are those of `MediaReader`: seconds from the first frame. Damaged stretches hold
    no pictures.

    Raises:
        MediaError: the file cannot be opened.
    """
    source = Source(path, num_threads)
    try:
        yield from _stills(source, every_s, max_gap_s)
    finally:
        source.close()


def _stills(source: Source, every_s: float, max_gap_s: float) -> Iterator[Frame]:
    demuxer = Demuxer(source, False, Warnings())
    converter = Converter()
    tick_s = float(demuxer.time_base)
    context = source.video.codec_context
    origin: int | None = None
    due_s = 0.0
    for group, end in _groups(demuxer):
        start = group[0].pts if group[0].pts is not None else group[0].dts
        if start is None:
            continue
        if origin is None:
            origin = start
        begin_s, end_s = (start - origin) * tick_s, (end - origin) * tick_s
        if begin_s < due_s and end_s <= due_s + every_s:
            continue
        between = end_s - begin_s > max_gap_s
        context.skip_frame = "NONREF" if between else "NONKEY"
        for stored in _decoded(source, group if between else group[:1]):
            ticks = stored.pts if stored.pts is not None and not demuxer.timed_by_dts else stored.dts
            time_s = begin_s if ticks is None else max(0.0, (ticks - origin) * tick_s)
            if time_s + tick_s >= due_s or not between:
                yield Frame(time_s, source.geometry(stored), stored, converter)
                due_s = time_s + every_s


def _groups(demuxer: Demuxer) -> Iterator[tuple[list[Packet], int]]:
    """Yield the packets from each key frame to the next, and when the next, or the last frame, is shown.

    Of a group too large to be held the rest is left out.
    """
    group: list[Packet] = []
    num_bytes = end = 0
    while (packet := demuxer.next_video()) is not None:
        shown = packet.pts if packet.pts is not None else packet.dts
        end = end if shown is None else max(end, shown)
        if packet.is_keyframe:
            if group:
                yield group, end if shown is None else shown
            group, num_bytes = [packet], held_bytes(packet)
        elif group and num_bytes < MAX_AHEAD_BYTES:
            group.append(packet)
            num_bytes += held_bytes(packet)
    if group:
        yield group, end


def _decoded(source: Source, packets: list[Packet]) -> Iterator[av.VideoFrame]:
    """Yield the frames of packets that need nothing from before, all of them, and reset the decoder."""
    context = source.video.codec_context
    try:
        for packet in (*packets, None):
            try:
                yield from context.decode(packet)
            except (av.error.FFmpegError, ValueError, MemoryError):
                continue
    finally:
        context.flush_buffers()
