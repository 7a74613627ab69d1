"""The workers of a Ray cluster: actors that hold the nets, and how the batch's process sees them."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.exceptions import GetTimeoutError, RayError

from phar.batch.engine import Job, code_of, is_no_room, line_of
from phar.schema import PharError

# Ray would report its use to its makers; it looks here when a cluster starts.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

#: How often progress is asked for.
_ASK_S = 0.5

#: What a worker may be asked to do.
SPLIT, RUN, JOIN = "split", "run", "join"


@dataclass(frozen=True)
class Share:
    """What one worker takes of the cluster."""

    cpus: float
    gpus: float | None = None
    """Parts of a GPU; None: a whole one if the cluster has any."""


@dataclass(eq=False)
class Work:
    """A task of the feed that is under way, whole or in parts."""

    task: Any
    results: list[Any] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)
    """How far each part is: seconds of video."""
    num_left: int = 0
    ended: bool = False
    """Failed, while parts of it may still be under way."""


@dataclass(eq=False)
class Step:
    """What a worker does at a time: split a task, run it or a part of it, or join the parts."""

    kind: str
    work: Work
    part: Any
    """The task or the part that is done."""
    position: int = 0
    tries: int = 0
    """Workers lost while they were at it."""
    early_losses: int = 0
    """Workers lost while they got ready for it."""
    began_at_s: float = 0.0
    """Where in the video the part was when first heard of."""


class Hand:
    """One worker as the driver sees it, and the step it is at."""

    def __init__(self, job: Job, slot: int, share: Share) -> None:
        self._job = job
        self._slot = slot
        self._share = share
        self._num_unused = 0
        self.step: Step | None = None
        self.answer: Any = None
        """A reference to what the worker will answer."""
        self.was_ready = self.was_prepared = False
        self.where = ""
        self.duration_s = 0.0
        self.used_bytes = 0
        self._began = self._asked_at = 0.0
        self._asked: Any = None
        self._actor: Any = None
        self._hire()

    @property
    def is_free(self) -> bool:
        """Whether it can take a step."""
        return self.was_ready and self.step is None

    @property
    def busy_s(self) -> float:
        """How long it has been at its step, loading of nets apart."""
        return time.monotonic() - self._began

    def begin(self, step: Step) -> None:
        """Hand a step over."""
        self.step = step
        self.was_prepared = False
        self.where, self.duration_s, self.used_bytes = "", 0.0, 0
        self._began = time.monotonic()
        self._asked = None
        self._num_unused = 0
        self.answer = self._actor.prepare.remote(step.part)

    def answered(self) -> Step | None:
        """Go on after an answer; return the step if that was the end of it."""
        self.answer = None
        if not self.was_ready:
            self.was_ready = True
            return None
        step = self.step
        if step is None:
            return None
        if not self.was_prepared:
            self.was_prepared = True
            self._began = time.monotonic()
            given = [step.part] if step.kind != JOIN else [step.part, step.work.results]
            self.answer = self._actor.do.remote(step.kind, *given)
            return None
        self.step = None
        return step

    def told(self) -> tuple[str, float, float] | None:
        """Return the last progress that the worker told of, if it told of any since last asked."""
        if self._asked is None:
            if time.monotonic() - self._asked_at < _ASK_S:
                return None
            self._asked_at = time.monotonic()
            self._asked = self._actor.told.remote()
        try:
            progress, self.used_bytes = ray.get(self._asked, timeout=0)
        except GetTimeoutError:
            return None
        except RayError:
            # Told, with its reason, by the step's own answer.
            self._asked = None
            return None
        self._asked = None
        if progress is None:
            return None
        stage, done_s, self.duration_s = progress
        self.where = f" at {done_s:.0f} s of the video ({stage})"
        return stage, done_s, self.duration_s

    def replace(self) -> None:
        """End the worker and start another."""
        self.dismiss()
        self._hire()

    def replace_lost(self) -> int:
        """Start another for a worker that was lost without a task; return how many were, in a row."""
        self._num_unused += 1
        self.replace()
        return self._num_unused

    def dismiss(self) -> None:
        """End the worker, whatever it is at."""
        with contextlib.suppress(Exception):
            ray.kill(self._actor)

    def _hire(self) -> None:
        self.step = None
        self.was_ready = self.was_prepared = False
        self.where, self.duration_s, self.used_bytes = "", 0.0, 0
        self._asked = None
        self._asked_at = 0.0
        self._actor = _ACTOR.options(
            num_cpus=self._share.cpus,
            num_gpus=self._share.gpus,
            max_restarts=0,
            max_task_retries=0,
            # The second thread tells how far the first one is.
            max_concurrency=2,
        ).remote(self._job, self._slot, str(Path.cwd()))
        self.answer = self._actor.ready.remote()


class Worker:
    """The actor: a process somewhere in the cluster that does one step after another."""

    def __init__(self, job: Any, slot: int, folder: str) -> None:
        # Relative paths mean what they mean to the batch, if only the folder is there on this machine.
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._job = job
        self._slot = slot
        self._told: tuple[str, float, float] | None = None

    def ready(self) -> tuple[str]:
        """Answer once the process has started."""
        return ("ready",)

    def prepare(self, task: Any) -> tuple[Any, ...]:
        """Load what a task needs."""
        self._told = None
        try:
            self._job.prepare(self._slot, task)
        except BaseException as error:
            return "hindered", code_of(error), line_of(error)
        return ("prepared",)

    def do(self, kind: str, *given: Any) -> tuple[Any, ...]:
        """Do a step, and return what came of it, or why nothing did and whether this process can go on."""
        try:
            if kind == RUN:
                return "finished", self._job.run(*given, self._tell)
            return "finished", (self._job.split if kind == SPLIT else self._job.join)(*given)
        except BaseException as error:
            if is_no_room(error):
                return "hindered", code_of(error), line_of(error)
            return "failed", code_of(error), line_of(error), isinstance(error, PharError)

    def told(self) -> tuple[tuple[str, float, float] | None, int]:
        """Return how far the step is, and the resident memory in bytes."""
        return self._told, int(psutil.Process().memory_info().rss)

    def _tell(self, stage: str, done_s: float, total_s: float) -> None:
        self._told = stage, done_s, total_s


_ACTOR: Any = ray.remote(Worker)
