"""The original project's timestamps: `{"0:7": "label"}`, in seconds."""

from __future__ import annotations

import json
from pathlib import Path

from phar.export.target import replacing
from phar.schema import Report


def write(report: Report, path: Path) -> None:
    """Write the merged timestamps, replacing `path` in one step."""
    with replacing(path) as temporary:
        document = json.dumps(to_document(report), indent=1, ensure_ascii=False)
        temporary.write_text(document + "\n", encoding="utf-8")


def to_document(report: Report) -> dict[str, str]:
    """Return label by "start:end", both in seconds to the millisecond, in time order."""
    return {
        f"{_seconds(segment.start_s)}:{_seconds(segment.end_s)}": segment.label
        for segment in report.timestamps
    }


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
