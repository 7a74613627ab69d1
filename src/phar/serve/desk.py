"""A thread that keeps an engine's workers busy for as long as the server runs."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any

from phar.batch.engine import Event, Failed, Job, Progress, code_of, line_of
from phar.batch.limits import Limits
from phar.batch.local import LocalEngine
from phar.schema import OutputError

#: How long workers stay, with their nets, while there is nothing to do.
_IDLE_S = 300.0

#: How long to wait after workers could not be made ready, or the database could not be written.
_AGAIN_S = 5.0


class Desk(threading.Thread):
    """Hands tasks to worker processes and tells what comes of each.

    Args:
        name: of the thread.
        job: what is done with tasks.
        take: gives the next task, or None while there is none; called by the desk's thread alone.
        told: called with every event, by the desk's thread alone.
        dropped: tells whether nobody wants a task any more that is under way.
        num_workers: how many processes at most.
        limits: for every task.
        verbose: leave the workers' stderr as it is.
    """

    def __init__(
        self,
        name: str,
        job: Job,
        take: Callable[[], Any | None],
        told: Callable[[Event], None],
        *,
        dropped: Callable[[Any], bool] = lambda task: False,
        num_workers: int,
        limits: Limits,
        verbose: bool = False,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._job, self._take, self._told = job, take, told
        self._engine = LocalEngine(
            num_workers,
            limits,
            verbose=verbose,
            dropped=lambda task: self._stopping or dropped(task),
        )
        self._changed = threading.Condition()
        self._news = False
        self._stopping = False
        self._under_way: list[Any] = []

    def wake(self) -> None:
        """Say that there may be a task."""
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End the workers and the thread, whatever they are at."""
        self._stopping = True
        self.wake()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping:
            try:
                with contextlib.closing(self._engine.run(self._job, self._feed)) as events:
                    for event in events:
                        self._note(event)
            except Exception as error:
                self._give_up(error)
            self._await(None)

    def _feed(self) -> Any | None:
        """Give the engine a task; with nothing under way, wait for one so that workers keep their nets."""
        task = self._next()
        if task is None and not self._under_way:
            self._await(_IDLE_S)
            task = self._next()
        return task

    def _next(self) -> Any | None:
        if self._stopping:
            return None
        with self._changed:
            self._news = False
        task = self._patiently(self._take)
        if task is not None:
            self._under_way.append(task)
            # There may be more than one.
            self.wake()
        return task

    def _await(self, timeout_s: float | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._news or self._stopping, timeout_s)

    def _note(self, event: Event) -> None:
        self._patiently(lambda: self._told(event))
        if not isinstance(event, Progress):
            self._under_way.remove(event.task)

    def _give_up(self, error: Exception) -> None:
        """The workers could not be made ready: say so of all that was begun."""
        print(f"phar serve: {self.name}: {line_of(error)}", file=sys.stderr, flush=True)
        for task in [*self._under_way]:
            with contextlib.suppress(Exception):
                self._note(Failed(task, code_of(error), line_of(error)))
        self._under_way.clear()
        self._pause()
        # What waits may fare better.
        self.wake()

    def _patiently(self, act: Callable[[], Any]) -> Any | None:
        """Do what the database must take, again while it cannot be written; None once the desk is stopped.

        What is under way goes on meanwhile: a full disk is no fault of any video's.
        """
        while not self._stopping:
            try:
                return act()
            except OutputError as error:
                print(f"phar serve: {self.name}: {line_of(error)}", file=sys.stderr, flush=True)
                self._pause()
        return None

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, _AGAIN_S)
