"""Segments on a format's own grid of time: whole milliseconds, or frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from phar.schema import ReportError, Segment, Video
from phar.timeline.windows import exact

#: Ticks per second of the formats that count milliseconds.
MILLISECONDS = Fraction(1000)


@dataclass(frozen=True)
class Span:
    """One label over whole ticks, half-open."""

    label: str
    start: int
    end: int
    score: float


def in_ticks(found: Iterable[Segment], per_second: Fraction, limit: int | None = None) -> list[Span]:
    """Round segments to whole ticks.

    Boundaries that were equal stay equal, so touching segments touch and none comes to overlap. A segment
    that is empty once rounded, shorter than a tick, is left out.

    Args:
        found: segments in any order, which is kept.
        per_second: ticks per second.
        limit: number of ticks there are; later bounds are moved to it.
    """
    spans = []
    for segment in found:
        start, end = (round(exact(bound) * per_second) for bound in (segment.start_s, segment.end_s))
        if limit is not None:
            start, end = min(start, limit), min(end, limit)
        if start < end:
            spans.append(Span(segment.label, start, end, segment.score))
    return spans


def in_milliseconds(found: Iterable[Segment]) -> list[Span]:
    """Round segments to milliseconds."""
    return in_ticks(found, MILLISECONDS)


def in_frames(found: Iterable[Segment], video: Video) -> list[Span]:
    """Round segments to the first frame that is inside and the first that is not, counted from 0.

    Frames are taken to be evenly spaced; where the rate varies, frame numbers are those of the average rate.
    """
    return in_ticks(found, video.fps, num_frames(video))


def num_frames(video: Video) -> int:
    """Return how many frames of the video's average rate its duration holds, at least 1.

    Raises:
        ReportError: the report gives no frame rate.
    """
    if video.fps <= 0:
        raise ReportError("the report gives no frame rate, which formats that count frames need")
    return max(1, round(exact(video.duration_s) * video.fps))


def clock(milliseconds: int) -> str:
    """Return HH:MM:SS.mmm, with more digits of hours where needed."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
