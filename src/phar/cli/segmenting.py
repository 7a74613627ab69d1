"""Flags that make a report's segments and tags anew from its scores, declared and applied in one place."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from phar import timeline
from phar.cli.values import labelled, length, seconds, unit
from phar.schema import NONE, MediaError, Report, SegmentSpec, UsageError

#: Flag, as argparse stores it, to the setting it changes: for all labels and for a single one.
_SETTINGS = {
    "threshold": ("threshold", "label_thresholds"),
    "hysteresis": ("hysteresis", None),
    "smooth": ("smooth_s", None),
    "min_length": ("min_length_s", "label_min_lengths_s"),
    "max_gap": ("max_gap_s", "label_max_gaps_s"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; one that is not given leaves the report's setting as it is."""
    group = parser.add_argument_group("segments", "made anew from the scores if one of these is given")
    one = "; LABEL=%s for one label, repeatable"
    group.add_argument(
        "--threshold",
        action="append",
        type=labelled(unit),
        metavar="P",
        help="windows scoring less are none" + one % "P",
    )
    group.add_argument(
        "--hysteresis", type=unit, metavar="P", help="windows beside one that passes may score P less"
    )
    group.add_argument("--smooth", type=length, metavar="S", help="median of the scores over S seconds")
    group.add_argument(
        "--min-length",
        action="append",
        type=labelled(length),
        metavar="S",
        help="shorter segments are none" + one % "S",
    )
    group.add_argument(
        "--max-gap",
        action="append",
        type=labelled(length),
        metavar="S",
        help="bridge gaps up to this long" + one % "S",
    )
    group.add_argument(
        "--snap", type=seconds, metavar="S", help="move boundaries to a change of shot up to S seconds away"
    )


def is_given(args: argparse.Namespace) -> bool:
    """Tell whether one of the flags was given."""
    return any(getattr(args, flag) is not None for flag in _SETTINGS)


def apply(args: argparse.Namespace, report: Report) -> Report:
    """Return the report with segments and tags made anew, or as it is if no flag was given.

    Raises:
        UsageError: a flag names a label the report does not know.
        MediaError: boundaries are to follow the video's shots, and it cannot be read.
    """
    settings: dict[str, Any] = timeline.spec_of(report).settings()
    changed = False
    for flag, (setting, by_label) in _SETTINGS.items():
        given = getattr(args, flag)
        for label, value in given if isinstance(given, list) else [] if given is None else [(None, given)]:
            changed = True
            if label is None:
                settings[setting] = value
                continue
            if label not in report.labels:
                known = ", ".join(report.labels)
                raise UsageError(
                    f"--{flag.replace('_', '-')}: the report has no label {label!r}; use {known}"
                )
            settings[by_label] = {**settings.get(by_label, {}), label: value}
    if changed:
        report = timeline.resegmented(report, SegmentSpec(**settings))
    return _snapped(report, args.snap) if args.snap else report


def _snapped(report: Report, reach_s: float) -> Report:
    from phar.dataset.detectors import DetectorSettings
    from phar.dataset.index import index_video

    video = Path(report.video.path)
    if not video.is_file():
        raise MediaError(f"--snap looks at the video {video}, which does not exist; leave the flag out")
    shots, _ = index_video(video, DetectorSettings())
    found = timeline.snapped(report.timestamps, [float(cut) for cut in shots.cuts_s], reach_s)
    return timeline.with_segments(report, found)


def require_threshold(report: Report) -> None:
    """Refuse to show each label by itself where some label needs no score at all to be on.

    Raises:
        UsageError: with what to do about it.
    """
    spec = timeline.spec_of(report)
    idle = [label for label in report.labels if label != NONE and spec.threshold_of(label) <= spec.hysteresis]
    if idle:
        raise UsageError(
            f"with threshold {spec.threshold_of(idle[0])} and hysteresis {spec.hysteresis}, {idle[0]!r}"
            " would be on all the time; give a --threshold"
        )
