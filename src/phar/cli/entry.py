"""What every command shares: one-line errors, exit codes, and leaving cleanly when interrupted.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 input media, 4 model or profile,
5 output, 6 network, 7 a batch ended with failures, 130 and 143 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, Protocol

from rich_argparse import RawDescriptionRichHelpFormatter

from phar.foreign import shown
from phar.schema import OutputError, PharError, UsageError

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_BROKEN_PIPE = 128 + signal.SIGPIPE

#: What the system may say at any step: the exit code, and how to mend it.
_SYSTEM = {
    errno.ENAMETOOLONG: (UsageError.exit_code, "give it a shorter name"),
    errno.ENOSPC: (OutputError.exit_code, "make room"),
    errno.EDQUOT: (OutputError.exit_code, "make room"),
    errno.EROFS: (OutputError.exit_code, "choose another place"),
}


class Command(Protocol):
    """A module of this folder."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the fault as a UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


class _Terminated(BaseException):
    """SIGTERM arrived."""


def main(command: Command, prog: str, argv: Sequence[str] | None = None) -> int:
    """Parse `argv`, run the command, and return its exit code; faults become one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name need not be text in any encoding.
        sys.stdout.reconfigure(errors="backslashreplace")
    return guarded(lambda: _run(command, prog, arguments), prog, verbose="--verbose" in arguments)


def guarded(work: Callable[[], int], prog: str, *, verbose: bool) -> int:
    """Run `work` and turn what it raises into an exit code and one line on stderr."""
    try:
        with _sigterm_raises():
            code = work()
            sys.stdout.flush()
            return code
    except PharError as error:
        return _failed(prog, str(error), error.exit_code, verbose)
    except KeyboardInterrupt:
        return _failed(prog, "interrupted; nothing was half-written", _INTERRUPTED, False)
    except _Terminated:
        return _failed(prog, "terminated; nothing was half-written", _TERMINATED, False)
    except BrokenPipeError:
        _drop_output()
        return _BROKEN_PIPE
    except Exception as error:
        return _unforeseen(prog, error, verbose)


def declare(command: Command, parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments, and those that every command has."""
    command.add_arguments(parser)
    parser.add_argument(
        "--verbose", action="store_true", help="say more, with tracebacks and library messages"
    )


def _run(command: Command, prog: str, arguments: Sequence[str]) -> int:
    parser = Parser(
        prog=prog,
        description=command.__doc__,
        formatter_class=RawDescriptionRichHelpFormatter,
        allow_abbrev=False,
    )
    declare(command, parser)
    args = parser.parse_args(arguments)
    if args.verbose:
        return command.run(args)
    with _quiet_libraries():
        return command.run(args)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep stderr for the command's own lines."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM unwind the stack as an interrupt does, so that temporary files are removed."""

    def raise_terminated(signum: int, frame: FrameType | None) -> None:
        raise _Terminated

    # Only the main thread may set handlers.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _unforeseen(prog: str, error: Exception, verbose: bool) -> int:
    if isinstance(error, OSError) and error.errno in _SYSTEM:
        code, mend = _SYSTEM[error.errno]
        _drop_output()
        what = f"{error.filename}: " if error.filename else ""
        return _failed(prog, f"{what}{error.strerror}; {mend}", code, verbose)
    # What Path.resolve makes of the system's ELOOP.
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        return _failed(prog, f"{error}; name the file itself", UsageError.exit_code, verbose)
    hint = "" if verbose else "; run again with --verbose for the traceback"
    return _failed(prog, f"unexpected {type(error).__name__}: {error}{hint}", 1, verbose)


def _drop_output() -> None:
    """Keep the interpreter's own flush at exit quiet where standard output takes nothing more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(prog: str, message: str, code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    print(f"{prog}: {shown(' '.join(message.split()))}", file=sys.stderr)
    return code
