"""What phar batch says while it works: a line for each video, and on a terminal a bar below."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm

from phar.batch.catalogue import Failure, Seen
from phar.batch.job import ANALYSE
from phar.batch.pace import Standing
from phar.cli.values import clock
from phar.foreign import shown


class BatchBar:
    """Prints what becomes of videos on stdout, failures on stderr, and draws how far the batch is."""

    def __init__(self) -> None:
        self._bar = tqdm(
            total=1.0,
            disable=not sys.stderr.isatty(),
            leave=False,
            bar_format="{percentage:3.0f}% |{bar}| {desc}",
        )

    def __enter__(self) -> BatchBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def done(self, path: str, step: str, seen: Seen) -> None:
        """A video's outputs are written."""
        tags = ", ".join(shown(tag.label) for tag in seen.tags[:5])
        speed = f", {seen.timing['realtime_factor']:.1f}x real time" if step == ANALYSE else ""
        what = "analysed" if step == ANALYSE else "recomputed"
        self._bar.write(
            f"{shown(path)}: {what} {clock(seen.video.duration_s)}{speed}; {tags}", file=sys.stdout
        )

    def failed(self, path: str, failure: Failure) -> None:
        """A video failed."""
        self._bar.write(f"phar batch: {shown(path)}: {shown(failure.message)}", file=sys.stderr)

    def moved(self, standing: Standing) -> None:
        """The batch is a little further."""
        if self._bar.disable:
            return
        self._bar.n = min(standing.done_s / standing.total_s, 1.0) if standing.total_s else 0.0
        self._bar.set_description_str(_line(standing))


def _line(standing: Standing) -> str:
    hours = f"{standing.done_s / 3600:.1f} h of video"
    if standing.total_s is not None:
        hours = f"{standing.done_s / 3600:.1f} of {standing.total_s / 3600:.1f} h of video"
    parts = [f"{standing.num_done + standing.num_failed}/{standing.num_videos} videos", hours]
    if standing.real_time is not None:
        parts.append(f"{standing.real_time:.1f}x")
    if standing.left_s is not None:
        parts.append(f"{clock(standing.left_s)} left")
    if standing.num_failed:
        parts.append(f"{standing.num_failed} failed")
    return ", ".join(parts)
