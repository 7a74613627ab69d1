"""Labels that are on at the same time: every label's own lane, and how long two of them meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from phar.schema import Report, Segment, SegmentSpec
from phar.timeline.segments import lanes


def spec_of(report: Report) -> SegmentSpec:
    """Return the settings that made a report's segments; those it does not name have their defaults."""
    return SegmentSpec.of(report.profile.get("segments", {}))


def lanes_of(report: Report) -> Mapping[str, list[Segment]]:
    """Return every label's lane by name, made with the report's own settings; `none` has no lane."""
    return lanes(report.predictions, report.labels, spec_of(report))


def overlapping(report: Report) -> list[Segment]:
    """Return the segments of all lanes, sorted by start, end and label; those of two labels may overlap."""
    found = [segment for lane in lanes_of(report).values() for segment in lane]
    return sorted(found, key=lambda segment: (segment.start_s, segment.end_s, segment.label))


def together_s(found: Mapping[str, Sequence[Segment]]) -> dict[tuple[str, str], float]:
    """Return, for each pair of labels in their given order, the seconds during which both lanes are on.

    Args:
        found: lanes by label, as `lanes` returns them: each sorted, without overlaps in itself.
    """
    return {(a, b): _common_s(found[a], found[b]) for a, b in combinations(found, 2)}


def _common_s(first: Sequence[Segment], second: Sequence[Segment]) -> float:
    total, i, j = 0.0, 0, 0
    while i < len(first) and j < len(second):
        a, b = first[i], second[j]
        total += max(0.0, min(a.end_s, b.end_s) - max(a.start_s, b.start_s))
        if a.end_s <= b.end_s:
            i += 1
        else:
            j += 1
    return total
