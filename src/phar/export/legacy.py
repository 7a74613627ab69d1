"""The original project's list of `{score: label}`, one entry per window."""

from __future__ import annotations

import json
import math
from pathlib import Path

from phar.export.report import ranked
from phar.export.target import replacing
from phar.schema import Report


def write(report: Report, path: Path) -> None:
    """Write each window's top k as `{score: label}`, replacing `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(to_document(report), indent=1) + "\n", encoding="utf-8")


def to_document(report: Report) -> list[dict[str, str]]:
    """Return the list; equal scores are moved apart by one unit in the last place, so none is lost."""
    return [_clip(ranked(prediction.probs, report.labels, report.topk)) for prediction in report.predictions]


def _clip(best: list[tuple[str, float]]) -> dict[str, str]:
    distinct: list[tuple[float, str]] = []
    for label, score in reversed(best):
        floor = math.nextafter(distinct[-1][0], math.inf) if distinct else 0.0
        distinct.append((max(score, floor), label))
    return {repr(score): label for score, label in reversed(distinct)}
