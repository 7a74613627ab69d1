"""Pick the windows that are most worth a person's look, and hand them to an annotation tool.

REPORT is a report, or a folder of them, such as phar moderate run and phar batch write. DIR gets
candidates.csv, a table of phar dataset in which people replace `unsure` by accept or reject, and with
--format files for a tool. What comes back goes through phar dataset import and build.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from phar.cli.values import count, unit
from phar.export import read_report
from phar.foreign import shown
from phar.schema import MediaError, OutputError, Report, ReportError, UsageError

_FORMATS = ("cvat", "label-studio", "via3")
_REASONS = ("above", "near", "uncertain", "disagree")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "reports", nargs="+", type=Path, metavar="REPORT", help="report, or folder of reports"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new or empty folder")
    parser.add_argument(
        "--policy", metavar="NAME|FILE", help="whose categories (default: the name of the reports' profile)"
    )
    parser.add_argument("--format", choices=_FORMATS, help="also write files for this tool")
    parser.add_argument(
        "--quota", type=count, default=50, metavar="N", help="most windows of a category (default: 50)"
    )
    parser.add_argument(
        "--lower",
        type=unit,
        default=0.5,
        metavar="F",
        help="windows from F times the threshold on are near (default: 0.5)",
    )
    parser.add_argument(
        "--why", nargs="+", choices=_REASONS, default=list(_REASONS), help="reasons (default: all)"
    )


def run(args: argparse.Namespace) -> int:
    """Read reports, choose, write, and say what was chosen."""
    from phar.moderation.handing import write_candidates, write_for_tool
    from phar.moderation.mining import Mining, mine
    from phar.moderation.policy import load_policy

    folder = args.out
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; people's answers may be in it, choose another")
    reports = [report for path in args.reports for report in _read(path)]
    if not reports:
        raise UsageError("no report is there; phar moderate run and phar batch write them")
    policy = load_policy(args.policy or str(reports[0].profile["name"]))
    missing: set[str] = set()
    found = mine(
        policy, reports, Mining(args.quota, args.lower, tuple(args.why)), _pictures(reports, missing)
    )
    for video in sorted(missing):
        print(f"phar moderate mine: {shown(video)} cannot be read and was left out", file=sys.stderr)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place") from None
    table = write_candidates(found, reports, folder)
    files = write_for_tool(found, reports, folder, args.format) if args.format and found else []
    for category in policy.categories:
        own = [each.why for each in found if each.category == category.name]
        reasons = ", ".join(f"{own.count(reason)} {reason}" for reason in _REASONS if reason in own)
        print(f"{category.name}: {len(own)} windows{f' ({reasons})' if own else ''}")
    print(f"{table}{f' and {len(files)} files for {args.format}' if files else ''}")
    return 0


def _read(path: Path) -> Iterator[Report]:
    """Yield the reports that a path means; other JSON beside them is passed over."""
    if not path.is_dir():
        yield read_report(path)
        return
    for file in sorted(path.rglob("*.json")):
        try:
            yield read_report(file)
        except ReportError:
            continue


def _pictures(reports: list[Report], missing: set[str]) -> Callable[[int, float], int | None]:
    """Return what hashes the picture that a report's video shows at a time."""
    from phar.media.span import frames_between
    from phar.moderation.looks import picture_hash

    def look(number: int, time_s: float) -> int | None:
        video = reports[number].video.path
        if video in missing:
            return None
        try:
            frame = next(frames_between(video, time_s, time_s + 1e-3), None)
        except MediaError:
            frame = None
        if frame is None:
            missing.add(video)
            return None
        return picture_hash(frame)

    return look
