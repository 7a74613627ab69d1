"""Write a report in another form, without any model.

With one of the segment flags, segments and tags are made anew from the report's scores.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from phar.cli import drawing, segmenting
from phar.export import WRITERS, check_target, read_report, with_saved_poses, writer_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("report", metavar="REPORT.json", help="what phar-demo wrote")
    parser.add_argument("out", metavar="OUT", help="what to write; replaced if phar wrote it")
    parser.add_argument("--format", choices=tuple(WRITERS), help="instead of what OUT's suffix says")
    parser.add_argument("--video", metavar="FILE", help="the source video, if it has moved")
    drawing.add_argument(parser)
    segmenting.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, make segments anew where asked, and write."""
    out = Path(args.out)
    writer = writer_for(out, args.format)
    options = drawing.options(args, writer)
    report = read_report(args.report)
    if args.video is not None:
        report = dataclasses.replace(report, video=dataclasses.replace(report.video, path=args.video))
    inputs = [Path(args.report), *([Path(report.video.path)] if writer.needs_video else [])]
    check_target(out, inputs)
    if options:
        report = with_saved_poses(report, Path(args.report))
    writer.write(segmenting.apply(args, report), out, **options)
    return 0
