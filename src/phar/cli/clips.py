"""Write the best shorts of a label as files of their own.

They are ranked by score and by how far they lie from each other, and never overlap. Names say video,
label, rank and where in the video the short begins; a list beside them says the rest.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from phar import timeline
from phar.cli import segmenting
from phar.cli.same_video import check_same_video
from phar.cli.values import aspect, count, lengths
from phar.export import read_report, with_saved_poses
from phar.schema import MediaError, OutputError, Report, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("video", metavar="VIDEO", help="the video the report is about")
    parser.add_argument("report", metavar="REPORT.json", help="what phar-demo wrote")
    parser.add_argument("folder", metavar="DIR", help="where the shorts go; made if it is not there")
    parser.add_argument("--label", nargs="+", required=True, metavar="LABEL", help="labels to find shorts of")
    parser.add_argument(
        "--top", type=count, default=3, metavar="N", help="how many shorts per label (default: 3)"
    )
    parser.add_argument(
        "--length",
        type=lengths,
        default=(5.0, 60.0),
        metavar="A..B",
        help="least and greatest length in seconds (default: 5..60)",
    )
    parser.add_argument(
        "--crop", type=aspect, metavar="W:H", help="crop to this shape, following the persons (saved poses)"
    )
    parser.add_argument(
        "--title",
        nargs="?",
        const="{label}",
        metavar="TEXT",
        help="begin with a title: TEXT, in which {label} is the label, or without TEXT the label",
    )
    parser.add_argument(
        "--overlapping",
        action="store_true",
        help="look for a label wherever it passes its threshold, also where another one scores higher",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written")
    segmenting.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Choose, check every name, write, and say what was written."""
    report = read_report(args.report)
    video, folder = Path(args.video), Path(args.folder)
    if not video.is_file():
        raise MediaError(f"video {video} does not exist; check the path")
    for label in args.label:
        if label not in report.labels:
            raise UsageError(f"the report has no label {label!r}; use one of {', '.join(report.labels)}")
    if args.crop is not None:
        report = with_saved_poses(report, Path(args.report))
    check_same_video("phar clips", video, report)
    chosen = _chosen(args, segmenting.apply(args, report))
    _make(folder)

    from phar.export.shorts import plan_shorts, write_shorts

    plan = plan_shorts(video, folder, chosen, [video, Path(args.report)])
    if not args.dry_run:
        from phar.cli.progress import progress_bar

        with progress_bar() as progress:
            write_shorts(
                plan,
                dataclasses.replace(report, video=dataclasses.replace(report.video, path=str(video))),
                aspect=args.crop,
                title=args.title,
                tell=lambda done: progress("writing", done, len(chosen)),
            )
    for path, short in plan.shorts:
        print(f"{path}\t{short.end_s - short.start_s:.1f} s\t{short.score:.2f}")
    for label in args.label:
        found = sum(short.label == label for short in chosen)
        if found < args.top:
            print(
                f"phar clips: warning: {label}: {found} of {args.top} shorts; there is no more of it in one "
                f"piece of at least {args.length[0]:g} s",
                file=sys.stderr,
            )
    return 0


def _chosen(args: argparse.Namespace, report: Report) -> list[timeline.Short]:
    spec = timeline.spec_of(report)
    chosen = []
    for label in dict.fromkeys(args.label):
        if args.overlapping:
            found = timeline.lanes(report.predictions, report.labels, spec).get(label, [])
        else:
            found = [segment for segment in report.timestamps if segment.label == label]
        chosen += timeline.shorts(report.predictions, report.labels, found, args.top, args.length)
    return chosen


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{folder} is no folder; name one for the shorts") from None
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place") from None
