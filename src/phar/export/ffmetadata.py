"""FFmpeg's metadata file with chapters, and the same chapters put into the video itself.

Traps: times are whole numbers in units of TIMEBASE, which is nanoseconds where a chapter does not name it.
In mp4 a chapter lasts until the next one begins, so spans without a label are chapters too, named `none`.
FFmpeg takes a line that ends in a backslash to go on, escaped or not, so such a title gets a space after it.

Source: FFmpeg Formats Documentation, Metadata, https://ffmpeg.org/ffmpeg-formats.html#Metadata-2
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from phar.export.target import MEDIA_COMMENT, replacing
from phar.export.ticks import MILLISECONDS, Span, in_milliseconds
from phar.export.wording import mark, one_line
from phar.schema import NONE, Report
from phar.timeline.windows import exact

_SPECIAL = re.compile(r"([=;#\\])")


def write(report: Report, path: Path) -> None:
    """Write the segments as chapters, replacing `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(to_text(chapters(report), mark(report)), encoding="utf-8")


def mux(report: Report, path: Path) -> None:
    """Write the source video with the segments as its chapters, replacing `path` in one step.

    Streams are copied, nothing is encoded again. Chapters the source has are replaced.

    Raises:
        UsageError: `path` ends in no suffix of a container that can hold chapters.
        MediaError: the source video cannot be read.
        OutputError: `path` cannot be written, or its container cannot hold a stream of the source.
    """
    from phar.media import check_chapters_target, copy_with_chapters, first_frame_offset_s

    check_chapters_target(path)

    # A container's clock may start before its first picture, where a report's time 0 is.
    shift = round(first_frame_offset_s(report.video.path) * 1000)
    shown = [Span(c.label, c.start + shift, c.end + shift, c.score) for c in chapters(report)]
    with replacing(path) as temporary:
        copy_with_chapters(
            report.video.path,
            temporary,
            to_text(shown, mark(report)),
            comment=f"{MEDIA_COMMENT} {report.phar_version}",
        )


def chapters(report: Report) -> list[Span]:
    """Return the segments in milliseconds, with `none` wherever they leave a gap."""
    end = round(exact(report.video.duration_s) * MILLISECONDS)
    filled: list[Span] = []
    now = 0
    for span in in_milliseconds(report.timestamps):
        if span.start > now:
            filled.append(Span(NONE, now, span.start, 0.0))
        filled.append(span)
        now = span.end
    if end > now:
        filled.append(Span(NONE, now, end, 0.0))
    return filled


def to_text(shown: Sequence[Span], comment: str) -> str:
    """Return the file's text: its header, a comment and the chapters, times in milliseconds."""
    return "".join([f";FFMETADATA1\n; {comment}\n", *_sections(shown)])


def _sections(shown: Iterable[Span]) -> Iterable[str]:
    for span in shown:
        title = _SPECIAL.sub(r"\\\1", one_line(span.label))
        if title.endswith("\\"):
            title += " "
        yield f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={span.start}\nEND={span.end}\ntitle={title}\n"
