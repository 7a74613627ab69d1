"""Make one file of each clip, in several processes; what is there already is not made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from phar.dataset.manifest import Clip
from phar.processes import spread
from phar.schema import MediaError


class Extractor(Protocol):
    """Makes the file of one clip. It travels to other processes before it is opened there."""

    def open(self, num_threads: int | None) -> None:
        """Load what it needs; `num_threads` None leaves the number to its libraries."""

    def done(self, clip: Clip) -> bool:
        """Tell whether the clip's file is there and was made as this extractor makes it."""

    def extract(self, clip: Clip) -> None:
        """Make the clip's file, whole or not at all. Raises MediaError."""


@dataclass(frozen=True)
class Extracted:
    """A clip whose file is there, or why it is not."""

    clip: Clip
    kept: bool = False
    """Whether an earlier run had made it."""
    error: str = ""


#: The extractor of a worker process.
_own: list[Extractor] = []


def extract_all(clips: Sequence[Clip], extractor: Extractor, num_jobs: int) -> Iterator[Extracted]:
    """Yield every clip once its file is there, those that are there already first.

    Args:
        clips: each is done once, by its id.
        extractor: what makes a file.
        num_jobs: processes; with one the work is done here, with every core.

    Raises:
        ProcessError: a process died; what is done stays done.
        ModelError: a net cannot be loaded.
    """
    distinct = list({clip.id: clip for clip in clips}.values())
    waiting = [clip for clip in distinct if not extractor.done(clip)]
    left = {clip.id for clip in waiting}
    yield from (Extracted(clip, kept=True) for clip in distinct if clip.id not in left)
    # Clips of one video one after the other, so that its file stays in the system's cache.
    waiting.sort(key=lambda clip: (str(clip.video), clip.start_s))
    if num_jobs <= 1 or len(waiting) <= 1:
        if waiting:
            extractor.open(None)
        for clip in waiting:
            yield _done(extractor, clip)
        return
    yield from spread(_extract, waiting, num_jobs, partial(_begin, extractor))


def _begin(extractor: Extractor, num_threads: int) -> None:
    extractor.open(num_threads)
    _own.append(extractor)


def _extract(clip: Clip) -> Extracted:
    return _done(_own[0], clip)


def _done(extractor: Extractor, clip: Clip) -> Extracted:
    try:
        extractor.extract(clip)
    except MediaError as error:
        return Extracted(clip, error=str(error))
    return Extracted(clip)
