"""Kodi's edit lists, read by a reader that has Kodi's rules."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from random_reports import overlapping, with_segments

from phar.export import WRITERS, kodi_edl
from phar.export.wording import one_line
from phar.schema import Report, UsageError

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def kodi(path: Path) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Return edits (start, end, action) and scene marks, in milliseconds, or fail where Kodi would complain.

    Lines of three fields; those that start with ## are comments; an edit must not be empty and must not
    touch, overlap or surround one that was read before; of a mark the second time counts.
    """
    edits: list[tuple[int, int, int]] = []
    marks: list[int] = []
    for line in path.read_bytes().splitlines(keepends=True):
        assert len(line) < 1023
        fields = line.decode().split()
        if fields[0].startswith("##"):
            assert len(fields) >= 2, "Kodi wants two fields before it looks for a comment"
            continue
        assert len(fields) == 3
        start, end = (milliseconds(field) for field in fields[:2])
        action = int(fields[2])
        assert action in (0, 1, 2, 3)
        if action == 2:
            marks.append(end)
            continue
        assert start < end
        for other_start, other_end, _ in edits:
            assert end < other_start or start > other_end
        edits.append((start, end, action))
    return edits, marks


def milliseconds(field: str) -> int:
    hours, minutes, seconds, rest = re.fullmatch(r"(\d+):(\d\d):(\d\d)\.(\d{3})", field).groups()
    return (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(rest)


def test_scene_marks_stand_at_the_starts(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "clip.edl"
    WRITERS["kodi-edl"].write(report, path)
    assert kodi(path) == ([], [0, 7000])
    assert path.read_text() == (
        "## written by phar 0.1.0\n"
        "## march\n00:00:00.000\t00:00:00.000\t2\n"
        "## ring\n00:00:07.000\t00:00:07.000\t2\n"
    )


@pytest.mark.parametrize(("action", "number"), [("cut", 0), ("mute", 1), ("commercial", 3)])
def test_edits_that_touch_become_one(tmp_path: Path, action: str, number: int) -> None:
    path = tmp_path / "clip.edl"
    report = with_segments(("ring", 1, 14.7), ("wave", 14.7, 20), ("ring", 20.0004, 25), ("wave", 25.001, 30))
    kodi_edl.write(report, path, action=action)
    assert kodi(path) == ([(1000, 25000, number), (25001, 30000, number)], [])
    assert "## ring, wave\n" in path.read_text()


def test_the_choice_of_an_action_is_checked(report: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="format vtt takes no action"):
        WRITERS["vtt"].write(report, tmp_path / "out.vtt", action="cut")


@quick
@given(report=overlapping())
def test_cuts_read_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "clip.edl"
    kodi_edl.write(report, path, action="cut")
    edits, _ = kodi(path)
    assert all(before[1] < after[0] for before, after in pairwise(edits))
    for segment in report.timestamps:
        if segment.end_s - segment.start_s > 0.0011:
            assert any(
                a <= segment.start_s * 1000 + 0.51 and b >= segment.end_s * 1000 - 0.51 for a, b, _ in edits
            )
    total = sum(b - a for a, b, _ in edits)
    assert total <= sum((s.end_s - s.start_s) * 1000 + 1 for s in report.timestamps) + 0.01


@quick
@given(report=overlapping())
def test_marks_read_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "clip.edl"
    kodi_edl.write(report, path)
    _, marks = kodi(path)
    assert marks == sorted(set(marks))
    for segment in report.timestamps:
        if segment.end_s - segment.start_s > 0.0011:
            assert any(abs(mark - segment.start_s * 1000) <= 0.51 for mark in marks)
    said = path.read_text()
    assert all(one_line(s.label)[:20] in said for s in report.timestamps if s.end_s - s.start_s > 0.0011)
