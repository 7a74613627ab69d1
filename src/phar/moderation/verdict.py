"""The verdict as a JSON document: what was decided, why, and everything it takes to decide it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phar import __version__
from phar.export import replacing
from phar.moderation.judging import Verdict, WindowVerdict
from phar.moderation.policy import VERDICTS, Policy
from phar.moderation.spans import AlarmSpan
from phar.schema import MediaError, Report

SCHEMA_VERSION = "1.0"

#: The JSON Schema of a verdict, and of the summary of many.
SCHEMA_PATH = Path(__file__).with_name("verdict.schema.json")


@dataclass(frozen=True)
class Input:
    """What was judged, byte for byte."""

    source: str
    """The path or address as the user gave it."""
    sha256: str | None
    """Hash of the bytes that were looked at; None where only a report of them was there."""
    size_bytes: int | None
    what: str = "video"
    """`video`, `copy` (of a stream: the bytes as they were put into a file), or `report`."""


def read_input(path: Path) -> Input:
    """Hash a video. Raises MediaError."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Input(str(path), digest, path.stat().st_size)
    except OSError as error:
        raise MediaError(f"video {path} cannot be read: {error.strerror}; check the path") from None


def to_document(verdict: Verdict, report: Report, policy: Policy, judged: Input) -> dict[str, Any]:
    """Return the verdict as the JSON document that `verdict.schema.json` describes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "phar_version": __version__,
        "created": _now(),
        "verdict": verdict.action,
        "reasons": list(verdict.reasons),
        "video": {
            "path": report.video.path,
            "duration_s": _time(report.video.duration_s),
            "width_px": report.video.width_px,
            "height_px": report.video.height_px,
            "has_audio": report.video.has_audio,
        },
        "categories": {category.name: _category(category.name, verdict) for category in policy.categories},
        "spans": [span_document(span) for span in verdict.spans],
        "windows": [window_document(each) for each in verdict.windows],
        "warnings": list(report.warnings),
        "audit": {
            "input": {
                "source": judged.source,
                "of": judged.what,
                "sha256": judged.sha256,
                "size_bytes": judged.size_bytes,
            },
            "analysed": {"created": report.created, "phar_version": report.phar_version},
            "policy": policy_document(policy),
            "profile": dict(report.profile),
        },
    }


def policy_document(policy: Policy) -> dict[str, Any]:
    """Return what a verdict says of its policy: name, version, hash, and all of it."""
    return {
        "name": policy.name,
        "version": policy.version,
        "sha256": policy.sha256,
        "document": policy.document,
    }


def span_document(span: AlarmSpan) -> dict[str, Any]:
    """Return one span as verdicts and events show it."""
    return {
        "category": span.category,
        "action": span.action,
        "start_s": _time(span.start_s),
        "end_s": _time(span.end_s),
        "peak": _probability(span.peak),
        "mean": _probability(span.mean),
        "windows": span.num_windows,
    }


def window_document(window: WindowVerdict) -> dict[str, Any]:
    """Return one window as verdicts and events show it."""
    return {
        "start_s": _time(window.window.start_s),
        "end_s": _time(window.window.end_s),
        "action": window.action,
        "categories": {
            name: None if value is None else _probability(value)
            for name, value in window.probabilities.items()
        },
        "silent": dict(window.silent),
    }


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write a verdict or a summary, a line for each window, span and video; replaces `path` in one step."""
    lines = []
    for key, value in document.items():
        if key in ("windows", "spans", "videos") and value:
            rows = ",\n  ".join(_json(row) for row in value)
            lines.append(f'"{key}": [\n  {rows}\n]')
        else:
            lines.append(f'"{key}": {_json(value)}')
    with replacing(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", errors="replace")


def to_summary(policy: Policy, videos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of many verdicts: counts, and a row for each video, those that matter most first.

    videos: rows with `path`, and either `verdict`, `reasons`, `peak`, `file` and `sha256`, or `error`.
    """

    def urgency(row: Mapping[str, Any]) -> tuple[int, float, str]:
        severity = VERDICTS.index(row["verdict"]) if "verdict" in row else len(VERDICTS)
        return -severity, -(row.get("peak") or 0.0), row["path"]

    counts = {
        **{name: sum(row.get("verdict") == name for row in videos) for name in VERDICTS},
        "failed": sum("error" in row for row in videos),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "phar_version": __version__,
        "created": _now(),
        "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
        "counts": counts,
        "videos": sorted(videos, key=urgency),
    }


def summary_row(document: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return the row of one verdict; `file` is where the whole of it is, relative to the summary."""
    peaks = [entry["peak"] for entry in document["categories"].values() if entry["peak"] is not None]
    return {
        "path": document["audit"]["input"]["source"],
        "verdict": document["verdict"],
        "peak": max(peaks, default=None),
        "reasons": document["reasons"],
        "file": file,
        "sha256": document["audit"]["input"]["sha256"],
    }


def _category(name: str, verdict: Verdict) -> dict[str, Any]:
    seen = [value for each in verdict.windows if (value := each.probabilities[name]) is not None]
    spans = [span for span in verdict.spans if span.category == name]
    return {
        "peak": _probability(max(seen)) if seen else None,
        "spans": len(spans),
        "seconds": _time(sum(span.end_s - span.start_s for span in spans)),
        "judged_windows": len(seen),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _time(seconds: float) -> float:
    return round(float(seconds), 6)


def _probability(value: float) -> float:
    # Probabilities near a threshold must not be rounded across it.
    return float(f"{value:.9g}")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
