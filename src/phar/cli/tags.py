"""Print the most frequent labels of a report, or of many.

By default a label counts once for every window that has it among its two best; both forms of phar-demo's JSON
are read, the report and the legacy list. `--rule seconds` and `--rule share` take the lengths of the segments
instead. `none` is never a tag.

One report gives a line per label; several, or a folder, give a table with a row per video.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from phar.cli import entry, segmenting
from phar.cli.tagging import RULES, Tagged, Tagger, each, found_reports
from phar.cli.values import count, length
from phar.foreign import shown
from phar.schema import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "reports", metavar="OUT.json", nargs="+", help="what phar-demo wrote; folders and patterns too"
    )
    parser.add_argument(
        "--rule",
        choices=tuple(RULES),
        default="top2",
        help="count windows with the label among their two best, or take its seconds, or its share of the"
        " video (default: top2)",
    )
    parser.add_argument("--min", type=length, default=0.0, metavar="X", help="leave out labels with less")
    parser.add_argument(
        "--topk",
        type=count,
        metavar="K",
        help="how many labels of a report (default: 3, and all with --rule seconds or share)",
    )
    parser.add_argument(
        "--label-map", metavar="FILE", help="count only the labels in this file, one per line"
    )
    out = parser.add_mutually_exclusive_group()
    out.add_argument("--json", action="store_true", help="print a JSON list of label and count")
    out.add_argument("--csv", action="store_true", help="print a row for each report and label")
    out.add_argument(
        "--features",
        metavar="OUT.parquet",
        help="write each label's seconds, share and score, and how long two go together; a row per video",
    )
    segmenting.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print one label and its number per line, most frequent first; or a table of many reports."""
    if args.rule == "top2" and args.features is None and segmenting.is_given(args):
        raise UsageError("segment flags say nothing to the rule top2, which looks at windows; give --rule")
    if args.rule == "share" and args.min > 1:
        raise UsageError(f"--min {args.min:g}: a share is a number from 0 to 1")
    known = None
    if args.label_map is not None:
        from phar.profile.labels import load_labels

        known = load_labels(args.label_map)
    files, single = found_reports(args.reports)
    if args.features is not None:
        return _write_features(args, files, known)
    tagger = Tagger(
        rule=args.rule,
        least=args.min,
        topk=args.topk or (3 if args.rule == "top2" else None),
        known=known,
        segment=lambda report: segmenting.apply(args, report),
    )
    rows = [tagger.tagged(files[0])] if single else list(each(files, tagger.tagged, _say))
    key = RULES[args.rule].key
    if args.csv:
        _print_csv(rows, key)
    elif args.json:
        documents = [[{"label": label, key: value} for label, value in row.tags] for row in rows]
        many = [
            {"report": str(row.report), "video": row.video, "tags": tags}
            for row, tags in zip(rows, documents, strict=True)
        ]
        print(json.dumps(documents[0] if single else many, ensure_ascii=False))
    elif single:
        for label, value in rows[0].tags:
            print(f"{shown(label)}\t{value}")
    else:
        _print_table(rows, args.rule)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `phar-tags`."""
    return entry.main(sys.modules[__name__], "phar-tags", argv)


def _write_features(args: argparse.Namespace, files: Sequence[Path], known: Sequence[str] | None) -> int:
    from phar.export import check_target, read_report
    from phar.export.features import write_features
    from phar.schema import Report

    def read(path: Path) -> tuple[Path, Report]:
        report = segmenting.apply(args, read_report(path))
        segmenting.require_threshold(report)
        return path, report

    out = Path(args.features)
    check_target(out, files)
    num_rows, num_columns = write_features(each(files, read, _say), out, known)
    print(f"{out}: {num_rows} videos, {num_columns} columns")
    return 0


def _print_csv(rows: Sequence[Tagged], key: str) -> None:
    import csv

    from phar.export.csv import inert

    # The console's own line ends: this goes to a terminal or a pipe.
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("report", "video", "label", key))
    for row in rows:
        for label, value in row.tags:
            table.writerow((inert(str(row.report)), inert(row.video or ""), inert(label), value))


def _print_table(rows: Sequence[Tagged], rule: str) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_footer=True)
    videos: Counter[str] = Counter(label for row in rows for label, _ in row.tags)
    footer = ", ".join(f"{shown(label)} {n}" for label, n in videos.most_common())
    table.add_column("video", Text(f"{len(rows)} videos"), overflow="fold")
    table.add_column(RULES[rule].title, Text(f"videos with it: {footer}" if footer else ""), overflow="fold")
    for row in rows:
        found = ", ".join(f"{shown(label)} {RULES[rule].written(value)}" for label, value in row.tags)
        table.add_row(Text(shown(Path(row.video or row.report).name)), Text(found))
    Console().print(table)


def _say(message: str) -> None:
    print(f"phar-tags: {shown(message)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
