"""Ask a catalogue that phar batch made: which videos have which labels.

Every --label must be in a video, no --not may be; --min-seconds, --min-share
and --min-score hold for each --label. Without any question all videos are
listed.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.cli.values import clock, count, length, unit
from phar.foreign import shown
from phar.schema import UsageError

if TYPE_CHECKING:
    from phar.batch.search import Hit, Search

_SORTS = ("score", "seconds", "share", "duration", "path")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--catalogue",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the --out of phar batch (default: the current folder)",
    )
    which = parser.add_argument_group("which videos")
    which.add_argument(
        "--label", action="append", default=[], metavar="L", help="with this label; repeatable"
    )
    which.add_argument(
        "--not",
        action="append",
        default=[],
        dest="without",
        metavar="L",
        help="without this label; repeatable",
    )
    which.add_argument(
        "--min-seconds", type=length, default=0.0, metavar="S", help="label seen this long in all"
    )
    which.add_argument("--min-share", type=unit, default=0.0, metavar="P", help="in this share of the video")
    which.add_argument("--min-score", type=unit, default=0.0, metavar="P", help="with this score")
    which.add_argument("--under", metavar="FOLDER", help="in this folder or below")
    which.add_argument(
        "--like", metavar="VIDEO", help="most alike first: by the angle between their shares of labels"
    )
    which.add_argument("--sort", choices=_SORTS, help="highest first, path by name (default: score, or path)")
    which.add_argument("--limit", type=count, metavar="N", help="the first N (with --like: 10)")
    what = parser.add_argument_group("what to say").add_mutually_exclusive_group()
    what.add_argument("--stats", action="store_true", help="hours and videos in all and of each label")
    what.add_argument("--failed", action="store_true", help="videos that failed, and why")
    what.add_argument(
        "--parquet", type=Path, metavar="OUT", help="write videos, tags and spans to this folder as Parquet"
    )
    form = parser.add_argument_group("form").add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV for spreadsheets")
    form.add_argument(
        "--print0", action="store_true", help="print exact paths, each ended by NUL, for xargs -0"
    )
    parser.add_argument("--spans", action="store_true", help="also print where the labels are")


def run(args: argparse.Namespace) -> int:
    """Ask and print."""
    from phar.batch.database import reading
    from phar.batch.search import Search

    _check(args)
    with reading(args.catalogue), closing(Search(args.catalogue)) as search:
        if args.parquet is not None:
            from phar.batch.parquet import export

            written = export(search, args.parquet)
            print(f"{args.parquet}: {', '.join(f'{number} {name}' for name, number in written.items())}")
        elif args.stats:
            _say_statistics(search, args)
        elif args.failed:
            _say_failures(search, args)
        else:
            _say_hits(search, args)
    return 0


def _check(args: argparse.Namespace) -> None:
    least = {"--min-seconds": args.min_seconds, "--min-share": args.min_share, "--min-score": args.min_score}
    for flag, value in least.items():
        if value and not args.label:
            raise UsageError(f"{flag} is about a label; name it with --label")
    if args.sort in ("score", "seconds", "share") and not args.label:
        raise UsageError(
            f"--sort {args.sort} is about a label; name it with --label, or sort by duration or path"
        )
    if args.like is not None and args.sort is not None:
        raise UsageError("--like sorts by likeness; leave --sort out")
    if args.print0 and (args.stats or args.parquet):
        raise UsageError("--print0 prints paths, which --stats and --parquet have none of; leave one out")


def _say_hits(search: Search, args: argparse.Namespace) -> None:
    from phar.batch.search import Query

    query = Query(
        labels=tuple(dict.fromkeys(args.label)),
        without=tuple(args.without),
        min_seconds=args.min_seconds,
        min_share=args.min_share,
        min_score=args.min_score,
        under=args.under,
        sort=args.sort or ("score" if args.label else "path"),
        limit=args.limit or (10 if args.like is not None else None),
    )
    hits = search.find(query) if args.like is None else search.like(args.like, query)
    if args.print0:
        _print0(hit.path_bytes for hit in hits)
    elif args.json:
        rows = [_hit_document(search, hit, query.labels, args.spans) for hit in hits]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    elif args.csv:
        keys = [key for key in _COLUMNS if any(getattr(hit, key) is not None for hit in hits)]
        _print_csv(
            ["path", *keys, "report"],
            [[hit.path, *(getattr(hit, k) for k in keys), search.report(hit)] for hit in hits],
        )
    else:
        lines = [_head(hits[0])] if hits and sys.stdout.isatty() else []
        for hit in hits:
            lines.append(_line(hit, shown))
            if args.spans:
                lines += [
                    f"        {clock(span.start_s)}-{clock(span.end_s)}  {span.label}  {span.score:.2f}"
                    for span in search.spans(hit.path, query.labels)
                ]
        _print_lines(lines)


#: The numbers of a hit, in the order they are shown.
_COLUMNS = ("likeness", "score", "seconds", "share", "duration_s")


def _head(hit: Hit) -> str:
    """Name the columns of `_line`."""
    head = "  length  path"
    if hit.seconds is not None:
        head = f"score   seconds  share  {head}"
    return head if hit.likeness is None else f"alike  {head}"


def _line(hit: Hit, shown: Callable[[str], str]) -> str:
    _, _, duration_s, seconds, share, score, likeness = hit
    line = f"{_clock(round(duration_s)):>8}  {shown(hit.path)}"
    if seconds is not None:
        line = f"{score:5.2f}  {_clock(round(seconds)):>8}  {share:5.0%}  {line}"
    return line if likeness is None else f"{likeness:.3f}  {line}"


#: Of many lengths most come more than once.
_clock = functools.lru_cache(1 << 16)(clock)


def _hit_document(search: Search, hit: Hit, labels: Sequence[str], spans: bool) -> dict[str, Any]:
    numbers = {key: getattr(hit, key) for key in _COLUMNS if getattr(hit, key) is not None}
    document: dict[str, Any] = {**_path_document(hit.path), **numbers, "report": _text(search.report(hit))}
    if spans:
        document["spans"] = [asdict(span) for span in search.spans(hit.path, labels)]
    return document


def _path_document(path: str) -> dict[str, str]:
    """Return a path as JSON can hold it; one that is no UTF-8 also byte by byte."""
    text = _text(path)
    return {"path": text} if text == path else {"path": text, "path_hex": os.fsencode(path).hex()}


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _say_statistics(search: Search, args: argparse.Namespace) -> None:
    found = search.statistics(args.under)
    if args.json:
        print(json.dumps(asdict(found), indent=1, ensure_ascii=False))
    elif args.csv:
        _print_csv(
            ["label", "videos", "seconds", "share", "score"],
            [[each.label, each.videos, each.seconds, each.share, each.score] for each in found.labels],
        )
    else:
        speed = f", {found.hours / found.analysis_hours:.1f}x real time" if found.analysis_hours else ""
        lines = [
            f"videos    {found.videos}: {found.done} done, {found.failed} failed, {found.pending} pending",
            f"length    {found.hours:.2f} h, {found.gigabytes:.1f} GB",
            f"analysis  {found.analysis_hours:.2f} h{speed}",
            "",
        ]
        width = max([len(shown(each.label)) for each in found.labels], default=5)
        lines.append(f"{'label':{width}}  videos     hours  share  score")
        lines += [
            f"{shown(each.label):{width}}  {each.videos:6}  {each.seconds / 3600:8.2f}  {each.share:5.1%}"
            f"  {each.score:5.2f}"
            for each in found.labels
        ]
        _print_lines(lines)


def _say_failures(search: Search, args: argparse.Namespace) -> None:
    found = search.failures(args.under)
    if args.print0:
        _print0(os.fsencode(path) for path, _ in found)
    elif args.json:
        rows = [{**_path_document(path), "error": error} for path, error in found]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    elif args.csv:
        _print_csv(["path", "error"], [[path, error] for path, error in found])
    else:
        _print_lines([f"{shown(path)}: {shown(error)}" for path, error in found])


def _print_lines(lines: Sequence[str]) -> None:
    if lines:
        sys.stdout.write("\n".join(lines) + "\n")


def _print0(paths: Iterable[bytes]) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(path + b"\0" for path in paths))
    sys.stdout.buffer.flush()


def _print_csv(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[_cell(value) for value in row] for row in rows])


def _cell(value: Any) -> Any:
    """Return a value for a spreadsheet."""
    if not isinstance(value, str):
        return value
    from phar.export.csv import inert

    return inert(_text(value))
