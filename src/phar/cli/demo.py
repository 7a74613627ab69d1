"""Say which action happens when in a video.

The suffix of OUT picks what is written: .json is the full report, .mp4 the
video with labels drawn on it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phar.cli import drawing, entry, overrides
from phar.cli.values import count
from phar.cli.watching import watched
from phar.export import WRITERS, check_target, replacing, writer_for
from phar.foreign import shown
from phar.schema import MediaError, Report, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("video", metavar="VIDEO", help="the video to look at")
    parser.add_argument("out", metavar="OUT", help="what to write; replaced if phar wrote it")
    overrides.add_choice_of_nets(parser)
    parser.add_argument(
        "--num-processes", type=count, default=0, metavar="N", help="number of decoding threads"
    )
    parser.add_argument(
        "--skim",
        action="store_true",
        help="look at key frames first, and fully only where they show something",
    )
    out = parser.add_argument_group("output")
    out.add_argument("--format", choices=tuple(WRITERS), help="what OUT is, instead of what its suffix says")
    out.add_argument(
        "--topk", type=count, default=5, metavar="K", help="labels listed per window (default: 5)"
    )
    out.add_argument(
        "--timestamps", action="store_true", help='also write OUT_ts.json, {"0:7": "label", ...}'
    )
    out.add_argument(
        "--save-poses", action="store_true", help="also write boxes and keypoints, OUT.poses.npz"
    )
    out.add_argument("--trace", metavar="FILE", help="also write what ran when, for a browser's tracing page")
    drawing.add_argument(out)
    out.add_argument("--truth", metavar="FILE", help="print what was seen beside the known truth in FILE")
    overrides.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check everything that can be checked, analyse, write, and say what was written."""
    from phar.cli.comparison import comparison, read_truth
    from phar.profile import default_profile, load_profile, require_checkpoints

    video, out = Path(args.video), Path(args.out)
    writer = writer_for(out, args.format)
    options = drawing.options(args, writer)
    chosen, reason = (args.profile, "asked for") if args.profile else default_profile()
    profile = overrides.apply(args, load_profile(chosen))
    if args.skim and profile.skim is None:
        raise UsageError(f"--skim: profile {profile.name} names no net to skim with; leave the flag out")
    if (args.save_poses or args.draw) and profile.persons is None:
        flag = "--save-poses" if args.save_poses else "--draw"
        raise UsageError(f"{flag}: there are no poses without the skeleton stream; leave the flag out")
    timestamps_path = out.with_name(f"{out.stem}_ts.json") if args.timestamps else None
    poses_path = out.with_name(f"{out.stem}.poses.npz") if args.save_poses else None
    trace_path = Path(args.trace) if args.trace else None
    inputs = [video, *_files_read(profile)]
    for target in filter(None, (out, timestamps_path, poses_path, trace_path)):
        check_target(target, inputs)
    truth = read_truth(args.truth) if args.truth else None
    if not video.is_file():
        raise MediaError(f"video {video} does not exist; check the path")
    require_checkpoints(profile)
    if not args.profile:
        print(f"phar-demo: profile {chosen}: {reason}", file=sys.stderr)

    from phar.cli.progress import progress_bar
    from phar.clock import Trace
    from phar.pipeline import analyze

    trace = Trace() if trace_path is not None else None
    with progress_bar() as progress:
        report = analyze(
            args.video,
            profile,
            device=args.device,
            backend=args.backend,
            keep_poses=args.save_poses or bool(args.draw),
            topk=args.topk,
            num_threads=args.num_processes,
            skim=args.skim,
            progress=progress,
            trace=trace,
        )
    settings = {**report.profile, "preset": args.preset, "chosen": reason}
    report = dataclasses.replace(
        report, profile=settings, poses_path=poses_path.name if poses_path is not None else None
    )
    if poses_path is not None and report.poses is not None:
        from phar.export.poses import save_poses

        save_poses(report.poses, poses_path)
    if timestamps_path is not None:
        WRITERS["timestamps"].write(report, timestamps_path)
    if trace_path is not None and trace is not None:
        with replacing(trace_path) as temporary:
            temporary.write_text(trace.to_json(), encoding="utf-8")
    writer.write(report, out, **options)
    _say(report, out)
    if truth is not None:
        print(comparison(report, truth))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `phar-demo`."""
    if argv is None and (code := watched("phar-demo")) is not None:
        return code
    return entry.main(sys.modules[__name__], "phar-demo", argv)


def _files_read(profile: Any) -> list[Path]:
    models = profile.models().values()
    paths = [path for model in models for path in (model.config, model.checkpoint) if path is not None]
    return [*paths, profile.path] if profile.path is not None else paths


def _say(report: Report, out: Path) -> None:
    for warning in report.warnings:
        print(f"phar-demo: warning: {warning}", file=sys.stderr)
    tags = ", ".join(shown(tag.label) for tag in report.tags[:5])
    speed = report.timing["realtime_factor"]
    print(f"{shown(str(out))}: {len(report.predictions)} windows, {speed:.1f}x real time; {tags}")


if __name__ == "__main__":
    sys.exit(main())
