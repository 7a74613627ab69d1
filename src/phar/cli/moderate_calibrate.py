"""Choose a policy's thresholds from data, so that they keep a promise.

DATA is an annotation table of phar dataset import (best with --complete, so that what has no label counts as
clean) or a folder of phar dataset build. Its videos are analysed into REPORTS first, as phar batch does it;
running the same again analyses only what is new.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.cli.moderate_run import add_deciding, deciders
from phar.cli.values import amount, count, unit
from phar.export import check_target, read_report
from phar.schema import UsageError

if TYPE_CHECKING:
    from phar.moderation.thresholds import Outcome
    from phar.moderation.truth import Watched
    from phar.schema import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("out", type=Path, metavar="POLICY.yaml", help="the policy to write")
    parser.add_argument("--data", type=Path, required=True, metavar="DATA", help="table or data set")
    parser.add_argument("--split", default="val", help="of a data set: train, val or test (default: val)")
    parser.add_argument("--test", type=Path, metavar="DATA", help="other data to measure the result on")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--max-false-alarms-per-hour", type=amount, metavar="X", help="promise at most X in each category"
    )
    target.add_argument(
        "--min-precision", type=unit, metavar="P", help="promise that P of the alarms are right"
    )
    parser.add_argument(
        "--confidence", type=unit, default=0.95, metavar="C", help="of the promise (default: 0.95)"
    )
    parser.add_argument(
        "--action",
        choices=("review", "block"),
        default="review",
        help="whose threshold it is (default: review)",
    )
    parser.add_argument("--curves", type=Path, metavar="FILE", help=".png or .svg (default: POLICY.png)")
    parser.add_argument(
        "--reports", type=Path, metavar="DIR", help="where reports are kept (default: POLICY-reports)"
    )
    parser.add_argument("--workers", type=count, metavar="N", help="processes, as for phar batch")
    add_deciding(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse what is not analysed yet, choose, write, and print the table."""
    if args.out.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"{args.out}: policies are YAML; end the name in .yaml")
    curves = args.curves or args.out.with_suffix(".png")
    if curves.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{curves}: pictures are .png or .svg; change the suffix")
    check_target(args.out, [args.data])
    if not 0.5 < args.confidence < 1 or args.min_precision in (0.0, 1.0):
        raise UsageError(
            "--confidence lies between 0.5 and 1, --min-precision between 0 and 1, without the ends"
        )
    profile, policy = deciders(args)

    from phar.moderation.calibrate import calibrate, calibrated_policy, check, write_policy
    from phar.moderation.curves import write_curves
    from phar.moderation.thresholds import Promise

    kind = "precision" if args.min_precision is not None else "false_alarms_per_hour"
    promise = Promise(kind, args.min_precision or args.max_false_alarms_per_hour, args.confidence)
    folder = args.reports or args.out.with_name(f"{args.out.stem}-reports")
    watched = _watched(args.data, args.split)
    unseen = _watched(args.test, "test") if args.test is not None else []
    reports = _reports(args, [*watched, *unseen], folder, str(profile.path))
    results = calibrate(policy, watched, reports[: len(watched)], promise)
    about = {"data": str(args.data), "data_sha256": _sha256(args.data), "profile": profile.name}
    made = calibrated_policy(policy, results, promise, args.action, args.out, about)
    write_policy(made)
    write_curves(results, promise, curves)
    print(f"{args.out}: {made.name} version {made.version}; curves in {curves}")
    _table(
        {name: each.chosen for name, each in results.items()}, {n: r.threshold for n, r in results.items()}
    )
    for name, each in results.items():
        word = "at least" if kind == "precision" else "at most"
        print(f"{name}: {word} {each.bound:.3g}, at {promise.confidence:.0%} confidence")
    if unseen:
        print(f"on {args.test}, which chose nothing:")
        _table(check(made, unseen, reports[len(watched) :]))
    return 0


