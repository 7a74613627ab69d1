"""A scene of Stash with the segments as markers, in the JSON that Stash imports.

Put it into the folder `scenes` of a zip file and give that to Settings > Tasks > Import from file, with
missing references created. `phar export --push` is safer for scenes that Stash already has: it touches
phar's markers only.

Traps: seconds are strings. An import knows a marker again by its start alone, so no two markers here start
at the same millisecond. For a scene that is already there Stash either leaves the whole file out, markers
too, or overwrites the scene's own title, tags and rating with what the file lacks. Never use the task "Full
import" (`metadataImport`): it wipes the database first. The path must be the one Stash has.

Source: Stash manual, Import/Export JSON Specification,
https://docs.stashapp.cc/in-app-manual/tasks/jsonspec/
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from phar.export.target import replacing
from phar.export.ticks import Span, in_milliseconds
from phar.export.wording import absolute_text, one_line
from phar.schema import Report

#: The tag of every marker that phar makes, by which it knows them again.
OWN_TAG = "phar"


def write(report: Report, path: Path) -> None:
    """Write the scene, replacing `path` in one step."""
    with replacing(path) as temporary:
        document = json.dumps(to_document(report), ensure_ascii=False, indent=1)
        temporary.write_text(document + "\n", encoding="utf-8")


def to_document(report: Report) -> dict[str, Any]:
    """Return the scene; keys that Stash does not know, such as `phar_version`, it passes over."""
    times = {"created_at": report.created, "updated_at": report.created}
    found = [
        {
            "title": span.label,
            "seconds": str(span.start / 1000),
            "end_seconds": str(span.end / 1000),
            "primary_tag": span.label,
            "tags": [OWN_TAG],
            **times,
        }
        for span in _apart(markers(report))
    ]
    path = absolute_text(report.video.path)
    return {
        "phar_version": report.phar_version,
        "files": [path],
        **({"markers": found} if found else {}),
        **times,
    }


def markers(report: Report) -> list[Span]:
    """Return the segments in milliseconds, by start, their labels as Stash keeps names of tags."""
    spans = [
        Span(one_line(span.label), span.start, span.end, span.score)
        for span in in_milliseconds(report.timestamps)
    ]
    return sorted(spans, key=lambda span: (span.start, span.end, span.label))


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Move a marker that would start with the one before, or earlier, to a millisecond after it."""
    moved: list[Span] = []
    for span in spans:
        start = max(span.start, moved[-1].start + 1) if moved else span.start
        moved.append(Span(span.label, start, max(span.end, start), span.score))
    return moved
