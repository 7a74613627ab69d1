"""Check that black screens, bars, logos, noise, credits and the like bother nobody.

Renders a test set, analyses it, and prints the highest probability of each kind in each category beside the
lowest threshold. Exit code 7 if one reaches it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli.moderate_run import add_deciding, deciders
from phar.schema import SOME_FAILED, OutputError

if TYPE_CHECKING:
    from phar.moderation.noncontent import Peak
    from phar.moderation.policy import Policy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--seed", type=int, default=0, help="another one draws others (default: 0)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the rendered videos there")
    add_deciding(parser)


def run(args: argparse.Namespace) -> int:
    """Render, analyse, print."""
    profile, policy = deciders(args)
    if args.keep is not None:
        try:
            args.keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{args.keep} cannot be made: {error.strerror}; choose another place") from None

    from tqdm import tqdm

    from phar.moderation.noncontent import peaks
    from phar.pipeline import Analyzer

    analyzer = Analyzer(profile, device=args.device, backend=args.backend)
    with (
        tempfile.TemporaryDirectory(prefix="phar-") as folder,
        tqdm(disable=not sys.stderr.isatty(), leave=False, unit=" videos") as bar,
    ):
        place = args.keep or Path(folder)
        found = list(peaks(analyzer, policy, args.seed, place, lambda _: bar.update() and None))
    _table(found, policy)
    failed = [each for each in found if not each.passes]
    print(f"{len(found) - len(failed)} of {len(found)} stay below the lowest threshold")
    return SOME_FAILED if failed else 0


def _table(found: list[Peak], policy: Policy) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind")
    for category in policy.categories:
        table.add_column(f"{category.name} (< {category.alarm:.4g})", justify="right", no_wrap=True)
    highest: dict[str, dict[str, float]] = defaultdict(dict)
    for each in found:
        row = highest[each.video.kind]
        row[each.category] = max(row.get(each.category, 0.0), each.probability)
    for kind, row in highest.items():
        cells = [f"{row[c.name]:.4f}{'' if row[c.name] < c.alarm else ' !'}" for c in policy.categories]
        table.add_row(kind, *cells)
    Console(width=140, highlight=False).print(table)
