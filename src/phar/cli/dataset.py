"""From annotations to clips to train on.

`import` turns the files of annotation tools into one table, `scenes` finds where shots begin, `build` makes
clips of shots inside annotations and splits them by video, `stats` says what a data set holds. `skeleton` and
`audio` make examples for these streams of its clips, `poses` of poses that somebody else found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli import dataset_build, dataset_examples
from phar.cli.values import seconds
from phar.foreign import shown
from phar.schema import UsageError

if TYPE_CHECKING:
    from phar.dataset.problem import Problem

#: Problems shown; the file beside the table has all.
_SHOWN = 20
_FORMATS = ("via", "cvat", "label-studio", "csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name,
            help=summary,
            description=summary,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        action.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help="say more")
        return action

    _add_import(add("import", "annotation files of any tool to one checked table"))
    dataset_build.add_actions(add)
    action = add("stats", "minutes and clips by class, category and split")
    action.add_argument("dataset", type=Path, metavar="DATASET", help="folder of a data set, or its manifest")
    action.add_argument("--out", type=Path, metavar="DIR", help="also write stats.md and pictures there")
    dataset_examples.add_actions(add)


def _add_import(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="VIA 3, CVAT, Label Studio or CSV"
    )
    action.add_argument("--out", type=Path, required=True, metavar="TABLE", help=".csv or .parquet to write")
    action.add_argument("--format", choices=_FORMATS, help="instead of what suffix and content say")
    action.add_argument(
        "--videos",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder of the videos; may be given again (default: that of each file)",
    )
    action.add_argument("--labels", type=Path, metavar="FILE", help="the labels there are, one a line")
    action.add_argument("--profile", help="take the labels of a profile")
    action.add_argument("--label-map", type=Path, metavar="FILE", help="YAML that renames labels")
    action.add_argument("--label-attribute", metavar="NAME", help="VIA's attribute that holds the label")
    action.add_argument("--fps", type=seconds, metavar="N", help="frames a second by which the tool counted")
    action.add_argument("--video", metavar="NAME", help="the video, where the file names none")
    action.add_argument(
        "--complete",
        action="store_true",
        help="the videos were annotated from end to end: what has no label shows none",
    )
    action.add_argument("--strict", action="store_true", help="write no table if there is any problem")


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    actions = {
        "import": _import,
        "scenes": dataset_build.scenes,
        "build": dataset_build.build,
        "stats": _stats,
        "skeleton": dataset_examples.skeleton,
        "audio": dataset_examples.audio,
        "poses": dataset_examples.poses,
    }
    return actions[args.action](args)


def _import(args: argparse.Namespace) -> int:
    from phar.dataset.annotation import check_table_target, write_table
    from phar.dataset.formats import ReadOptions
    from phar.dataset.importing import ImportOptions, import_annotations, read_label_map
    from phar.dataset.problem import write_problems

    check_table_target(args.out, args.files)
    options = ImportOptions(
        videos=tuple(args.videos),
        format=args.format,
        read=ReadOptions(args.fps, args.video, args.label_attribute),
        labels=_labels(args),
        label_map=read_label_map(args.label_map) if args.label_map else {},
        complete=args.complete,
    )
    rows, problems = import_annotations(args.files, options)
    beside = args.out.with_suffix(".problems.csv")
    write_problems(problems, beside)
    _show(problems, beside)
    if args.strict and problems:
        raise UsageError(f"{len(problems)} problems, listed in {beside}; mend them or leave out --strict")
    write_table(rows, args.out)
    labels = {row.label for row in rows if row.label}
    videos = {row.video for row in rows}
    print(f"{args.out}: {len(rows)} rows, {len(labels)} labels, {len(videos)} videos")
    return 0


def _stats(args: argparse.Namespace) -> int:
    from phar.dataset.stats import markdown, statistics, write_statistics

    rows = statistics(args.dataset)
    print(markdown(rows), end="")
    if args.out:
        written = write_statistics(rows, args.out)
        print(f"\n{', '.join(map(str, written))}")
    return 0


def _labels(args: argparse.Namespace) -> tuple[str, ...]:
    from phar.profile import load_labels, load_profile

    if args.labels and args.profile:
        raise UsageError("--labels and --profile both name labels; give one")
    if args.labels:
        return load_labels(args.labels)
    return load_profile(args.profile).labels if args.profile else ()


def _show(problems: Sequence[Problem], beside: Path) -> None:
    from phar.dataset.problem import counted

    for problem in problems[:_SHOWN]:
        print(shown(str(problem)))
    if len(problems) > _SHOWN:
        print(f"... and {len(problems) - _SHOWN} more")
    if problems:
        print(f"{beside}: {', '.join(counted(problems))}")
