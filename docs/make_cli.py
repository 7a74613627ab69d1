"""Write docs/cli.md from the parsers: `python docs/make_cli.py`, or `make docs`."""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from phar.cli import entry, main

TARGET = Path(__file__).with_name("cli.md")

HEAD = """\
# Commands

Made from the parsers by `make docs`. `phar-demo` and `phar-tags` are `phar demo` and `phar tags`.
"""


def page() -> str:
    """Return the whole page, Markdown."""
    # The same width for everyone, whatever terminal this runs in.
    plain = functools.partial(argparse.RawDescriptionHelpFormatter, width=100)
    parts = [HEAD, _section("phar", 2, main.overview())]
    for name, (module, _) in main.COMMANDS.items():
        command = importlib.import_module(module)
        parser = argparse.ArgumentParser(
            prog=f"phar {name}", description=command.__doc__, formatter_class=plain, allow_abbrev=False
        )
        entry.declare(command, parser)
        parts += [_section(each.prog, level, each.format_help()) for level, each in _with_actions(parser)]
    return "\n".join(parts)


def _with_actions(
    parser: argparse.ArgumentParser, level: int = 2
) -> Iterator[tuple[int, argparse.ArgumentParser]]:
    """Yield a parser and those of its actions, with the level of their headings."""
    yield level, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _with_actions(below, level + 1)


def _section(title: str, level: int, text: str) -> str:
    return f"{'#' * level} {title}\n\n```\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(TARGET, file=sys.stderr)
