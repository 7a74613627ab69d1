"""How far a batch is, in hours of video, and how long it still takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """How far a batch is."""

    done_s: float
    """Seconds of video done in this run, parts of videos that are under way among them."""
    total_s: float | None
    """Seconds of video this run is about, as far as can be told; None before the first length is known."""
    real_time: float | None
    """Seconds of video a second; None at the start."""
    left_s: float | None
    """Seconds until the end; None at the start."""
    num_done: int
    num_failed: int
    num_videos: int
    """How many this run is about."""


class Pace:
    """Adds up what is done and extrapolates.

    The length of a video is known once it is being read; until then its size stands for it, at the ratio of
    length to size of those that are known.

    Args:
        sizes_bytes: size of each video by an identifier, of all that are to be done.
        known_s: seconds of video known from earlier runs, and
        known_bytes: their size.
    """

    def __init__(self, sizes_bytes: dict[int, int], known_s: float = 0.0, known_bytes: int = 0) -> None:
        self._waiting = dict(sizes_bytes)
        self._num_videos = len(sizes_bytes)
        self._waiting_bytes = sum(sizes_bytes.values())
        self._known_s, self._known_bytes = known_s, float(known_bytes)
        self._under_way: dict[int, tuple[float, float]] = {}
        self._done_s = 0.0
        self._num_done = self._num_failed = 0

    def told(self, video: int, done_s: float, total_s: float) -> None:
        """A video is under way."""
        self._under_way[video] = (done_s, max(done_s, total_s))

    def finished(self, video: int, duration_s: float) -> None:
        """A video is done."""
        self._known_s += duration_s
        self._known_bytes += self._waiting.get(video, 0)
        self._done_s += duration_s
        self._num_done += 1
        self._end(video)

    def failed(self, video: int) -> None:
        """A video failed: it counts for nothing."""
        self._num_failed += 1
        self._end(video)

    def dropped(self, video: int) -> None:
        """A video need not be done after all."""
        self._num_videos -= 1
        self._end(video)

    def standing(self, elapsed_s: float) -> Standing:
        """Return how far it is after `elapsed_s` seconds."""
        under_way = sum(done for done, _ in self._under_way.values())
        rest_bytes = self._waiting_bytes - sum(self._waiting.get(video, 0) for video in self._under_way)
        rest_s = sum(total - done for done, total in self._under_way.values())
        done_s = self._done_s + under_way
        known_s = self._known_s + sum(total for _, total in self._under_way.values())
        known_bytes = self._known_bytes + self._waiting_bytes - rest_bytes
        if rest_bytes and not (known_bytes and known_s):
            total_s = None
        else:
            total_s = done_s + rest_s + (rest_bytes * known_s / known_bytes if rest_bytes else 0.0)
        real_time = done_s / elapsed_s if done_s > 0 and elapsed_s > 0 else None
        return Standing(
            done_s=done_s,
            total_s=total_s,
            real_time=real_time,
            left_s=(total_s - done_s) / real_time if total_s is not None and real_time else None,
            num_done=self._num_done,
            num_failed=self._num_failed,
            num_videos=self._num_videos,
        )

    def _end(self, video: int) -> None:
        self._under_way.pop(video, None)
        self._waiting_bytes -= self._waiting.pop(video, 0)
