"""Write a report in another form, without any model.

With --threshold, --min-length or --max-gap, segments and tags are made anew
from the report's scores.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from phar import timeline
from phar.cli.values import length, unit
from phar.export import WRITERS, check_target, read_report, writer_for
from phar.schema import Report, SegmentSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("report", metavar="REPORT.json", help="what phar-demo wrote")
    parser.add_argument("out", metavar="OUT", help="what to write; replaced if phar wrote it")
    parser.add_argument("--format", choices=tuple(WRITERS), help="instead of what OUT's suffix says")
    parser.add_argument("--video", metavar="FILE", help="the source video, if it has moved")
    parser.add_argument("--threshold", type=unit, metavar="P", help="windows scoring less are none")
    parser.add_argument("--min-length", type=length, metavar="S", help="shorter segments are none")
    parser.add_argument("--max-gap", type=length, metavar="S", help="bridge gaps up to this long")


def run(args: argparse.Namespace) -> int:
    """Read, make segments anew where asked, and write."""
    out = Path(args.out)
    writer = writer_for(out, args.format)
    report = read_report(args.report)
    if args.video is not None:
        report = dataclasses.replace(report, video=dataclasses.replace(report.video, path=args.video))
    inputs = [Path(args.report), *([Path(report.video.path)] if writer.needs_video else [])]
    check_target(out, inputs)
    changes = {"threshold": args.threshold, "min_length_s": args.min_length, "max_gap_s": args.max_gap}
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes:
        report = resegmented(report, changes)
    writer.write(report, out)
    return 0


def resegmented(report: Report, changes: dict[str, float]) -> Report:
    """Return the report with segments and tags made anew, its settings changed by `changes`."""
    settings = {**report.profile.get("segments", {}), **changes}
    spec = SegmentSpec(**settings)
    found = timeline.segments(report.predictions, report.labels, spec)
    cover = [prediction.window for prediction in report.predictions]
    return dataclasses.replace(
        report,
        profile={**report.profile, "segments": settings},
        timestamps=tuple(found),
        tags=tuple(timeline.tags(found, cover, report.video.duration_s)),
    )
