"""The table of segments, read by the csv module."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from random_reports import assert_read_back, overlapping

from phar.export import WRITERS
from phar.export import csv as table
from phar.schema import Report

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, strict=True))


def test_a_row_per_segment(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    WRITERS["csv"].write(report, path)
    first, second = rows(path)
    assert first == {
        "video": "clip.mp4",
        "label": "march",
        "start_s": "0.000",
        "end_s": "7.000",
        "seconds": "7.000",
        "score": "0.590909",
        "phar_version": "0.1.0",
    }
    assert (second["label"], second["start_s"], second["end_s"]) == ("ring", "7.000", "14.000")
    WRITERS["csv"].write(report, path, labels=["none", "ring"])
    assert [row["label"] for row in rows(path)] == ["ring", "none"]


def test_no_cell_is_a_formula(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    names = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain")
    found = tuple(dataclasses.replace(report.timestamps[0], label=name) for name in names)
    video = dataclasses.replace(report.video, path="=cmd|' /C calc'!A0.mp4")
    WRITERS["csv"].write(dataclasses.replace(report, timestamps=found, video=video), path)
    assert [row["label"] for row in rows(path)] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "plain"]
    assert {row["video"] for row in rows(path)} == {"'=cmd|' /C calc'!A0.mp4"}


@quick
@given(report=overlapping())
def test_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    table.write(report, path)
    found = [(row["label"], float(row["start_s"]), float(row["end_s"])) for row in rows(path)]
    wanted = [(s.label, s.start_s, s.end_s) for s in report.timestamps]
    assert_read_back(
        [(label.removeprefix("'"), *times) for label, *times in found],
        [(label.encode(errors="replace").decode().removeprefix("'"), *times) for label, *times in wanted],
        0.0005,
    )
