"""Read packets ahead of the decoder, so that the frames of a window are counted before they are decoded."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import av
import av.error
from av.container.core import Flags
from av.packet import Packet as AnyPacket
from av.stream import Stream

from phar.media.source import Source, Warnings

# A string, because packets are generic to type checkers only.
Packet: TypeAlias = "AnyPacket[Stream]"

#: A longer silence between two timestamps of a stream is a damaged clock, not a
#: held picture, and is closed up; so is a step back longer than `_STEP_BACK_S`.
MAX_GAP_S = 600.0
_STEP_BACK_S = 1.0

#: Bytes of packets held ahead of the decoder before reading ahead stops.
MAX_AHEAD_BYTES = 256 << 20

#: What a packet takes beside its data, roughly; a file may be made of a million tiny ones.
_PACKET_BYTES = 1024

#: Presentation times may precede decoding times by a few frames in odd files, and wait for them costs
#: nothing; where somebody waits, it is enough to allow for what encoders of live streams do.
_REORDER_FRAMES = 20
_REORDER_FRAMES_LIVE = 4

_MAX_ERRORS_IN_A_ROW = 50


@dataclass
class StreamClock:
    """One stream's timestamps, with jumps closed up; seconds."""

    next_s: float | None = None
    """Where the next packet is expected to begin."""
    begin_s: float = 0.0
    """Where the last packet began."""
    length_s: float = 0.0
    """The last distance between packets, for packets that do not tell their length."""
    offset_s: float = 0.0
    """What is added to the stream's timestamps."""


class Demuxer:
    """Packets of one video stream and, if asked, one audio stream, in file order.

    Times are in the video stream's ticks (`time_base`) unless a name ends in _s.
    """

    def __init__(self, source: Source, read_audio: bool, warnings: Warnings, live: bool = False) -> None:
        self._source = source
        self._reorder_frames = _REORDER_FRAMES_LIVE if live else _REORDER_FRAMES
        self._warnings = warnings
        self.video = source.video
        self.audio = source.audio if read_audio else None
        self.video_packets: deque[Packet] = deque()
        self.audio_packets: deque[Packet] = deque()
        self.ended = False
        self.time_base: Fraction = source.video.time_base or Fraction(1, 90000)
        self.frame_ticks = max(1, round(1 / (source.fps * self.time_base)))
        # AVI stores no presentation times; what libav invents for them is wrong where the
        # codec reorders, so the frames are timed by their decoding times, less the delay.
        self.timed_by_dts = source.container.format.name == "avi"
        if self.timed_by_dts:
            source.container.flags &= ~Flags.gen_pts.value  # type: ignore[operator]
        self.first_dts: int | None = None
        self._expected: list[int] = []
        self._newest_dts: int | None = None
        self._latest_end: int | None = None
        self._forgotten = -(1 << 62)
        self._bytes_ahead = 0
        self._audio_bytes = 0
        self._errors_in_a_row = 0
        self._clocks = {"video": StreamClock(), "audio": StreamClock()}
        self._packets = self._demux()

    def pump(self) -> bool:
        """Read one packet into its queue; False at the end of the file."""
        if self.ended:
            return False
        try:
            packet = next(self._packets)
        except StopIteration:
            self.ended = True
            return False
        except (av.error.FFmpegError, ValueError, OSError):
            self._warnings.add("container: a damaged part was skipped")
            self._errors_in_a_row += 1
            self.ended = self._errors_in_a_row >= _MAX_ERRORS_IN_A_ROW
            self._packets = self._demux()
            return not self.ended
        self._errors_in_a_row = 0
        if not packet.size:
            return True
        if packet.stream_index == self.video.index:
            straighten(packet, self._clocks["video"], self._clocks["audio"], self._warnings)
            self._note(packet)
            self.video_packets.append(packet)
            self._bytes_ahead += held_bytes(packet)
        else:
            straighten(packet, self._clocks["audio"], self._clocks["video"], self._warnings)
            self._queue_audio(packet)
        return True

    def next_video(self) -> Packet | None:
        """Take the next video packet; None at the end of the file."""
        while not self.video_packets:
            if not self.pump():
                return None
        packet = self.video_packets.popleft()
        self._bytes_ahead -= held_bytes(packet)
        return packet

    def next_audio(self) -> Packet | None:
        """Take the next audio packet of those that were read; None if there is none."""
        if not self.audio_packets:
            return None
        packet = self.audio_packets.popleft()
        self._audio_bytes -= held_bytes(packet)
        return packet

    def put_back_audio(self, packet: Packet) -> None:
        """Put back a packet that `next_audio` gave."""
        self.audio_packets.appendleft(packet)
        self._audio_bytes += held_bytes(packet)

    def next_key(self) -> int | None:
        """Look ahead for the next key frame that is still to be taken, and return when it is shown.

        None if the file ends before one comes, or if it lies too far ahead.
        """
        looked_at = 0
        while True:
            while looked_at < len(self.video_packets):
                packet = self.video_packets[looked_at]
                if packet.is_keyframe:
                    return packet.dts if self.timed_by_dts else packet.pts
                looked_at += 1
            if not self.can_read_ahead() or not self.pump():
                return None

    def drop_video(self) -> None:
        """Forget the video packets read so far, for a consumer of sound alone."""
        self.video_packets.clear()
        self._expected.clear()
        self._bytes_ahead = 0

    def expected(self, start: int, end: int) -> list[int]:
        """Times of the frames in [start, end), read ahead as far as that takes; sorted."""
        while self._known_until() < end and self.can_read_ahead() and self.pump():
            pass
        times = self._expected[bisect_left(self._expected, start) : bisect_left(self._expected, end)]
        if not self.ended and not self.can_read_ahead():
            known = times[-1] + self.frame_ticks if times else start
            times += range(known, end, self.frame_ticks)
        return times

    def forget(self, before: int) -> None:
        """Drop expected times that no later window needs."""
        self._forgotten = before
        del self._expected[: bisect_left(self._expected, before)]

    def can_read_ahead(self) -> bool:
        """Whether there is room for more packets ahead of the decoder."""
        return self._bytes_ahead < MAX_AHEAD_BYTES

    @property
    def claimed_end(self) -> int | None:
        """Where the last frame ends, as the packets say; None until they are all read."""
        return self._latest_end if self.ended else None

    @property
    def video_read_s(self) -> float:
        """How far the video has been read, in stream time."""
        return float((self._newest_dts or 0) * self.time_base)

    def _demux(self) -> Iterator[Packet]:
        streams = (self.video,) if self.audio is None else (self.video, self.audio)
        return self._source.demux(*streams)

    def _queue_audio(self, packet: Packet) -> None:
        """Queue a packet, at the cost of the oldest where a file holds far more sound than pictures."""
        self.audio_packets.append(packet)
        self._audio_bytes += held_bytes(packet)
        while self._audio_bytes > MAX_AHEAD_BYTES:
            self.next_audio()
            self._warnings.add("audio: sound too far from its pictures was left out")

    def _known_until(self) -> int:
        if self._newest_dts is None:
            return -(1 << 62)
        return self._newest_dts - self._reorder_frames * self.frame_ticks

    def _note(self, packet: Packet) -> None:
        """Write down when the packet's frame will be shown."""
        dts = packet.dts
        pts = dts if self.timed_by_dts else packet.pts
        if pts is None:
            pts = dts
        if pts is None:
            pts = self._expected[-1] + self.frame_ticks if self._expected else 0
        if self.first_dts is None:
            self.first_dts = dts
        reached = min(pts, dts) if dts is not None else pts
        if self._newest_dts is None or reached > self._newest_dts:
            self._newest_dts = reached
        if not packet.is_discard:
            if pts >= self._forgotten:
                insort(self._expected, pts)
            length = packet.duration or self.frame_ticks
            if self._latest_end is None or pts + length > self._latest_end:
                self._latest_end = pts + length


