"""What is true and who is judged: arguments that `phar eval` and `phar fuse` share."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli import overrides
from phar.cli.values import count
from phar.schema import UsageError

if TYPE_CHECKING:
    from phar.evaluate.runs import Runs
    from phar.evaluate.truth import VideoTruth
    from phar.profile import Profile


def add_truth(parser: argparse.ArgumentParser, seed: int, split: str) -> None:
    """Declare where the truth comes from; `seed` and `split` are the defaults."""
    group = parser.add_argument_group("truth", "the rendered world, unless --truth names another")
    group.add_argument(
        "--truth",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="annotation tables, or the folder of a data set (`phar dataset`)",
    )
    group.add_argument(
        "--split",
        default=split,
        choices=("train", "val", "test"),
        help="of a data set (default: %(default)s)",
    )
    group.add_argument("--world", type=int, default=1, help="version of the world (default: %(default)s)")
    group.add_argument(
        "--seed",
        type=int,
        default=seed,
        help="of its videos; those from 1000000 on validate, those from 2000000 on are never used but to "
        "measure (default: %(default)s)",
    )
    group.add_argument(
        "--clips", type=int, default=26, help="short clips, of one label each (default: %(default)s)"
    )
    group.add_argument(
        "--videos", type=int, default=22, help="long videos of several labels (default: %(default)s)"
    )


def add_running(parser: argparse.ArgumentParser) -> None:
    """Declare how videos are analysed, and what is kept of it."""
    group = parser.add_argument_group("running")
    group.add_argument("--preset", help="use this preset of the profile")
    group.add_argument(
        "--reports",
        type=Path,
        metavar="DIR",
        help="take the streams' scores from the reports in this folder; no net runs",
    )
    group.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep rendered videos here, and reports in DIR/reports; what is there is not made again",
    )
    group.add_argument(
        "--jobs",
        type=count,
        metavar="N",
        help="processes that analyse (default: as many as fit this machine)",
    )
    overrides.add_runtime(group)


@contextmanager
def truths_of(args: argparse.Namespace) -> Iterator[list[VideoTruth]]:
    """Yield the videos that are to be judged; rendered ones stay only in a folder to keep.

    Raises UsageError where there are none.
    """
    from phar.evaluate.truth import read_truth
    from phar.evaluate.world import world_truth
    from phar.synth import load_world

    if args.truth:
        yield read_truth(args.truth, args.split)
        return
    if args.clips < 0 or args.videos < 0 or args.clips + args.videos == 0:
        raise UsageError(f"--clips {args.clips} --videos {args.videos} name no video; give at least one")
    with tempfile.TemporaryDirectory(prefix="phar-eval-") as temporary:
        folder = args.keep or Path(temporary)
        yield [*world_truth(load_world(args.world), args.seed, args.clips, args.videos, folder)]


def look(
    args: argparse.Namespace,
    named: Sequence[tuple[str, Profile]],
    truths: Sequence[VideoTruth],
    ways: Sequence[str],
) -> list[Runs]:
    """Return every profile's reports, in each of `ways` of looking: from --reports, or made and kept."""
    from tqdm import tqdm

    from phar.batch.limits import default_workers
    from phar.evaluate.runs import analysed, stored

    if args.reports:
        kept = stored(args.reports.name, args.reports, truths)
        return [kept.recomputed(profile, name) for name, profile in named]
    keep = args.keep / "reports" if args.keep else None
    with tqdm(total=len(named) * len(truths) * len(ways), unit="video", disable=None) as bar:
        return [
            analysed(
                name,
                profile,
                truths,
                ways,
                keep=keep,
                device=args.device,
                backend=args.backend,
                num_jobs=args.jobs or default_workers(args.device),
                tell=lambda line: print(f"left out: {line}", file=sys.stderr),
                progress=bar.update,
            )
            for name, profile in named
        ]
