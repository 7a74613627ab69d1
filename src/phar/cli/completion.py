"""Scripts that complete phar's commands, flags and file names in a shell."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import shtab

from phar.cli import entry, main
from phar.schema import UsageError

_SHELLS = ("bash", "zsh", "tcsh")

#: Words of a placeholder in the help, and of a flag's name, that stand for files and folders.
_FOLDERS = ("DIR", "FOLDER", "DATASET")
_FILES = ("FILE", "VIDEO", "OUT", "REPORT", "TABLE", "SRC", "INPUT")
_FILE_FLAGS = ("config", "checkpoint", "maps")


def script(arguments: Sequence[str]) -> str:
    """Return the script for the one shell that is named; it knows `phar`, `phar-demo` and `phar-tags`.

    Raises:
        UsageError: no shell, or one that is not known.
    """
    if len(arguments) != 1 or arguments[0] not in _SHELLS:
        got = " ".join(arguments) or "nothing"
        raise UsageError(f"--print-completion: got {got}; name one shell: {', '.join(_SHELLS)}")
    shell = arguments[0]
    parsers = list(_programs())
    scripts = {parser.prog: shtab.complete(parser, shell) for parser in parsers}
    return _for_zsh(scripts) if shell == "zsh" else "\n".join(scripts.values())


def _programs() -> Iterator[argparse.ArgumentParser]:
    whole = argparse.ArgumentParser(prog="phar", add_help=False)
    whole.add_argument("--help", action="store_true", help="list the commands")
    whole.add_argument("--version", action="store_true", help="print the version")
    whole.add_argument("--print-completion", choices=_SHELLS, help="print a script for a shell")
    commands = whole.add_subparsers()
    for name, (module, summary) in main.COMMANDS.items():
        _complete(module, commands.add_parser(name, help=summary, description=summary))
    yield whole
    for name in ("demo", "tags"):
        parser = argparse.ArgumentParser(prog=f"phar-{name}", description=main.COMMANDS[name][1])
        _complete(main.COMMANDS[name][0], parser)
        yield parser


def _complete(module: str, parser: argparse.ArgumentParser) -> None:
    entry.declare(importlib.import_module(module), parser)
    pending = [parser]
    while pending:
        for action in pending.pop()._actions:
            if isinstance(action.choices, Mapping):
                pending += action.choices.values()
            elif action.choices is None and (kind := _kind(action)) is not None:
                action.complete = kind  # type: ignore[attr-defined]


def _kind(action: argparse.Action) -> dict[str, str] | None:
    """What shtab calls the names that the action takes: files, folders, or neither."""
    if action.nargs == 0:
        return None
    words = str(action.metavar or "")
    if any(word in words for word in _FOLDERS):
        return shtab.DIRECTORY
    if action.type is Path or any(word in words for word in _FILES) or action.dest.endswith(_FILE_FLAGS):
        return shtab.FILE
    return None


def _for_zsh(scripts: Mapping[str, str]) -> str:
    """Join scripts: zsh asks a file for one program at a time, or evaluates it for them all."""
    parts = [f"#compdef {' '.join(scripts)}"]
    for program, text in scripts.items():
        asked = f'"${{service-}}" == {program}'
        parts.append(f'if [[ "$zsh_eval_context[-1]" == eval || {asked} ]]; then\n{text}\nfi')
    return "\n".join(parts)
