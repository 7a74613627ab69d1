"""Safe, review or block, by a policy.

`run` judges a video, a folder or a report.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from types import MappingProxyType

#: Action to its module in this folder and its line of help; each is imported when its action is parsed.
ACTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("phar.cli.moderate_run", "judge a video, an address, a report or a folder of videos"),
    }
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every action."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, (module, summary) in ACTIONS.items():
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
    """Do what the action says."""
    code: int = importlib.import_module(ACTIONS[args.action][0]).run(args)
    return code
