"""Which segments a format of segments shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from phar.schema import NONE, Report, UsageError
from phar.timeline import overlapping as all_lanes


def selected(report: Report, labels: Collection[str] | None = None, *, overlapping: bool = False) -> Report:
    """Return the report with the segments that are to be shown as its timestamps.

    Args:
        report: the report.
        labels: show only these; without it all but `none`.
        overlapping: take every label's own lane, where labels may overlap, instead of one label per moment.

    Raises:
        UsageError: the report does not know one of `labels`.
    """
    for label in labels or ():
        if label not in report.labels and label != NONE:
            raise UsageError(f"the report has no label {label!r}; use {', '.join(report.labels)}")
    found = all_lanes(report) if overlapping else report.timestamps
    shown = [
        segment for segment in found if (segment.label != NONE if labels is None else segment.label in labels)
    ]
    return replace(report, timestamps=tuple(shown))
