"""What an engine is: something that gets tasks done somewhere else, and tells how each of them went.

The batch asks for nothing more, so that processes of this machine (`LocalEngine`) can be exchanged for
a cluster (`RayEngine`).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from phar.schema import ModelError, OutputError, PharError

#: What a disk that refuses one output says to the next as well.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

#: Called with a stage's name, the seconds of video that are done and the expected duration.
Tell = Callable[[str, float, float], None]


class Task(Protocol):
    """One piece of work, to be pickled."""

    @property
    def path(self) -> str:
        """The video it is about."""

    @property
    def size_bytes(self) -> int:
        """How much there is to read."""


class Job(Protocol):
    """What is done with tasks; pickled once to each worker, which keeps its copy."""

    def prepare(self, slot: int, task: Any) -> None:
        """Load what the task needs and is not loaded yet; a failure here is no task's and ends the batch.

        slot: the worker's number, from 0.
        """

    def run(self, task: Any, tell: Tell) -> Any:
        """Do the task and return what came of it, to be pickled; PharError is how a task fails."""


@runtime_checkable
class DividedJob(Job, Protocol):
    """A job whose tasks may be done in parts, by several workers at once."""

    def split(self, task: Any) -> Sequence[Any]:
        """Return the parts in which a task is to be done, each one for `run`; the task alone for no parts."""

    def join(self, task: Any, results: Sequence[Any]) -> Any:
        """Return what came of a task from what came of its parts, in their order."""


@dataclass(frozen=True)
class Progress:
    """A task goes on."""

    task: Any
    stage: str
    done_s: float
    """Seconds of video."""
    total_s: float
    """Expected length of the video, 0 where nobody knows."""


@dataclass(frozen=True)
class Finished:
    """A task is done."""

    task: Any
    result: Any


@dataclass(frozen=True)
class Failed:
    """A task is not done and is not tried again by the engine."""

    task: Any
    code: int
    """Exit code of the same failure in a single command."""
    message: str
    """One line: what, what was got, how to mend it."""


Event = Progress | Finished | Failed

#: Gives the next task, or None while there is none: more may come once a task that is under way has ended.
Feed = Callable[[], Any | None]


class Engine(Protocol):
    """Gets tasks done."""

    def run(self, job: Job, feed: Feed) -> Generator[Event, None, None]:
        """Take tasks from `feed` as they can be begun, and yield what happens to them, until none is left.

        Closing the generator stops everything that is under way.

        Raises:
            PharError: the job could not be prepared, or a worker found no room to write, so that no task can
                be done.
        """


def error_of(code: int, message: str) -> PharError:
    """Return the error that a worker met, with its exit code."""
    error = ModelError(message) if code == ModelError.exit_code else PharError(message)
    error.exit_code = code
    return error


def is_no_room(error: BaseException | None) -> bool:
    """Tell whether an error came of a disk that takes nothing more, so that no other task can end well."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return True
        error = error.__cause__ or error.__context__
    return False


def code_of(error: BaseException) -> int:
    """Return the exit code that an error has as the failure of a command."""
    if is_no_room(error):
        return OutputError.exit_code
    return error.exit_code if isinstance(error, PharError) else 1


def line_of(error: BaseException) -> str:
    """Return what an error that ended a task tells, in one line."""
    if is_no_room(error):
        return f"{' '.join(str(error).partition(';')[0].split())}; make room and run again to go on"
    if isinstance(error, PharError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there was not enough memory; raise --memory or give fewer --workers"
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
