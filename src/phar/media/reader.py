"""Hand out a video window by window, decoded once, in order, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from phar.clock import Trace
from phar.media.assembly import Assembly
from phar.media.channel import Channel
from phar.media.demux import Demuxer
from phar.media.frame import Converter, Frame
from phar.media.plan import Plan, Wanted
from phar.media.source import Source, Warnings
from phar.schema import MediaError, UsageError, Video, Window

#: Length of the windows by which `read_frames` reads; short, as all frames of one are held.
_FRAME_BATCH_S = 0.25

#: Most frames, and most bytes of them, in one such window: 2000 frames a second, and 8K of 10 bits at 120
#: frames a second.
_FRAME_BATCH, _FRAME_BATCH_BYTES = 500, 4 << 30


@dataclass(frozen=True, eq=False)
class WindowMedia:
    """The pictures and the sound of one window."""

    window: Window
    """Where it lies; the last window ends where the video ends."""
    frame_times_s: NDArray[np.float64]
    """(n,) times of all frames of the window, seconds from the first frame of the video,
    as the packets promise them. n >= 1: a window in which no frame begins shows the one
    before, at its own start."""
    frames: Mapping[int, Frame]
    """The wanted frames by index into `frame_times_s`. Where a frame could not be decoded,
    the nearest one that could; its `time_s` tells."""
    audio: NDArray[np.float32] | None
    """(samples, channels) in [-1, 1] at the rate asked for, zero where there is no sound; None if
    no sound was asked for or none can be decoded. Mono has one channel, all else two, for loudness
    is a matter of every channel; of more than two both hold the mix."""

    @property
    def num_frames(self) -> int:
        """How many frames the window has, wanted or not."""
        return len(self.frame_times_s)

    @property
    def num_bytes(self) -> int:
        """Memory that pictures and sound hold."""
        kept = {id(frame): frame for frame in self.frames.values()}
        return sum(frame.num_bytes for frame in kept.values()) + (
            0 if self.audio is None else self.audio.nbytes
        )


@dataclass(frozen=True)
class MediaTiming:
    """Where the seconds of reading went."""

    decode_busy_s: float
    """Reading and decoding, in the decoding thread."""
    decode_waited_s: float
    """The decoding thread waiting for room in the queue."""
    convert_busy_s: float
    """Converting pictures, in whichever thread asked for them."""
    read_waited_s: float
    """The consumer waiting for a window."""


class MediaReader:
    """Iterate over the windows [k * stride_s, k * stride_s + window_s) of a video.

    The file is read once, in order: a thread decodes ahead behind a queue that is
    bounded by windows and by bytes, so memory does not depend on the length of the
    video. Time 0 is the first decoded frame's timestamp; the end is the last
    frame's timestamp plus its duration. A tail shorter than a window is a window
    of its own, and so is a video shorter than one. Where the clock of a file jumps
    back, or ahead by more than ten minutes, it is straightened.

    Pictures are upright and have square pixels: the display matrix is applied, and
    pixels that are not square (by more than 1 %) make the picture wider or taller.

    Use as a context manager; leaving it early stops the thread.

        with MediaReader(path, 7, 7, wanted, audio_hz=16000) as reader:
            for media in reader:
                ...
        reader.video

    Args:
        path: the file, or a source that is opened already, which the reader closes.
        window_s: length of a window, seconds.
        stride_s: distance between the starts of windows, at most `window_s`.
        wanted: called in the decoding thread, once per window and before its
            frames are decoded, with the number of frames, the frame rate, the
            window and the frame times; returns the indices of the frames to keep.
            Where a broken file holds fewer frames than its packets promise, the
            nearest ones stand in. The window given to it may still end later
            than the video.
        audio_hz: sample rate of the sound wanted; None for no sound.
        queue_windows: windows decoded ahead of the consumer.
        queue_bytes: bytes of pictures and sound decoded ahead of the consumer.
        window_bytes: pictures of a window that would need more are kept smaller.
        num_threads: threads of the video decoder; None lets libav choose.
        needed: tells whether any part of [start_s, end_s) is needed; groups of pictures of which
            nothing is are not decoded. The windows they lie in still come, with the frame times
            their packets promise.
        windows: read only the windows from the first of these numbers to before the second (None: to the
            end), exactly as they are when all are read: decoding begins at the key frame before them, and
            sound is decoded from the start. `video` is exact only if the end is read.
        live: whether somebody waits: hand windows out as soon as may be, though sound that comes late is
            lost.
        trace: where the decoding thread notes what it does, a span per window.

    Raises:
        MediaError: on entering, if the file cannot be opened; on the first
            window, if nothing in it can be decoded.
        UsageError: window or stride that make no sense.
    """

    def __init__(
        self,
        path: str | Path | Source,
        window_s: float,
        stride_s: float,
        wanted: Wanted,
        audio_hz: int | None = None,
        *,
        queue_windows: int = 2,
        queue_bytes: int = 128 << 20,
        window_bytes: int = 256 << 20,
        num_threads: int | None = None,
        needed: Callable[[float, float], bool] | None = None,
        windows: tuple[int, int | None] = (0, None),
        live: bool = False,
        trace: Trace | None = None,
    ) -> None:
        if not 0 < stride_s <= window_s:
            raise UsageError(f"stride of {stride_s} s must be above 0 and at most the window of {window_s} s")
        self._path = path
        self._plan = Plan(window_s, stride_s, wanted, audio_hz, window_bytes, needed, windows, live)
        self._num_threads = num_threads
        self._trace = trace
        self._channel: Channel[WindowMedia] = Channel(queue_windows, queue_bytes)
        self._converter = Converter()
        self._warnings = Warnings()
        self._thread: threading.Thread | None = None
        self._source: Source | None = None
        self._assembly: Assembly | None = None
        self._thread_s = 0.0

    def __enter__(self) -> MediaReader:
        given = self._path
        self._source = given if isinstance(given, Source) else Source(given, self._num_threads)
        channel = self._channel
        self._assembly = Assembly(
            self._source,
            self._plan,
            self._warnings,
            converter=self._converter,
            # Not held by what it holds, the reader ends its decoders and their threads when it goes.
            stopped=lambda: channel.cancelled,
        )
        self._thread = threading.Thread(target=self._decode, name="phar-decode", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.cancel()
        if self._thread is not None:
            self._thread.join()
        if self._source is not None:
            self._source.close()

    def __iter__(self) -> Iterator[WindowMedia]:
        while (media := self._channel.get()) is not None:
            yield media

    @property
    def video(self) -> Video:
        """The video: the container's claim at first, exact after the last window."""
        if self._assembly is None:
            raise RuntimeError("the reader has not been entered")
        return self._assembly.video

    @property
    def claimed_fps(self) -> Fraction:
        """Frame rate that the stream claims."""
        if self._assembly is None:
            raise RuntimeError("the reader has not been entered")
        return self._assembly.claimed_fps

    @property
    def num_own_frames(self) -> int:
        """Frames decoded so far that begin in the windows asked for and in no later ones."""
        return 0 if self._assembly is None else self._assembly.num_own_frames

    @property
    def origin_s(self) -> float:
        """Timestamp of the first frame on the file's own clock, once a window was read; seconds."""
        return 0.0 if self._assembly is None else self._assembly.origin_s

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without stopping the reading, one line each."""
        return self._warnings.lines()

    @property
    def warning_counts(self) -> Mapping[str, int]:
        """The same, as how often each text came up."""
        return dict(self._warnings.counts)

    @property
    def timing(self) -> MediaTiming:
        """Seconds spent so far."""
        waited_s = self._channel.put_waited_s
        return MediaTiming(
            decode_busy_s=max(0.0, self._thread_s - waited_s),
            decode_waited_s=waited_s,
            convert_busy_s=self._converter.busy_s,
            read_waited_s=self._channel.get_waited_s,
        )

    def _decode(self) -> None:
        started = time.perf_counter()
        failure: BaseException | None = None
        try:
            assert self._assembly is not None
            ready_s = started
            for window, times_s, frames, audio in self._assembly.windows():
                media = WindowMedia(window, times_s, frames, audio)
                self._note("decode", ready_s)
                full_s = time.perf_counter()
                if not self._channel.put(media, media.num_bytes):
                    break
                self._note("queue full", full_s)
                ready_s = time.perf_counter()
                self._thread_s = ready_s - started
        except BaseException as error:
            failure = error
        finally:
            self._thread_s = time.perf_counter() - started
            self._channel.finish(failure)

    def _note(self, stage: str, start_s: float) -> None:
        if self._trace is not None:
            self._trace.add(stage, start_s, time.perf_counter())


def frame_times_s(path: str | Path) -> NDArray[np.float64]:
    """When each frame of a video is shown, as its packets promise; nothing is decoded.

    Returns:
        (n,) increasing seconds, the first 0.

    Raises:
        MediaError: the file cannot be opened, or holds no video packet.
    """
    source = Source(path, num_threads=1)
    try:
        demuxer = Demuxer(source, False, Warnings())
        while demuxer.next_video() is not None:
            pass
        ticks = demuxer.expected(-(1 << 62), 1 << 62)
        if not ticks:
            raise MediaError(f"{path}: {source.why_nothing_decoded()}")
        return (np.array(ticks, np.float64) - ticks[0]) * float(demuxer.time_base)
    finally:
        source.close()


def read_frames(path: str | Path, num_threads: int | None = None) -> Iterator[Frame]:
    """Every frame of a video in order, each converted only when asked.

    Raises:
        MediaError: the file cannot be opened or decoded.
    """
    with MediaReader(
        path,
        _FRAME_BATCH_S,
        _FRAME_BATCH_S,
        lambda num_frames, *_: range(min(num_frames, _FRAME_BATCH)),
        queue_windows=1,
        window_bytes=_FRAME_BATCH_BYTES,
        num_threads=num_threads,
    ) as reader:
        shown_s = -1.0
        for media in reader:
            for index in sorted(media.frames):
                frame = media.frames[index]
                # A held or stand-in picture comes up in more than one place.
                if frame.time_s > shown_s:
                    shown_s = frame.time_s
                    yield frame
