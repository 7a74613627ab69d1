"""Put decoded frames and samples together into windows, in one pass over the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from phar.media.audio import AudioTrack
from phar.media.demux import MAX_GAP_S, Demuxer, Packet
from phar.media.frame import Converter, Frame, Geometry
from phar.media.hearing import heard, listen
from phar.media.open_window import OpenWindow, nearest_of, shrunk
from phar.media.plan import Plan
from phar.media.source import DAMAGED_PACKET, OUT_OF_ORDER, Source, Warnings, average_fps, problems_of
from phar.schema import MediaError, Video, Window

Piece = tuple[Window, NDArray[np.float64], Mapping[int, Frame], NDArray[np.float32] | None]

#: Timestamps this near to a window's edge lie on it.
_EDGE_S = 1e-6

#: Packets that may fail in a row before the first picture.
_MAX_FAILED_PACKETS = 3000

#: Pictures of a span are decoded from this long before it on, so that the picture before its first is known.
_SPAN_LEAD_S = 1.0

#: How far the video may be read past a window while its sound has not come; of a live source, whose sound
#: may have gone for good while somebody waits for the pictures.
_AUDIO_LAG_S = 10.0
_AUDIO_LAG_LIVE_S = 0.3

#: Longest video; a few kilobytes may claim years of one held picture.
_LONGEST_S = 7 * 24 * 3600.0

#: Shortest time that a picture counts as shown.
_SHORTEST_S = 1e-4

#: Frames out of order in a row after which timestamps are given up for counting.
_MAX_STEPS_BACK = 3


class Assembly:
    """Windows of one opened source, made one after the other by `windows`."""

    def __init__(
        self,
        source: Source,
        plan: Plan,
        warnings: Warnings,
        *,
        converter: Converter,
        stopped: Callable[[], bool],
    ) -> None:
        self._source = source
        self._plan = plan
        self._window_s = plan.window_s
        self._stride_s = Fraction(str(plan.stride_s))
        self._span_start_s = self._start_s(plan.windows[0]) - _SPAN_LEAD_S
        self._converter = converter
        self._warnings = warnings
        self._stopped = stopped
        self.claimed_fps = source.fps
        self._demuxer = Demuxer(source, True, warnings, plan.live)
        self._audio_lag_s = _AUDIO_LAG_LIVE_S if plan.live else _AUDIO_LAG_S
        self._audio_hz = plan.audio_hz
        self._track = None
        if source.audio is not None:
            num_channels = min(2, max(1, source.audio.codec_context.layout.nb_channels))
            self._track = AudioTrack(source.audio, plan.audio_hz or 16000, warnings, num_channels)
        if source.audio_problem:
            warnings.add(source.audio_problem)
        self._tick_s = self._demuxer.time_base
        self._geometry: Geometry = source.geometry(None)
        self._origin: int | None = None
        self._passed: int | None = None
        self._delay = 0
        self._last_ticks: int | None = None
        self._steps_back = 0
        self._counting = False
        self._previous: Frame | None = None
        self._num_frames = 0
        self.num_own_frames = 0
        """Frames decoded that begin in the span that is read."""
        self._next = 0
        self._open: list[OpenWindow] = []
        self.video = Video(
            path=source.path,
            duration_s=source.claimed_duration_s,
            fps=self.claimed_fps,
            width_px=self._geometry.width_px,
            height_px=self._geometry.height_px,
            has_audio=source.audio is not None,
        )
        """The container's claim; exact once `windows` is exhausted."""

    @property
    def origin_s(self) -> float:
        """The first frame's timestamp on the file's own clock, seconds."""
        return float((self._origin or 0) * self._tick_s)

    def windows(self) -> Iterator[Piece]:
        """Decode the file and yield the windows asked for, in order.

        Raises:
            MediaError: nothing could be decoded.
        """
        end = self._plan.windows[1]
        for piece in self._all_windows():
            index = piece[0].index
            if self._plan.takes(index):
                yield piece
            if end is not None and index + 1 >= end:
                return

    def _all_windows(self) -> Iterator[Piece]:
        """Yield every window; those that were not asked for have no pictures."""
        last: av.VideoFrame | None = None
        for stored in self._decode():
            if isinstance(stored, float):
                yield from self._advance(min(stored, _LONGEST_S))
                continue
            ticks = self._ticks_of(stored)
            if ticks is None:
                continue
            if self._origin is None:
                self._begin(stored, ticks)
            if self._seconds(ticks) > _LONGEST_S:
                self._warnings.add(
                    f"video: what follows the first {_LONGEST_S / 3600:.0f} hours was left out"
                )
                break
            last = stored
            self._last_ticks = ticks
            self._num_frames += 1
            frame = Frame(self._seconds(ticks), self._geometry, stored, self._converter)
            self.num_own_frames += self._is_own(frame.time_s)
            yield from self._advance(frame.time_s)
            self._serve(frame)
            self._previous = frame
        if last is None:
            if self._stopped():
                return
            raise MediaError(f"{self._source.path}: {self._source.why_nothing_decoded()}")
        if not self._stopped():
            yield from self._end(last)

    def _decode(self) -> Iterator[av.VideoFrame | float]:
        """Yield every frame, and the time (s) at which a group of pictures that is left out ends."""
        context = self._source.video.codec_context
        failed = 0
        while not self._stopped():
            packet = self._demuxer.next_video()
            if packet is not None and (end_s := self._unneeded_until(packet)) is not None:
                # What the decoder still holds back comes before what is left out.
                yield from self._frames_of(None) or []
                context.flush_buffers()
                self._pass_over()
                yield end_s
                continue
            frames = self._frames_of(packet)
            if frames is None:
                failed += 1
                if self._origin is None and failed >= _MAX_FAILED_PACKETS:
                    return
                continue
            yield from frames
            if packet is None:
                return

    def _frames_of(self, packet: Packet | None) -> list[av.VideoFrame] | None:
        """Decode one packet, or (None) what the decoder still holds; None if the packet is damaged."""
        context = self._source.video.codec_context
        try:
            frames = context.decode(packet)
        except EOFError:
            return []
        except (av.error.FFmpegError, ValueError, MemoryError):
            self._warn(DAMAGED_PACKET, self._time_of(packet))
            return None
        for frame in frames:
            for problem in problems_of(frame):
                self._warn(problem, self._time_of(frame))
        return frames

    def _warn(self, text: str, ticks: int | None) -> None:
        """Warn of something in the pictures at a time, unless another span's reader does."""
        if ticks is None or self._plan.windows == (0, None) or self._is_own(self._seconds(ticks)):
            self._warnings.add(text)

    def _is_own(self, time_s: float) -> bool:
        """Tell whether a time lies in the span that is read, as every time does in one of a video's spans."""
        first, end = self._plan.windows
        return (not first or self._start_s(first) <= time_s) and (end is None or time_s < self._start_s(end))

    def _time_of(self, item: Packet | av.VideoFrame | None) -> int | None:
        """The item's own claim of when it is shown, ticks."""
        return None if item is None else item.dts if self._demuxer.timed_by_dts else item.pts

    def _unneeded_until(self, packet: Packet) -> float | None:
        """Return where the group of pictures that `packet` begins ends, if no one needs it; seconds.

        The first group, which fixes time 0, and the last, which fixes the end, are always needed.
        """
        if self._origin is None or not packet.is_keyframe:
            return None
        start = packet.dts if self._demuxer.timed_by_dts else packet.pts
        if start is None or (self._plan.needed is None and self._seconds(start) >= self._span_start_s):
            return None
        end = self._demuxer.next_key()
        if end is None or end <= start:
            return None
        start_s, end_s = self._seconds(start), self._seconds(end)
        if end_s > self._span_start_s and (self._plan.needed is None or self._plan.needed(start_s, end_s)):
            return None
        self._passed = end
        return end_s

    def _pass_over(self) -> None:
        """Leave out the packets up to the next key frame."""
        self._num_frames += 1
        packets = self._demuxer.video_packets
        while packets and not packets[0].is_keyframe:
            self._demuxer.next_video()
            self._num_frames += 1

    def _begin(self, stored: av.VideoFrame, ticks: int) -> None:
        """Fix time 0 and the geometry at the first frame."""
        self._origin = ticks
        self._geometry = self._source.geometry(stored)
        self.video = Video(
            path=self.video.path,
            duration_s=self.video.duration_s,
            fps=self.claimed_fps,
            width_px=self._geometry.width_px,
            height_px=self._geometry.height_px,
            has_audio=self.video.has_audio,
        )

    def _ticks_of(self, stored: av.VideoFrame) -> int | None:
        """Time of a frame, strictly after the one before; None for a frame to leave out."""
        demuxer, last = self._demuxer, self._last_ticks
        ticks = stored.dts if demuxer.timed_by_dts else stored.pts
        if ticks is None and not demuxer.timed_by_dts:
            ticks = stored.dts
        if demuxer.timed_by_dts and ticks is not None:
            if last is None and demuxer.first_dts is not None:
                delay = ticks - demuxer.first_dts
                self._delay = delay if 0 <= delay <= 32 * demuxer.frame_ticks else 0
            ticks -= self._delay
        if last is None:
            return ticks if ticks is not None else (demuxer.first_dts or 0)
        if ticks is None or self._counting:
            return last + demuxer.frame_ticks
        if (ticks - max(last, self._passed or last)) * self._tick_s > MAX_GAP_S:
            self._warnings.add("video: a timestamp made no sense; the frame is timed by its number")
            return last + demuxer.frame_ticks
        if ticks > last:
            self._steps_back = 0
            return ticks
        self._steps_back += 1
        if self._steps_back >= _MAX_STEPS_BACK:
            self._counting = True
            self._warnings.add("video: timestamps make no sense; frames are timed by their number")
            return last + demuxer.frame_ticks
        self._warn(OUT_OF_ORDER, last)
        return None

    def _seconds(self, ticks: int) -> float:
        return float((ticks - (self._origin or 0)) * self._tick_s)

    def _ticks(self, seconds: float) -> int:
        """First tick at or after a time, counting times within the edge tolerance."""
        return (self._origin or 0) + math.ceil((Fraction(seconds) - Fraction(_EDGE_S)) / self._tick_s)

    def _start_s(self, index: int) -> float:
        return float(index * self._stride_s)

    def _advance(self, time_s: float) -> Iterator[Piece]:
        """Open windows that have begun and close those that are over when a frame begins at `time_s`."""
        while True:
            start_s = self._start_s(self._next)
            first_end_s = self._open[0].window.end_s if self._open else math.inf
            begun = start_s <= time_s + _EDGE_S and start_s < first_end_s
            if begun and self._exists(self._next, self._claimed_end_s(start_s)):
                self._open_window(start_s)
            elif first_end_s <= time_s + _EDGE_S:
                yield self._close(self._open[0].window.end_s, time_s)
            else:
                return

    def _claimed_end_s(self, start_s: float) -> float:
        """Where the video ends, if reading a window ahead of `start_s` came upon its end; else infinity."""
        self._demuxer.expected(self._ticks(start_s), self._ticks(start_s + self._window_s))
        end = self._demuxer.claimed_end
        return math.inf if end is None else self._seconds(end)

    def _exists(self, index: int, duration_s: float) -> bool:
        """Whether a video of that length has that window: not if the one before reaches its end."""
        return index == 0 or self._start_s(index - 1) + self._window_s < duration_s

    def _open_window(self, start_s: float) -> None:
        begin, end = self._ticks(start_s), self._ticks(start_s + self._window_s)
        ticks = [t for t in self._demuxer.expected(begin, end) if t >= (self._origin or 0)]
        shortest_s = start_s + float(self._demuxer.frame_ticks * self._tick_s)
        claimed_end_s = max(shortest_s, self._claimed_end_s(start_s))
        window = Window(self._next, start_s, min(start_s + self._window_s, claimed_end_s))
        self._next += 1
        times_s = np.array([self._seconds(t) for t in ticks] or [start_s], np.float64)
        pending: list[int] = []
        if self._plan.takes(window.index):
            asked = self._plan.wanted(len(times_s), float(self.claimed_fps), window, times_s)
            pending = sorted({int(i) for i in asked})
        if pending and not 0 <= pending[0] <= pending[-1] < len(times_s):
            raise ValueError(f"wanted frames {pending[0]} to {pending[-1]} of a window of {len(times_s)}")
        opened = OpenWindow(
            window=Window(window.index, start_s, start_s + self._window_s),
            times_s=times_s,
            pending=pending,
            picture_bytes=self._plan.window_bytes / max(1, len(pending)),
        )
        self._open.append(opened)
        self._demuxer.forget(self._ticks(self._start_s(self._next)))

    def _serve(self, frame: Frame) -> None:
        """Give the frame to the windows that wait for it, or for one that never came."""
        kept: dict[Frame, Frame] = {}
        for opened in self._open:
            reached = frame.time_s + _EDGE_S
            while opened.pending and opened.times_s[opened.pending[0]] <= reached:
                index = opened.pending.pop(0)
                nearest = nearest_of(float(opened.times_s[index]), self._previous, frame)
                if nearest not in kept:
                    kept[nearest] = shrunk(nearest, opened.picture_bytes, self._converter)
                opened.frames[index] = kept[nearest]

    def _close(self, end_s: float, next_frame_s: float) -> Piece:
        """Finish the first open window: fill what is missing, add the sound."""
        opened = self._open.pop(0)
        window = Window(opened.window.index, opened.window.start_s, end_s)
        if self._previous is not None:
            for index in opened.pending:
                opened.frames[index] = shrunk(self._previous, opened.picture_bytes, self._converter)
        return window, opened.times_s, opened.frames, self._sound(window)

    def _sound(self, window: Window) -> NDArray[np.float32] | None:
        if self._track is None:
            return None
        if self._audio_hz is None:
            listen(self._demuxer, self._track)
            return None
        return heard(
            self._demuxer,
            self._track,
            self._audio_hz,
            self.origin_s,
            window,
            next_start_s=self._start_s(window.index + 1),
            lag_s=self._audio_lag_s,
        )

    def _end(self, last: av.VideoFrame) -> Iterator[Piece]:
        """Fix the duration and close the windows that are left."""
        assert self._last_ticks is not None
        length = last.duration or 0
        if not _SHORTEST_S <= length * self._tick_s <= MAX_GAP_S:
            length = self._demuxer.frame_ticks
        duration_s = round(self._seconds(self._last_ticks + length), 6)
        self._open = [opened for opened in self._open if self._exists(opened.window.index, duration_s)]
        while self._open or self._exists(self._next, duration_s):
            if self._exists(self._next, duration_s) and (
                not self._open or self._start_s(self._next) < self._open[0].window.end_s
            ):
                self._open_window(self._start_s(self._next))
            else:
                yield self._close(min(self._open[0].window.end_s, duration_s), duration_s)
        self._finish(duration_s)

    def _finish(self, duration_s: float) -> None:
        track = self._track
        heard = track is not None and track.num_frames > 0
        if track is not None and not heard:
            self._warnings.add("audio: no sound could be decoded from the audio track")
        self.video = Video(
            path=self.video.path,
            duration_s=duration_s,
            fps=average_fps(self.claimed_fps, self._num_frames, duration_s),
            width_px=self.video.width_px,
            height_px=self.video.height_px,
            has_audio=heard,
        )
