"""WebVTT chapters and metadata, read by webvtt-py."""

from __future__ import annotations

import html
import json
from itertools import pairwise
from pathlib import Path

import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from random_reports import assert_read_back, exclusive, overlapping, with_segments

from phar.export import WRITERS, vtt, vtt_metadata
from phar.export.wording import one_line
from phar.schema import Report

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def cues(path: Path) -> list[tuple[str, float, float]]:
    return [(cue.raw_text, seconds(cue.start), seconds(cue.end)) for cue in webvtt.read(path)]


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def test_chapters_are_the_segments_without_none(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.vtt"
    WRITERS["vtt"].write(report, path)
    assert cues(path) == [("march", 0, 7), ("ring", 7, 14)]
    assert path.read_text().startswith(
        "WEBVTT\n\nNOTE written by phar 0.1.0\n\n1\n00:00:00.000 --> 00:00:07.000\n"
    )


def test_labels_that_overlap_are_cues_that_overlap(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.vtt"
    WRITERS["vtt-metadata"].write(report, path)
    found = [(json.loads(text), start, end) for text, start, end in cues(path)]
    # Fused scores of 0.3 and more: march 0.59 and wave 0.2; ring 0.83, none 0.1; nothing.
    assert [(cue["label"], start, end) for cue, start, end in found] == [("march", 0, 7), ("ring", 7, 14)]
    assert found[0][0]["score"] == pytest.approx(0.65 / 1.1, abs=1e-6)
    WRITERS["vtt-metadata"].write(report, path, labels=["ring"])
    assert [start for _, start, _ in cues(path)] == [7]


def test_hours_have_as_many_digits_as_they_need(tmp_path: Path) -> None:
    path = tmp_path / "out.vtt"
    vtt.write(with_segments(("a", 3599.9996, 360_001.5), duration_s=400_000), path)
    assert "01:00:00.000 --> 100:00:01.500" in path.read_text()


@quick
@given(report=exclusive())
def test_chapters_read_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.vtt"
    vtt.write(report, path)
    found = [(html.unescape(text), start, end) for text, start, end in cues(path)]
    wanted = [(one_line(s.label), s.start_s, s.end_s) for s in report.timestamps]
    assert_read_back(found, wanted, 0.0005)
    assert all(before[2] <= after[1] for before, after in pairwise(found))


@quick
@given(report=overlapping())
def test_metadata_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.vtt"
    vtt_metadata.write(report, path)
    found = [(json.loads(text)["label"], start, end) for text, start, end in cues(path)]
    assert_read_back(found, [(s.label, s.start_s, s.end_s) for s in report.timestamps], 0.0005)
