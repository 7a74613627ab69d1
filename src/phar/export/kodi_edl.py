"""Kodi's edit decision list: what the player skips, mutes or jumps to while it plays the untouched file.

The file lies beside the video and has its name: `clip.edl` for `clip.mp4`. An action is `scene` (a mark to
jump to at each segment's start), `cut` (gone from playback), `mute`, or `commercial` (skipped once). The
labels stand in comment lines, which Kodi passes over.

Traps: Kodi rejects an edit that touches or overlaps an earlier one, so segments that do are one edit. It
reads a line in pieces of 1023 bytes, so comments are kept short. Seconds such as 14.7 come out of its
arithmetic a millisecond early; HH:MM:SS.mmm does not.

Source: https://kodi.wiki/view/Edit_decision_list
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phar.export.target import replacing
from phar.export.ticks import Span, clock, in_milliseconds
from phar.export.wording import mark, one_line
from phar.schema import Report

#: Name of an action to its number in the file.
ACTIONS = {"scene": 2, "cut": 0, "mute": 1, "commercial": 3}

_COMMENT_CHARACTERS = 200


def write(report: Report, path: Path, *, action: str = "scene") -> None:
    """Write an edit for each segment, replacing `path` in one step.

    Args:
        report: its segments may overlap.
        path: the file.
        action: a key of ACTIONS, the same for all segments.
    """
    spans = sorted(in_milliseconds(report.timestamps), key=lambda span: (span.start, span.end))
    edits = _marks(spans) if action == "scene" else _merged(spans)
    lines = [f"## {mark(report)}"]
    for start, end, labels in edits:
        lines.append(f"## {', '.join(map(one_line, labels))}"[:_COMMENT_CHARACTERS])
        lines.append(f"{clock(start)}\t{clock(end)}\t{ACTIONS[action]}")
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _marks(spans: Iterable[Span]) -> list[tuple[int, int, list[str]]]:
    """Return one mark per start; Kodi takes a mark's second time."""
    found: dict[int, list[str]] = {}
    for span in spans:
        found.setdefault(span.start, []).append(span.label)
    return [(start, start, labels) for start, labels in found.items()]


def _merged(spans: Iterable[Span]) -> list[tuple[int, int, list[str]]]:
    """Join spans, sorted by start, that touch or overlap."""
    edits: list[tuple[int, int, list[str]]] = []
    for span in spans:
        if edits and span.start <= edits[-1][1]:
            start, end, labels = edits[-1]
            named = labels if span.label in labels else [*labels, span.label]
            edits[-1] = (start, max(end, span.end), named)
        else:
            edits.append((span.start, span.end, [span.label]))
    return edits
