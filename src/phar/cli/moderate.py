"""Safe, review or block, by a policy.

`run` judges a video, a folder or a report, `live` watches sources as they come, `calibrate` chooses a
policy's thresholds from data, `mine` picks what people should look at, `noncontent` looks at empty pictures.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from types import MappingProxyType

#: Task to its module in this folder and its line of help; each is imported when any is parsed.
TASKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("phar.cli.moderate_run", "judge a video, an address, a report or a folder of videos"),
        "live": ("phar.cli.moderate_live", "watch live sources and tell what happens"),
        "mine": ("phar.cli.moderate_mine", "pick windows that are worth a person's look"),
        "calibrate": ("phar.cli.moderate_calibrate", "choose thresholds that keep a promise"),
        "noncontent": ("phar.cli.moderate_noncontent", "check that black screens and the like bother nobody"),
    }
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every task."""
    actions = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    for name, (module, summary) in TASKS.items():
        command = importlib.import_module(module)
        action = actions.add_parser(
            name,
            help=summary,
            description=command.__doc__,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        action.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help="say more")
        command.add_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do the task."""
    code: int = importlib.import_module(TASKS[args.task][0]).run(args)
    return code
