"""The `phar` command: a table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from phar import __version__
from phar.cli import entry
from phar.cli.watching import WATCHED, watched
from phar.schema import UsageError

#: Command name to its module in this folder and its line of help.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "demo": ("phar.cli.demo", "say which action happens when in a video"),
        "tags": ("phar.cli.tags", "the most frequent labels of a report"),
        "export": ("phar.cli.export", "write a report in another form, without any model"),
        "batch": ("phar.cli.batch", "analyse many videos and keep a catalogue of them"),
        "find": ("phar.cli.find", "ask a catalogue: which videos have which labels"),
        "filter": ("phar.cli.filter", "cut, hide or mute what has certain labels"),
        "clips": ("phar.cli.clips", "the best shorts of a label, each a file of its own"),
        "moderate": ("phar.cli.moderate", "safe, review or block, by a policy; live sources; thresholds"),
        "serve": ("phar.cli.serve", "an HTTP API for videos, and a page on which people review spans"),
        "dataset": ("phar.cli.dataset", "annotations to clips to train on"),
        "train": ("phar.cli.train", "train models on one's own data, or on the rendered world"),
        "predict": ("phar.cli.predict", "let a stream score the clips of a data set"),
        "eval": ("phar.cli.eval", "measure a profile on held-out videos"),
        "fuse": ("phar.cli.fuse", "fit how a profile's streams are fused"),
        "models": ("phar.cli.models", "list, fetch, check and convert checkpoints"),
        "doctor": ("phar.cli.doctor", "what is installed, and which profiles can be used"),
    }
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `phar COMMAND ...` and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in COMMANDS:
        name, *rest = arguments
        # Only as a program of its own: whoever calls this function does not expect two processes to return.
        if argv is None and name in WATCHED and (code := watched(f"phar {name}")) is not None:
            return code
        command = importlib.import_module(COMMANDS[name][0])
        return entry.main(command, f"phar {name}", rest)
    return entry.guarded(lambda: _without_command(arguments), "phar", verbose=False)


def _without_command(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"phar {__version__}")
    elif not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
    elif arguments[0] == "--print-completion":
        from phar.cli import completion

        print(completion.script(arguments[1:]))
    else:
        raise UsageError(f"command {arguments[0]!r} is unknown; use one of {', '.join(COMMANDS)}")
    return 0 if arguments else UsageError.exit_code


def overview() -> str:
    """Return the help of `phar` itself: its commands."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: phar COMMAND ...",
            "",
            "Watches long videos and says which action happens when.",
            "",
            *rows,
            "",
            "phar COMMAND --help says more; phar --version prints the version,",
            "phar --print-completion bash (or zsh, tcsh) what completes commands in a shell.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
