"""Analyse many videos: a report for each, and a catalogue of them all.

SRC is a folder (searched through), a video, a quoted pattern such as
'films/**/*.mkv', or - for names on standard input. Outputs go to
DIR/reports, the catalogue is DIR/catalogue.sqlite; phar find asks it.

Run the same again to go on after an interruption, and to bring DIR up to
date: only what changed is done, without models where stored scores suffice.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli import overrides
from phar.cli.values import amount, count, file_or_url, length, seconds
from phar.export import WRITERS
from phar.schema import SOME_FAILED, UsageError

if TYPE_CHECKING:
    from phar.batch.engine import Engine
    from phar.batch.runner import Summary, Wanted
    from phar.batch.sources import Found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", nargs="*", metavar="SRC", help="folder, video, pattern, or - for a list")
    parser.add_argument(
        "--list",
        action="append",
        default=[],
        metavar="FILE",
        help="names of videos and folders, one a line or separated by NUL",
    )
    parser.add_argument(
        "--out", required=True, type=file_or_url, metavar="DIR", help="folder for all outputs, or a URL"
    )
    parser.add_argument(
        "--catalogue", type=Path, metavar="DIR", help="folder for the catalogue (default: that of --out)"
    )
    overrides.add_choice_of_nets(parser)
    which = parser.add_argument_group("which videos")
    which.add_argument(
        "--since", metavar="WHEN", help="only files changed since: 2024-05-31, or an age: 7d, 12h"
    )
    which.add_argument("--retry-failed", action="store_true", help="try those again that failed before")
    which.add_argument(
        "--forget-missing",
        action="store_true",
        help="at the end, drop videos from the catalogue whose files are gone; their reports stay",
    )
    which.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    work = parser.add_argument_group("workers")
    work.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="processes (default: one a GPU, else one for every 4 cores)",
    )
    work.add_argument(
        "--timeout",
        type=seconds,
        metavar="S",
        help="longest time for one video (default: 10 min and 10 times its length)",
    )
    work.add_argument(
        "--memory",
        type=amount,
        metavar="GIB",
        help="most memory for one worker (default: 80 %% of the machine's, shared)",
    )
    cluster = parser.add_argument_group("cluster")
    cluster.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="who does the work: processes of this machine, or a Ray cluster (default: local)",
    )
    cluster.add_argument(
        "--address",
        metavar="auto|HOST:PORT",
        help="the cluster (default: one of this machine alone, for this batch)",
    )
    cluster.add_argument(
        "--gpus-per-worker",
        type=length,
        metavar="N",
        help="part of a GPU each worker takes, 0.5 for two on one (default: 1 if there are any)",
    )
    cluster.add_argument(
        "--cpus-per-worker", type=amount, metavar="N", help="cores each worker takes (default: 4)"
    )
    cluster.add_argument(
        "--split-minutes",
        type=amount,
        metavar="MIN",
        help="analyse longer videos in parts of this length, on several workers at once",
    )
    out = parser.add_argument_group("output")
    out.add_argument(
        "--format",
        action="append",
        default=[],
        choices=tuple(name for name in WRITERS if name != "json"),
        help="write this beside the report, into DIR/FORMAT; may be given several times",
    )
    out.add_argument(
        "--topk", type=count, default=5, metavar="K", help="labels listed per window (default: 5)"
    )
    out.add_argument("--save-poses", action="store_true", help="also write boxes and keypoints")
    overrides.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Find out what is to be done, and do it or say it."""
    from phar.batch.catalogue import Catalogue
    from phar.batch.job import Places, VideoJob
    from phar.batch.runner import Batch, Wanted
    from phar.profile import default_profile, load_profile, require_checkpoints
    from phar.profile.fingerprint import analysis_fingerprint, settings_fingerprint

    folder = _catalogue_folder(args)
    found = _found(args)
    chosen, reason = (args.profile, "asked for") if args.profile else default_profile()
    profile = overrides.apply(args, load_profile(chosen))
    if args.save_poses and profile.persons is None:
        raise UsageError("--save-poses: there are no poses without the skeleton stream; leave the flag out")
    require_checkpoints(profile)
    if not args.profile:
        print(f"phar batch: profile {chosen}: {reason}", file=sys.stderr)
    formats = tuple(dict.fromkeys(args.format))
    wanted = Wanted(
        analysis=analysis_fingerprint(profile),
        settings=settings_fingerprint(profile, formats, args.topk, args.preset),
        places=Places(folder, args.out) if isinstance(args.out, str) else Places(args.out),
        formats=formats,
        keep_poses=args.save_poses,
        retry_failed=args.retry_failed,
    )
    if args.dry_run:
        return _say_what_would_be_done(folder, wanted, found)
    if not found:
        print(f"{args.out}: no file has changed since {args.since}")
        return 0

    from phar.cli.batch_bar import BatchBar

    engine, num_threads = _engine(args)
    job = VideoJob(
        profile=profile,
        places=Places(wanted.places.folder, wanted.places.url),
        formats=formats,
        topk=args.topk,
        keep_poses=args.save_poses,
        about={"preset": args.preset, "chosen": reason},
        device=args.device,
        backend=args.backend,
        num_threads=num_threads,
        split_s=args.split_minutes and args.split_minutes * 60,
    )
    with Catalogue(folder) as catalogue, BatchBar() as bar:
        batch = Batch(catalogue, wanted, job, bar)
        try:
            batch.run(found, engine)
        finally:
            bar.close()
            _say_how_it_went(args.out, batch.summary)
        if args.forget_missing:
            print(f"{args.out}: {catalogue.forget_missing()} videos forgotten, their files are gone")
    return SOME_FAILED if batch.summary.failed or batch.summary.failed_before else 0


