"""Write a report in another form, without any model.

With one of the segment flags, segments and tags are made anew from the report's scores. Formats of segments
show one label per moment and leave out `none`. docs/outputs.md says what each is for.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from phar.cli import drawing, segmenting
from phar.export import (
    WRITERS,
    Writer,
    check_target,
    read_report,
    selected,
    with_saved_poses,
    writer_for,
)
from phar.schema import MediaError, Report, UsageError

#: What a Kodi list may do with a segment; the same as the keys of `phar.export.kodi_edl.ACTIONS`.
_EDL_ACTIONS = ("scene", "cut", "mute", "commercial")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("report", metavar="REPORT.json", help="what phar-demo wrote")
    parser.add_argument("out", metavar="OUT", nargs="?", help="what to write; replaced if phar wrote it")
    parser.add_argument("--format", choices=tuple(WRITERS), help="instead of what OUT's suffix says")
    parser.add_argument(
        "--video", metavar="FILE|URL", help="the source video, if it has moved, or where a tool finds it"
    )
    group = parser.add_argument_group("what is shown", "in formats of segments")
    group.add_argument("--labels", nargs="+", metavar="LABEL", help="only these; `none` may be one of them")
    group.add_argument(
        "--overlapping",
        action="store_true",
        help="every label by itself, so that labels may overlap, where the format can show it",
    )
    group.add_argument(
        "--edl-action",
        choices=_EDL_ACTIONS,
        help="kodi-edl: mark a scene, or cut, mute or skip once the segments of --labels (default: scene)",
    )
    group = parser.add_argument_group("more than a file", "with or without OUT")
    group.add_argument(
        "--mux", metavar="OUT.mp4|mkv", help="copy the video with the segments as chapters, not encoded again"
    )
    group.add_argument(
        "--push",
        metavar="URL",
        help="make phar's markers in this Stash those of the report; others are never touched",
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help="Stash's key; better in PHAR_STASH_API_KEY, where others cannot see it",
    )
    group.add_argument("--scene", metavar="ID", help="Stash's scene, if its file has another path there")
    drawing.add_argument(parser)
    segmenting.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check what can be checked, make segments anew where asked, and write."""
    writer = _writer(args)
    options: dict[str, Any] = {} if args.edl_action is None else {"action": args.edl_action}
    if writer is not None:
        options |= drawing.options(args, writer)
    choice = {"labels": args.labels, "overlapping": args.overlapping}
    if writer is not None:
        writer.check(**choice, **options)
    _check_flags(args)
    report = read_report(args.report)
    if args.draw:
        report = with_saved_poses(report, Path(args.report))
    if args.video is not None:
        report = dataclasses.replace(report, video=dataclasses.replace(report.video, path=args.video))
    video = Path(report.video.path)
    if writer is not None:
        check_target(Path(args.out), [Path(args.report), *([video] if writer.needs_video else [])])
    if args.mux is not None:
        check_target(Path(args.mux), [Path(args.report), video])
    if (args.mux is not None or (writer is not None and writer.needs_video)) and not video.is_file():
        raise MediaError(f"video {video} does not exist; name it with --video")
    report = segmenting.apply(args, report)
    if args.overlapping or (writer is not None and writer.segments == "lanes"):
        segmenting.require_threshold(report)
    if writer is not None:
        writer.write(report, Path(args.out), **choice, **options)
    if args.mux is not None:
        from phar.export.ffmetadata import mux

        mux(selected(report, args.labels), Path(args.mux))
    if args.push is not None:
        _push(args, selected(report, args.labels, overlapping=args.overlapping))
    return 0


def _writer(args: argparse.Namespace) -> Writer | None:
    """Return what writes OUT; None without OUT, which only --mux and --push can do without."""
    if args.out is not None:
        return writer_for(Path(args.out), args.format)
    if args.mux is None and args.push is None:
        raise UsageError("OUT is missing: name the file to write, or give --mux or --push")
    made = {None, "ffmetadata" if args.mux else None, "stash" if args.push else None}
    if args.format not in made:
        raise UsageError(f"--format {args.format}: OUT is missing, the file to write in that format")
    return None


def _check_flags(args: argparse.Namespace) -> None:
    if args.push is None and (args.api_key or args.scene):
        raise UsageError("--api-key and --scene go with --push")
    if args.overlapping and args.mux is not None:
        raise UsageError("--mux: chapters cannot overlap; leave --overlapping out")
    if args.out is None and args.draw:
        raise UsageError("--draw goes with an annotated video; name OUT.mp4")
    if args.out is None and args.edl_action is not None:
        raise UsageError("--edl-action goes with a file in the format kodi-edl")
    if args.edl_action not in (None, "scene") and args.labels is None:
        raise UsageError(f"--edl-action {args.edl_action} would take every label; name some with --labels")


def _push(args: argparse.Namespace, report: Report) -> None:
    from phar.export.stash_push import Stash, push

    done = push(report, Stash(args.push, args.api_key or os.environ.get("PHAR_STASH_API_KEY")), args.scene)
    print(
        f"scene {done.scene}: {done.created} markers created, {done.updated} updated, {done.deleted} deleted,"
        f" {done.unchanged} unchanged"
    )
    if done.theirs:
        print(f"{done.theirs} left out, where a marker of yours has the same tag and start")
    if done.new_tags:
        print(f"new tags: {', '.join(done.new_tags)}")