def held_bytes(packet: Packet) -> int:
    """Return the memory that a packet takes, roughly."""
    return packet.size + _PACKET_BYTES


def straighten(packet: Packet, clock: StreamClock, other: StreamClock, warnings: Warnings) -> None:
    """Close up jumps of the stream's clock by shifting the packet's timestamps."""
    base = packet.time_base
    if not base:
        return
    if packet.pts is not None and packet.dts is not None and abs(packet.pts - packet.dts) * base > MAX_GAP_S:
        warnings.add(f"{packet.stream.type}: a time to be shown at made no sense")
        packet.pts = packet.dts
    raw = packet.dts if packet.dts is not None else packet.pts
    if raw is None:
        return
    raw_s = float(raw * base)
    begin_s = raw_s + clock.offset_s
    if clock.next_s is not None and not packet.is_discard:
        jump_s = begin_s - clock.next_s
        if jump_s > MAX_GAP_S or jump_s < -_STEP_BACK_S:
            # Both streams of a file jump at the same place: follow the one that jumped first.
            moved_s = raw_s + other.offset_s - clock.next_s
            if -_STEP_BACK_S <= moved_s <= MAX_GAP_S and other.offset_s != clock.offset_s:
                clock.offset_s = other.offset_s
            else:
                clock.offset_s = clock.next_s - raw_s
            begin_s = raw_s + clock.offset_s
            warnings.add(f"{packet.stream.type}: the clock jumped and was straightened")
    if clock.offset_s:
        shift = round(clock.offset_s / base)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
    if not packet.is_discard:
        if clock.next_s is not None and 0 < begin_s - clock.begin_s < MAX_GAP_S:
            clock.length_s = begin_s - clock.begin_s
        length_s = float((packet.duration or 0) * base)
        clock.begin_s = begin_s
        clock.next_s = begin_s + (length_s if 0 < length_s < MAX_GAP_S else clock.length_s)