def _watched(data: Path, split: str) -> list[Watched]:
    """Return what people know of each video."""
    if data.is_dir() or data.name.startswith("manifest."):
        return _of_data_set(data, split)
    return _of_table(data)


def _of_table(path: Path) -> list[Watched]:
    from phar.dataset.annotation import ACCEPT, COMPLETE, REJECT
    from phar.dataset.importing import read_tables
    from phar.moderation.truth import Watched

    rows: dict[Path, list[Any]] = {}
    for row in read_tables([path]):
        rows.setdefault(row.video, []).append(row)
    return [
        Watched(
            video,
            tuple((row.start_s, row.end_s, row.label) for row in own if row.verdict == ACCEPT),
            tuple((row.start_s, row.end_s) for row in own if row.verdict == COMPLETE),
            tuple((row.start_s, row.end_s, row.label) for row in own if row.verdict == REJECT),
        )
        for video, own in rows.items()
    ]


def _of_data_set(path: Path, split: str) -> list[Watched]:
    from phar.dataset.manifest import read_manifest
    from phar.moderation.truth import Watched

    rows: dict[Path, list[Any]] = {}
    for clip in read_manifest(path):
        if clip.split == split and not clip.repeat:
            rows.setdefault(clip.video, []).append(clip)
    if not rows:
        raise UsageError(f"{path}: no clip is in the split {split!r}; name another with --split")
    return [
        Watched(
            video,
            tuple((clip.start_s, clip.end_s, clip.label) for clip in own),
            tuple((clip.start_s, clip.end_s) for clip in own),
        )
        for video, own in rows.items()
    ]


def _reports(args: argparse.Namespace, watched: list[Watched], folder: Path, profile: str) -> list[Report]:
    """Bring the reports of all videos up to date and return them in order."""
    from phar.batch.catalogue import rows_to_read
    from phar.batch.job import Places
    from phar.cli import batch, entry

    with tempfile.NamedTemporaryFile(prefix="phar-", suffix=".list") as names:
        names.write(b"\0".join(str(each.video).encode() for each in watched) + b"\0")
        names.flush()
        flags = ["--list", names.name, "--out", str(folder), "--profile", profile, "--device", args.device]
        flags += ["--backend", args.backend, *(["--preset", args.preset] if args.preset else [])]
        flags += ["--workers", str(args.workers)] if args.workers else []
        parser = entry.Parser(prog="phar moderate calibrate")
        batch.add_arguments(parser)
        parser.add_argument("--verbose", action="store_true")
        batch.run(parser.parse_args([*flags, *(["--verbose"] if args.verbose else [])]))
    rows = rows_to_read(folder)
    try:
        found = [rows.row(str(each.video)) for each in watched]
    finally:
        rows.close()
    for row, each in zip(found, watched, strict=True):
        if row is None or row.status != "done":
            raise UsageError(f"{each.video} could not be analysed; mend it or take it out of the data")
    return [read_report(Places(folder).report(row.place)) for row in found if row is not None]


def _sha256(data: Path) -> str:
    import hashlib

    from phar.dataset.manifest import manifest_path

    return hashlib.sha256(manifest_path(data).read_bytes()).hexdigest()


def _table(outcomes: dict[str, Outcome], thresholds: dict[str, float] | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["category", "threshold", "hours", "false alarms", "an hour", "events", "found", "precision"]
    for name in (*columns, "recall", "F1"):
        table.add_column(name, justify="left" if name == "category" else "right", no_wrap=True)
    for name, each in outcomes.items():
        table.add_row(
            name,
            f"{thresholds[name] if thresholds else each.threshold:.4f}",
            f"{each.hours:.2f}",
            str(each.false_alarms),
            f"{each.per_hour:.3f}",
            str(each.events),
            str(each.found),
            *(f"{value:.3f}" for value in (each.precision, each.recall, each.f1)),
        )
    # As wide as it takes: a narrow terminal breaks lines, a file has none.
    Console(width=140, highlight=False).print(table)
