"""Watches one source: calls or waits for it, hands on its windows, and calls again when it is gone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phar.media import MediaReader, WindowMedia
from phar.media.live import Feed, FfmpegFeed, FileTail, open_live
from phar.moderation.live.inbox import Inbox
from phar.moderation.live.sources import LiveSource
from phar.moderation.live.turns import Turns
from phar.schema import MediaError, PharError, Window

#: Pictures that one window of one source may hold; larger ones are kept smaller.
_WINDOW_BYTES = 48 << 20

#: Pauses before a source is called again: doubling from the first to the longest, each a little at random.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Received:
    """A window that came in."""

    media: WindowMedia
    """Its times are those of the source: seconds from its first picture, going on over interruptions."""
    received_at: float
    """POSIX time at which the last of it came in."""


#: Told of a source's state: what, and more about it.
Tell = Callable[[str, Mapping[str, object]], None]


@dataclass(frozen=True)
class Watching:
    """What every watcher is given."""

    window_s: float
    stride_s: float
    audio_hz: int | None
    wanted: Callable[[NDArray[np.float64]], set[int]]
    """Frame times of a window to the frames that are needed."""
    inbox: Inbox[Received]
    calls: Turns
    """Bounds how many sources are called at once that are hung up on again."""
    stall_s: float = 10.0
    """Silence after which a source counts as gone."""
    idle_s: float = 30.0
    """A file that has not grown for so long is complete."""


class Watcher(threading.Thread):
    """One source's thread."""

    def __init__(
        self,
        source: LiveSource,
        watching: Watching,
        tell: Tell,
        stop: threading.Event,
        first_call_s: float = 0.0,
    ) -> None:
        """first_call_s: when a sampled source is called for the first time, so that not all are at once."""
        super().__init__(name=f"phar-live-{source.name}", daemon=True)
        self.source = source
        self._watching = watching
        self._tell = tell
        self._stopping = stop
        self._first_call_s = first_call_s
        self._feed: Feed | None = None
        self._begun_at: float | None = None
        self._origin_at = 0.0
        self._number = 0
        self._reached_s = 0.0
        self._pauses = 0
        self._next_s = 0.0

    def run(self) -> None:
        """Watch until told to stop, or until a file is complete."""
        if self.source.hangs_up:
            self._stopping.wait(self._first_call_s)
        while not self._stopping.is_set():
            called_s = time.monotonic()
            try:
                if self.source.hangs_up:
                    with self._watching.calls.taken(self._stopping.is_set) as mine:
                        self._tell_if_late(time.monotonic() - called_s)
                        if mine:
                            self._watch()
                else:
                    self._watch()
                reason = ""
            except PharError as error:
                reason = str(error)
            except Exception as error:
                # Whatever one source brings on, the others are watched.
                reason = f"{type(error).__name__}: {error}"
            if self.source.is_file:
                # What was read is never read again.
                self._tell("ended", {"reason": reason or self._why()})
                return
            if reason:
                self._lost(reason)
            elif self.source.hangs_up:
                self._stopping.wait(max(0.0, self.source.every_s - (time.monotonic() - called_s)))

    def check(self) -> None:
        """Cut a source that has fallen silent; called now and then by another thread."""
        feed = self._feed
        if feed is None or isinstance(feed, FileTail) or self._stopping.is_set():
            return
        waits = self.source.listen and feed.first_read_at is None
        if not waits and time.monotonic() - feed.last_read_at > self._watching.stall_s:
            self._tell("stalled", {"silent_s": round(time.monotonic() - feed.last_read_at, 1)})
            feed.close()

    def end(self) -> None:
        """Let the thread go."""
        feed = self._feed
        if feed is not None:
            feed.close()

    def _watch(self) -> None:
        """Follow one connection, until a window of a sampled source was had, or a file is complete.

        Raises:
            MediaError: the source is gone, or is no video.
        """
        source, watching = self.source, self._watching
        feed: Feed = (
            FileTail(Path(source.address), watching.idle_s)
            if source.is_file
            else FfmpegFeed(source.address, source.listen)
        )
        self._feed = feed
        try:
            if self._stopping.is_set():
                return
            opened = open_live(feed, source.name)
            with MediaReader(
                opened,
                watching.window_s,
                watching.stride_s,
                lambda _, __, window, times_s: self._wanted(window, times_s),
                audio_hz=watching.audio_hz,
                queue_windows=1,
                window_bytes=_WINDOW_BYTES,
                num_threads=1,
                live=True,
            ) as reader:
                offset_s = self._connected(feed, reader)
                for media in reader:
                    if self._stopping.is_set():
                        return
                    if not media.frames:
                        continue
                    self._pauses = 0
                    self._hand_on(feed, media, offset_s)
                    if source.hangs_up:
                        # The reader waits for its thread, which waits for bytes.
                        feed.close()
                        return
            if not source.is_file:
                raise MediaError(feed.why())
        finally:
            feed.close()
            self._feed = None

    def _connected(self, feed: Feed, reader: MediaReader) -> float:
        """Note where the connection begins, and return that on the source's clock; seconds."""
        at = feed.first_read_at or time.time()
        first = self._begun_at is None
        self._begun_at = self._begun_at or at
        self._origin_at = at
        self._next_s = 0.0
        video = reader.video
        if first or not self.source.hangs_up:
            size = {"width_px": video.width_px, "height_px": video.height_px, "has_audio": video.has_audio}
            self._tell("connected", size)
        return 0.0 if self.source.is_file else max(self._reached_s, at - self._begun_at)

    def _wanted(self, window: Window, times_s: NDArray[np.float64]) -> set[int]:
        """Return the frames of a window, none if the source is sampled and another is due."""
        if self.source.every_s > 0 and not self.source.hangs_up:
            if window.start_s < self._next_s:
                return set()
            self._next_s = window.start_s + self.source.every_s
        return self._watching.wanted(times_s) or {0}

    def _hand_on(self, feed: Feed, media: WindowMedia, offset_s: float) -> None:
        now, end_s = time.time(), media.window.end_s
        # What a server keeps ready comes at once, so the beginning lies further back than it seems.
        self._origin_at = min(self._origin_at, now - end_s)
        window = Window(self._number, offset_s + media.window.start_s, offset_s + end_s)
        self._number += 1
        self._reached_s = window.end_s
        item = Received(replace(media, window=window), self._origin_at + end_s)
        if isinstance(feed, FileTail):
            self._watching.inbox.put_after(self.source.name, item, self._stopping.is_set)
        else:
            self._watching.inbox.put(self.source.name, item)

    def _tell_if_late(self, waited_s: float) -> None:
        """Say so if a sample is taken later than the next one should be."""
        if waited_s > self.source.every_s and not self._stopping.is_set():
            self._tell("late", {"waited_s": round(waited_s, 1)})

    def _lost(self, reason: str) -> None:
        """Say that the source is gone, and wait before it is called again."""
        if self._stopping.is_set():
            return
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._pauses) * random.uniform(0.8, 1.2)
        if self.source.listen and not self._pauses:
            # Somebody who pushes again at once must find somebody who listens.
            pause_s = 0.0
        self._pauses += 1
        self._tell("lost", {"reason": reason, "again_in_s": round(pause_s, 1)})
        self._stopping.wait(pause_s)

    def _why(self) -> str:
        return f"it has not grown for {self._watching.idle_s:g} s"