def _catalogue_folder(args: argparse.Namespace) -> Path:
    """Return where the catalogue lies, always a local folder. Raises UsageError."""
    if args.catalogue is not None:
        return Path(args.catalogue)
    if isinstance(args.out, str):
        raise UsageError(f"--out {args.out} is a URL; name a local folder for the catalogue with --catalogue")
    return Path(args.out)


def _engine(args: argparse.Namespace) -> tuple[Engine, int]:
    """Return who does the work, and on how many threads each of its workers computes. Raises UsageError."""
    from phar.batch.limits import Limits, default_memory_bytes, default_workers, num_cores

    memory_bytes = int(args.memory * 2**30) if args.memory else None
    if args.engine == "local":
        from phar.batch.local import LocalEngine

        for name in ("address", "gpus_per_worker", "cpus_per_worker", "split_minutes"):
            if getattr(args, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} is for --engine ray; add that or leave it out")
        num_workers = args.workers or default_workers(args.device)
        limits = Limits(memory_bytes or default_memory_bytes(num_workers), args.timeout)
        num_threads = max(1, num_cores() // num_workers) if num_workers > 1 else 0
        return LocalEngine(num_workers, limits, verbose=args.verbose), num_threads
    try:
        from phar.batch.actors import Share
        from phar.batch.cluster import RayEngine
    except ImportError as error:
        raise UsageError(f"--engine ray: {error}; install it: pip install -r requirements/ray.txt") from None
    cpus = args.cpus_per_worker or (4 if args.address else min(4, num_cores()))
    gpus = 0.0 if args.device == "cpu" else args.gpus_per_worker
    ray_engine = RayEngine(
        Limits(memory_bytes, args.timeout),
        Share(cpus, gpus),
        address=args.address,
        num_workers=args.workers,
        verbose=args.verbose,
    )
    return ray_engine, max(1, int(cpus))


def _found(args: argparse.Namespace) -> list[Found]:
    """Return the videos that are meant. Raises MediaError where there are none at all."""
    from phar.batch.sources import find_videos, read_since

    lists = []
    for name in args.list:
        try:
            lists.append(Path(name).read_bytes())
        except OSError as error:
            raise UsageError(f"list {name} cannot be read: {error.strerror}; check the path") from None
    if "-" in args.source:
        lists.append(sys.stdin.buffer.read())
    sources = [source for source in args.source if source != "-"]
    if not sources and not lists:
        raise UsageError("no videos named; give folders, videos, patterns, - or --list FILE")
    since = read_since(args.since, datetime.now()) if args.since else None
    found = find_videos(sources, lists, None if isinstance(args.out, str) else args.out)
    if since is None:
        return found
    return [item for item in found if item.stamp is None or item.stamp.mtime_ns >= since * 1e9]


def _say_what_would_be_done(folder: Path, wanted: Wanted, found: Sequence[Found]) -> int:
    from phar.batch.catalogue import rows_to_read
    from phar.batch.runner import verdict
    from phar.foreign import shown

    counts: Counter[str] = Counter()
    size_bytes: Counter[str] = Counter()
    rows = rows_to_read(folder)
    for item in found:
        row = rows.row(item.path)
        step, _ = verdict(rows, wanted, row, item.stamp)
        if step == "look" and (row is None or row.sha256 is None):
            step = "analyse"
        counts[step] += 1
        size_bytes[step] += item.stamp.size_bytes if item.stamp else 0
        if step not in ("skip", "failed before"):
            print(f"{step}\t{shown(item.path)}")
    rows.close()
    parts = [f"{step} {counts[step]} ({size_bytes[step] / 1e9:.1f} GB)" for step in counts]
    print(f"{folder}: {len(found)} videos; {', '.join(parts) or 'nothing to do'}")
    return 0


def _say_how_it_went(folder: Path | str, summary: Summary) -> None:
    counts = {
        "analysed": summary.analysed,
        "recomputed": summary.recomputed,
        "unchanged": summary.skipped,
        "failed": summary.failed,
        "failed before (--retry-failed tries them again)": summary.failed_before,
    }
    line = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    if summary.analysed:
        speed = summary.analysed_s / max(summary.elapsed_s, 1e-3)
        hours = f"{summary.analysed_s / 3600:.2f} h of video in {summary.elapsed_s / 3600:.2f} h"
        line += f"; {hours}, {speed:.1f}x real time"
    if line:
        print(f"{folder}: {line}", flush=True)
