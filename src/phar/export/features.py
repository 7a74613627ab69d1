"""A Parquet table of features, a row per video, for recommenders.

Columns, for each label L and pair of labels L, M of all reports, `none` aside:

    report, video, profile, duration_s, num_windows
    seconds:L  share:L  score:L  lane_s:L      see phar.timeline.LabelFeatures
    together_s:L:M                             seconds during which both lanes are on

A label that a report's models do not know is null in its row: it was not looked for, which is not zero. The
labels stand in the file's metadata under `phar_labels`, as JSON.

Source: Apache Parquet, https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from phar import __version__
from phar.export.target import CSV_MARK, replacing
from phar.export.wording import path_text
from phar.schema import Report
from phar.timeline import Features, features

_PER_LABEL = ("seconds", "share", "score", "lane_s")


def write_features(
    reports: Iterable[tuple[Path, Report]], path: Path, known: Collection[str] | None = None
) -> tuple[int, int]:
    """Write a row per report, replacing `path` in one step; return the numbers of rows and columns.

    Args:
        reports: where each report lies, and the report; read one at a time.
        path: the Parquet file.
        known: labels that get columns, None for all.
    """
    rows: list[dict[str, Any]] = []
    labels: dict[str, None] = {}
    for source, report in reports:
        found = features(report)
        labels.update(dict.fromkeys(label for label in found.labels if known is None or label in known))
        rows.append({**_about(source, report), **_numbers(found)})

    import polars

    schema = {
        "report": polars.String,
        "video": polars.String,
        "profile": polars.String,
        "duration_s": polars.Float64,
        "num_windows": polars.Int64,
        **{f"{name}:{label}": polars.Float64 for name in _PER_LABEL for label in labels},
        **{f"together_s:{a}:{b}": polars.Float64 for a, b in combinations(labels, 2)},
    }
    table = polars.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema=schema)
    with replacing(path) as temporary:
        table.write_parquet(
            temporary, metadata={CSV_MARK: __version__, "phar_labels": json.dumps(list(labels))}
        )
    return table.height, table.width


def _about(source: Path, report: Report) -> dict[str, Any]:
    return {
        "report": path_text(str(source)),
        "video": path_text(report.video.path),
        "profile": str(report.profile.get("name")),
        "duration_s": report.video.duration_s,
        "num_windows": len(report.predictions),
    }


def _numbers(found: Features) -> dict[str, float]:
    numbers = {
        f"{name}:{label}": getattr(row, name) for label, row in found.labels.items() for name in _PER_LABEL
    }
    for (a, b), seconds in found.together_s.items():
        # Another report may name the two the other way round.
        numbers[f"together_s:{a}:{b}"] = numbers[f"together_s:{b}:{a}"] = seconds
    return numbers
