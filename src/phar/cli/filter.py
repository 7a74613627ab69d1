"""Cut, hide or mute what has certain labels in a video.

Nothing with a dropped label survives: spans grow to whole pictures, and with --mode fast to where
the video can be cut without encoding. Sound, subtitles and chapters move with the pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar import __version__, timeline
from phar.cli import segmenting
from phar.cli.same_video import check_same_video
from phar.cli.values import length
from phar.export import check_target, read_report
from phar.export.target import MEDIA_COMMENT
from phar.schema import NONE, MediaError, Report, UsageError

if TYPE_CHECKING:
    from phar.media.editing import EditPlan

_ACTIONS = ("cut", "blur", "pixelate", "black", "mute")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("video", metavar="VIDEO", help="the video the report is about")
    parser.add_argument("report", metavar="REPORT.json", help="what phar-demo wrote")
    parser.add_argument(
        "out", metavar="OUT", nargs="?", help="what to write: .mp4, .m4v, .mov, .mkv or .webm"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--drop", nargs="+", metavar="LABEL", help="do it where one of these labels is")
    which.add_argument("--keep", nargs="+", metavar="LABEL", help="do it everywhere else")
    parser.add_argument(
        "--action",
        nargs="+",
        choices=_ACTIONS,
        default=["cut"],
        help="what to do; mute goes together with blur, pixelate and black (default: cut)",
    )
    parser.add_argument(
        "--mode",
        choices=("exact", "fast"),
        help="exact cuts to the picture and encodes a little around each cut; fast copies only and cuts "
        "more (default: exact)",
    )
    parser.add_argument(
        "--pad",
        type=length,
        default=0.0,
        metavar="S",
        help="grow the labels' spans by S seconds each way",
    )
    parser.add_argument(
        "--overlapping",
        action="store_true",
        help="take a label wherever it passes its threshold, also where another one scores higher",
    )
    parser.add_argument("--invert", action="store_true", help="do it to the rest instead")
    parser.add_argument("--dry-run", action="store_true", help="print the edit list and write nothing")
    parser.add_argument("--json", action="store_true", help="print the edit list as JSON")
    segmenting.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check, plan, write unless it is a dry run, and say what was done."""
    actions = tuple(dict.fromkeys(args.action))
    if len(set(actions) - {"mute"}) > 1 or ("cut" in actions and len(actions) > 1):
        raise UsageError(f"--action {' '.join(actions)}: only mute goes together with another; name one")
    if args.mode is not None and actions != ("cut",):
        raise UsageError(f"--mode is about cuts; leave it out with --action {actions[0]}")
    if args.out is None and not args.dry_run:
        raise UsageError("OUT is missing: name what to write, or give --dry-run")
    report = read_report(args.report)
    video = Path(args.video)
    if not video.is_file():
        raise MediaError(f"video {video} does not exist; check the path")
    out = None if args.out is None else Path(args.out)
    if out is not None:
        check_target(out, [video, Path(args.report)])
    spans = _spans(args, segmenting.apply(args, report), report)

    from phar.media.editing import FORMATS, Edit, edit_video, plan_edit

    if out is not None and out.suffix.lower() not in FORMATS:
        raise UsageError(f"{out}: suffix {out.suffix!r} is no video phar writes; use {', '.join(FORMATS)}")
    check_same_video("phar filter", video, report)
    edit = Edit(spans, actions, exact=args.mode != "fast")
    plan = plan_edit(video, edit, report.video.duration_s, report.video.fps)
    warnings = plan.warnings
    if out is not None and not args.dry_run:
        from phar.cli.progress import progress_bar

        with progress_bar() as progress:
            warnings = edit_video(
                plan,
                out,
                f"{MEDIA_COMMENT} {__version__}",
                lambda done_s: progress("writing", done_s, _left_s(plan, report)),
            )
    for warning in warnings:
        print(f"phar filter: warning: {warning}", file=sys.stderr)
    if args.json:
        print(json.dumps(_document(plan, args, report), indent=1, ensure_ascii=False))
    elif args.dry_run:
        print(_edit_list(plan, report))
    else:
        print(f"{out}: {_summary(plan, report)}")
    return 0


def _spans(args: argparse.Namespace, segmented: Report, report: Report) -> list[timeline.Span]:
    """Return the spans that the action is about."""
    labels = args.drop or args.keep
    for label in labels:
        if label not in report.labels and label != NONE:
            known = ", ".join(report.labels)
            raise UsageError(f"the report has no label {label!r}; use one of {known}")
    duration_s = report.video.duration_s
    if args.overlapping:
        spec = timeline.spec_of(segmented)
        found = timeline.lane_spans(timeline.lanes(report.predictions, report.labels, spec), labels)
    else:
        found = timeline.label_spans(segmented.timestamps, labels)
    found = timeline.padded(found, args.pad, duration_s)
    if (args.keep is not None) != args.invert:
        found = timeline.inverted(found, duration_s)
    return found


def _left_s(plan: EditPlan, report: Report) -> float:
    if not plan.edit.cuts:
        return report.video.duration_s
    return max(0.0, report.video.duration_s - float(sum(end - start for start, end in plan.spans)))


def _document(plan: EditPlan, args: argparse.Namespace, report: Report) -> dict[str, Any]:
    return {
        "video": str(args.video),
        "actions": list(plan.edit.actions),
        "mode": "exact" if plan.edit.exact else "fast",
        "asked": [{"start_s": start, "end_s": end} for start, end in plan.edit.spans],
        "spans": [{"start_s": _seconds(start), "end_s": _seconds(end)} for start, end in plan.spans],
        "duration_s": report.video.duration_s,
        "result_s": _seconds(_left_s(plan, report)),
        "encoded_s": _seconds(plan.encoded_s),
        "warnings": list(plan.warnings),
    }


def _edit_list(plan: EditPlan, report: Report) -> str:
    lines = [
        f"{'+'.join(plan.edit.actions)}\t{_clock(start)}\t{_clock(end)}\t{float(end - start):.3f} s"
        for start, end in plan.spans
    ]
    return "\n".join([*lines, _summary(plan, report)])


def _summary(plan: EditPlan, report: Report) -> str:
    if not plan.spans:
        return "nothing to do; the video stays as it is"
    count = f"{len(plan.spans)} span{'s' if len(plan.spans) > 1 else ''}"
    total_s = float(sum(end - start for start, end in plan.spans))
    done = "cut" if plan.edit.cuts else "changed"
    return (
        f"{count}, {total_s:.1f} of {report.video.duration_s:.1f} s {done}; "
        f"{float(plan.encoded_s):.1f} s of video encoded anew"
    )


def _seconds(value: Any) -> float:
    return round(float(value), 6)


def _clock(value: Any) -> str:
    minutes, seconds = divmod(float(value), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:06.3f}"
