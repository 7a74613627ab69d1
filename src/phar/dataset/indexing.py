"""Index many videos, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from phar.dataset.detectors import DetectorSettings
from phar.dataset.index import VideoIndex, index_video
from phar.processes import spread
from phar.schema import MediaError

#: Called with a video and the seconds of it done so far.
Progress = Callable[[Path, float], None]


@dataclass(frozen=True)
class Indexed:
    """A video's index, or why there is none."""

    video: Path
    index: VideoIndex | None
    cached: bool = False
    error: str = ""


def index_all(
    videos: Sequence[Path],
    settings: DetectorSettings,
    cache: Path | None = None,
    num_jobs: int = 1,
    progress: Progress | None = None,
) -> Iterator[Indexed]:
    """Yield what was found in each video as it is done; one that cannot be read stops no other.

    Raises:
        ModelError: the detector's weights cannot be used.
        ProcessError: a process died; what the cache keeps stays done.
    """
    told = progress or (lambda video, seconds: None)
    if num_jobs <= 1 or len(videos) <= 1:
        for video in videos:
            yield _index(video, settings, cache, lambda seconds, video=video: told(video, seconds))  # type: ignore[misc]
        return
    for done in spread(partial(_index, settings=settings, cache=cache, told=None), videos, num_jobs):
        if done.index is not None:
            told(done.video, done.index.duration_s)
        yield done


def _index(
    video: Path, settings: DetectorSettings, cache: Path | None, told: Callable[[float], None] | None
) -> Indexed:
    try:
        index, cached = index_video(video, settings, cache, told)
    except MediaError as error:
        return Indexed(video, None, error=str(error))
    return Indexed(video, index, cached)
