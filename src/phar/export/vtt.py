"""WebVTT chapters: one cue per segment, for a player's chapter menu.

Trap: the cues of a chapter track may nest, and must not overlap in any other way; so this is only ever
written from segments that show one label per moment. `<track kind="chapters">` is what makes a player read
it as chapters.

Source: WebVTT: The Web Video Text Tracks Format, https://www.w3.org/TR/webvtt1/#chapter-cues
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phar.export.target import replacing
from phar.export.ticks import Span, clock, in_milliseconds
from phar.export.wording import mark, one_line
from phar.schema import Report

#: What the text of a cue cannot hold as it is.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write(report: Report, path: Path) -> None:
    """Write the segments as chapters, replacing `path` in one step."""
    cues = ((span, one_line(span.label).translate(_ESCAPES)) for span in in_milliseconds(report.timestamps))
    with replacing(path) as temporary:
        temporary.write_text(track(report, cues), encoding="utf-8")


def track(report: Report, cues: Iterable[tuple[Span, str]]) -> str:
    """Return a WebVTT file: phar's mark, then a numbered cue for each span and its text."""
    blocks = [
        f"{number}\n{clock(span.start)} --> {clock(span.end)}\n{text}\n"
        for number, (span, text) in enumerate(cues, start=1)
    ]
    return "\n".join(["WEBVTT\n", f"NOTE {mark(report)}\n", *blocks])
