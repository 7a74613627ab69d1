"""The engine of one machine: child processes, each with a time and a memory limit, replaced when one is lost.

Every worker has a pipe of its own and nothing is shared between them, so that none can take another, or
the batch, with it, however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator
from multiprocessing.connection import wait
from typing import Any

import psutil

from phar.batch.engine import Event, Failed, Feed, Finished, Job, Progress, error_of
from phar.batch.limits import Limits
from phar.batch.worker import FAILED, FINISHED, PREPARED, PROGRESS, serve
from phar.schema import MediaError, ModelError

#: How often limits are looked at. A process takes memory at a few GiB a second at most.
_LOOK_S = 0.2

#: How long a worker that is told to end may take to.
_GOODBYE_S = 2.0


class LocalEngine:
    """Gets tasks done by processes of this machine.

    num_workers: how many; each is started when there is a task for it. limits: for every task.
    verbose: leave the workers' stderr as it is. dropped: tells of a task that is under way whether nobody
    wants it any more; its worker is replaced.
    """

    def __init__(
        self,
        num_workers: int,
        limits: Limits,
        *,
        verbose: bool = False,
        dropped: Callable[[Any], bool] = lambda task: False,
    ) -> None:
        self._num_workers = num_workers
        self._limits = limits
        self._verbose = verbose
        self._dropped = dropped

    def run(self, job: Job, feed: Feed) -> Generator[Event, None, None]:
        """See `Engine.run`."""
        workers: list[_Worker | None] = [None] * self._num_workers
        try:
            while True:
                for slot, idle in enumerate(workers):
                    if idle is not None and idle.task is not None:
                        continue
                    task = feed()
                    if task is None:
                        break
                    # The system may have ended one that had nothing to do.
                    if idle is None or not idle.is_alive():
                        idle = _Worker(job, slot, self._limits, self._verbose)  # noqa: PLW2901
                        workers[slot] = idle
                    idle.begin(task)
                busy = [each for each in workers if each is not None and each.task is not None]
                if not busy:
                    return
                wait([each.connection for each in busy], timeout=_LOOK_S)
                for each in busy:
                    yield from each.events()
                    if each.task is not None and self._dropped(each.task):
                        yield each.drop()
                    if each.lost:
                        workers[each.slot] = None
        finally:
            left = [each for each in workers if each is not None]
            for each in left:
                each.dismiss()
            for each in left:
                each.stop()


class _Worker:
    """One child process and the task it is at."""

    def __init__(self, job: Job, slot: int, limits: Limits, verbose: bool) -> None:
        self.slot = slot
        self.task: Any | None = None
        self.lost = False
        self._limits = limits
        # A fork would copy threads' locks and CUDA's state.
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(
            target=serve, args=(other, job, slot, verbose), name=f"phar-batch-{slot}", daemon=True
        )
        self._process.start()
        other.close()
        self._memory = psutil.Process(self._process.pid)

    def is_alive(self) -> bool:
        """Tell whether the process can take a task."""
        try:
            # One that was killed counts as alive until the last of its threads has ended.
            return self._process.is_alive() and self._memory.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def begin(self, task: Any) -> None:
        """Hand a task over."""
        self.task = task
        self._began: float | None = None
        self._duration_s = 0.0
        self._where = ""
        # A worker that is gone already is found so, with its reason, when its answer is awaited.
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def events(self) -> Generator[Event, None, None]:
        """Yield what has happened to the task since last asked, and end it if it took too much.

        Raises PharError if the job could not be prepared.
        """
        try:
            while self.task is not None and self.connection.poll():
                yield from self._told(*self.connection.recv())
        except (EOFError, OSError):
            self._process.join()
            yield self._ended(MediaError.exit_code, self._how_it_ended())
            return
        if self.task is None or self.lost:
            return
        used = self._used_bytes()
        if self._limits.memory_bytes is not None and used > self._limits.memory_bytes:
            yield self._ended(
                MediaError.exit_code,
                f"took {used / 2**30:.1f} GiB of memory{self._where}, "
                f"{self._limits.memory_bytes / 2**30:.1f} are allowed; raise --memory or leave it out",
            )
        elif self._began is not None:
            allowed_s = self._limits.allowed_s(self._duration_s, self.task.size_bytes)
            if time.monotonic() - self._began > allowed_s:
                yield self._ended(
                    MediaError.exit_code,
                    f"was not done after {allowed_s:.0f} s{self._where}; raise --timeout or leave it out",
                )

    def drop(self) -> Failed:
        """End the process with its task."""
        task, self.task, self.lost = self.task, None, True
        self._process.kill()
        self._process.join()
        self.connection.close()
        return Failed(task, 1, "was cancelled")

    def dismiss(self) -> None:
        """Tell the process to end, whatever it is at."""
        self.connection.close()
        if self.task is not None:
            self._process.terminate()

    def stop(self) -> None:
        """See the process end."""
        self._process.join(_GOODBYE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _told(self, name: str, *given: Any) -> Generator[Event, None, None]:
        if name == PREPARED:
            self._began = time.monotonic()
        elif name == PROGRESS:
            stage, done_s, self._duration_s = given
            self._where = f" at {done_s:.0f} s of the video ({stage})"
            yield Progress(self.task, *given)
        elif name == FINISHED:
            task, self.task = self.task, None
            yield Finished(task, *given)
        elif name == FAILED:
            code, message, fit = given
            yield self._ended(code, message, replace=not fit)
        else:
            raise error_of(*given)

    def _ended(self, code: int, message: str, *, replace: bool = True) -> Failed:
        """Part with the task, and with the process unless it is fit for another."""
        task, self.task = self.task, None
        if self._began is None:
            raise ModelError(f"a worker was lost while it got ready: it {message}")
        if replace:
            self.lost = True
            self._process.kill()
            self._process.join()
            self.connection.close()
        return Failed(task, code, message)

    def _how_it_ended(self) -> str:
        code = self._process.exitcode or 0
        if code >= 0:
            return f"ended its worker{self._where} with code {code}; leave it out"
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL:
            return f"had its worker killed{self._where}, probably for want of memory; give fewer --workers"
        return f"crashed its worker ({name}){self._where}; re-encode it or leave it out"

    def _used_bytes(self) -> int:
        try:
            return int(self._memory.memory_info().rss)
        except psutil.Error:
            return 0
