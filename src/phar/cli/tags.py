"""Print the most frequent labels of a report.

A label counts once for every window that has it among its two best. Both
forms of phar-demo's JSON are read, the report and the legacy list.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from phar.cli import entry
from phar.cli.values import count
from phar.export.report import read_ranked
from phar.timeline import top_tags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("report", metavar="OUT.json", help="what phar-demo wrote")
    parser.add_argument("--topk", type=count, default=3, metavar="K", help="how many labels (default: 3)")
    parser.add_argument(
        "--label-map", metavar="FILE", help="count only the labels in this file, one per line"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list of label and count")


def run(args: argparse.Namespace) -> int:
    """Print one label and its number of windows per line, most frequent first."""
    ranked = read_ranked(args.report)
    if args.label_map is not None:
        from phar.profile.labels import load_labels

        known = set(load_labels(args.label_map))
        ranked = [[pair for pair in window if pair[0] in known] for window in ranked]
    found = top_tags(ranked, args.topk)
    if args.json:
        print(json.dumps([{"label": label, "clips": clips} for label, clips in found], ensure_ascii=False))
    else:
        for label, clips in found:
            print(f"{label}\t{clips}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `phar-tags`."""
    return entry.main(sys.modules[__name__], "phar-tags", argv)


if __name__ == "__main__":
    sys.exit(main())
