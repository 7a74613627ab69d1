"""The recognized timeline beside the known truth, as a table for people."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from phar import foreign
from phar.foreign import shown
from phar.schema import NONE, Report, Segment, UsageError


def read_truth(path: str) -> list[Segment]:
    """Read known segments: JSON with a list `segments` of label, start_s and end_s.

    Raises:
        UsageError: the file is missing or has no such list.
    """
    try:
        entries = foreign.read_json(Path(path))["segments"]
        return [Segment(str(e["label"]), float(e["start_s"]), float(e["end_s"]), 1.0) for e in entries]
    except foreign.Unreadable as error:
        raise UsageError(f"truth {path} cannot be read: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f'truth {path} holds no segments; write {{"segments": [{{"label", "start_s", "end_s"}}]}}'
        ) from None


def comparison(report: Report, truth: list[Segment]) -> str:
    """Return one line per span in which neither side changes, and the share of time that agrees."""
    bounds = {0.0, report.video.duration_s}
    for segment in (*report.timestamps, *truth):
        bounds |= {min(segment.start_s, report.video.duration_s), min(segment.end_s, report.video.duration_s)}
    rows = []
    agreed_s = 0.0
    for start_s, end_s in pairwise(sorted(bounds)):
        middle_s = (start_s + end_s) / 2
        known, _ = _at(truth, middle_s)
        seen, score = _at(report.timestamps, middle_s)
        agreed_s += (end_s - start_s) * (known == seen)
        rows.append((start_s, end_s, known, seen, score, known == seen))
    rows = [(*row[:2], shown(row[2]), shown(row[3]), *row[4:]) for row in rows]
    width = max(len(name) for row in rows for name in (row[2], row[3], "recognized"))
    lines = [f"{'seconds':>13}  {'truth':{width}}  {'recognized':{width}}  score"]
    for start_s, end_s, known, seen, score, same in rows:
        mark = "" if same else "  differs"
        lines.append(f"{start_s:6.1f}-{end_s:6.1f}  {known:{width}}  {seen:{width}}  {score:5.2f}{mark}")
    share = agreed_s / report.video.duration_s
    lines.append(f"recognized as in truth: {share:.0%} of {report.video.duration_s:.1f} s")
    return "\n".join(lines)


def _at(segments: tuple[Segment, ...] | list[Segment], time_s: float) -> tuple[str, float]:
    for segment in segments:
        if segment.start_s <= time_s < segment.end_s:
            return segment.label, segment.score
    return NONE, 0.0
