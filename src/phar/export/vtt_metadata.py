"""A WebVTT metadata track: one cue per segment of every label's lane, its text a JSON object.

A page listens to the track's `cuechange` event and reads `JSON.parse(cue.text)`, an object of `label` and
`score`; the cues of labels that are seen at the same time overlap.

Trap: a cue ends at an empty line, and its text must not hold `-->`; JSON on one line has no line breaks, and
`>` is written as an escape. `<track kind="metadata">` is what keeps a player from showing the text.

Source: WebVTT: The Web Video Text Tracks Format, https://www.w3.org/TR/webvtt1/#introduction-metadata
"""

from __future__ import annotations

import json
from pathlib import Path

from phar.export.target import replacing
from phar.export.ticks import Span, in_milliseconds
from phar.export.vtt import track
from phar.schema import Report


def write(report: Report, path: Path) -> None:
    """Write the segments, which may overlap, as cues of JSON, replacing `path` in one step."""
    cues = ((span, _text(span)) for span in in_milliseconds(report.timestamps))
    with replacing(path) as temporary:
        temporary.write_text(track(report, cues), encoding="utf-8")


def _text(span: Span) -> str:
    return json.dumps({"label": span.label, "score": round(span.score, 6)}).replace(">", "\\u003e")
