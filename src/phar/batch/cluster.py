"""The engine of a Ray cluster: actors that hold the nets, replaced when they or their machines are lost.

Ray places the actors, moves tasks and results, and tells of losses. What is decided here is which task an
actor that is free gets: tasks are asked for only then, so that nothing queues up in the cluster. A task
whose actor was lost is tried again on another one; one that loses every actor it is given to has failed.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

import ray

from phar.batch.actors import JOIN, RUN, SPLIT, Hand, Share, Step, Work
from phar.batch.engine import DividedJob, Event, Failed, Feed, Finished, Job, Progress, error_of, line_of
from phar.batch.limits import Limits, num_cores
from phar.schema import MediaError, ModelError, UsageError

#: How often limits are looked at.
_LOOK_S = 0.5

#: How long the cluster may take to start the first worker; one that grows on demand takes minutes.
_START_S = 900.0

#: On how many workers a task is tried before it counts as what they were lost to.
_MOST_TRIES = 3

#: What a cluster of this batch's own keeps for results under way: reports and poses, no pictures.
_OWN_STORE_BYTES = 200 * 2**20


class RayEngine:
    """Gets tasks done by actors of a Ray cluster.

    Args:
        limits: for every task; their memory is one worker's.
        share: what each worker takes of the cluster.
        address: of a cluster, as `ray.init` takes it; None for one of this machine, for this batch alone.
        num_workers: how many; None for as many as the cluster has room for.
        verbose: show what the workers print.
    """

    def __init__(
        self,
        limits: Limits,
        share: Share,
        *,
        address: str | None = None,
        num_workers: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.limits = limits
        self._address = address
        self._num_workers = num_workers
        self._share = share
        self._verbose = verbose

    def run(self, job: Job, feed: Feed) -> Generator[Event, None, None]:
        """See `Engine.run`."""
        first = feed()
        if first is None:
            return
        with self._connected():
            yield from _Run(job, feed, first, self).events()

    def room(self) -> int:
        """Return how many workers to have. Raises UsageError where there is room for none."""
        if self._num_workers is not None:
            return self._num_workers
        share = self.full_share()
        found = 0
        for node in ray.nodes():
            has = node["Resources"] if node["Alive"] else {}
            fits = [has.get("CPU", 0) // share.cpus if share.cpus else math.inf]
            fits += [has.get("GPU", 0) // share.gpus] if share.gpus else []
            found += int(min(fits)) if min(fits) < math.inf else 1
        if not found:
            raise UsageError(
                f"no machine there has the {share.cpus:g} CPUs and {share.gpus or 0:g} GPUs of a worker;"
                " lower --cpus-per-worker or --gpus-per-worker, or say --workers and let the cluster grow"
            )
        return found

    def full_share(self) -> Share:
        """Return what each worker takes, now that the cluster is known."""
        if self._share.gpus is not None:
            return self._share
        return Share(self._share.cpus, 1.0 if ray.cluster_resources().get("GPU") else 0.0)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Connect to the cluster, or start one, unless the process is connected already."""
        if ray.is_initialized():
            yield
            return
        own: dict[str, Any] = {} if self._address else {"object_store_memory": _OWN_STORE_BYTES}
        at_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                address=self._address or "local",
                include_dashboard=None if self._address else False,
                num_cpus=None if self._address else num_cores(),
                log_to_driver=self._verbose,
                logging_level=logging.ERROR,
                **own,
            )
        # Ray raises many kinds, Exception itself among them.
        except Exception as error:
            what = f"cluster {self._address} cannot be reached" if self._address else "Ray cannot be started"
            raise UsageError(f"{what}: {' '.join(str(error).split())}; see docs/scale.md") from None
        if threading.current_thread() is threading.main_thread():
            # Ray sets its own, which ends the process with another exit code.
            signal.signal(signal.SIGTERM, at_sigterm)
        try:
            yield
        finally:
            ray.shutdown()


class _Run:
    """One run of the engine: the workers, and the steps that wait for one."""

    def __init__(self, job: Job, feed: Feed, first: Any, engine: RayEngine) -> None:
        self._job = job
        self._feed = feed
        self._engine = engine
        self._waiting: deque[Step] = deque([self._begun(first)])
        self._hands: list[Hand] = []

    def events(self) -> Generator[Event, None, None]:
        """Yield what happens until nothing is left to do."""
        alive = time.monotonic()
        try:
            share = self._engine.full_share()
            self._hands = [Hand(self._job, slot, share) for slot in range(self._engine.room())]
            while True:
                # While every worker is being replaced, nobody asks for a task, and there may be more.
                is_dry = False
                for hand in self._hands:
                    if hand.is_free:
                        step = self._next()
                        if step is None:
                            is_dry = True
                            break
                        hand.begin(step)
                if is_dry and not any(hand.step for hand in self._hands):
                    return
                ready, _ = ray.wait([h.answer for h in self._hands if h.answer], timeout=_LOOK_S)
                for hand in self._hands:
                    if hand.answer in ready:
                        yield from self._answered(hand)
                    else:
                        yield from self._looked_at(hand)
                if any(hand.was_ready for hand in self._hands):
                    alive = time.monotonic()
                elif time.monotonic() - alive > _START_S:
                    raise UsageError(
                        f"the cluster had no worker for {_START_S:.0f} s; see `ray status` for what it lacks"
                    )
        finally:
            for hand in self._hands:
                hand.dismiss()

    def _begun(self, task: Any) -> Step:
        kind = SPLIT if isinstance(self._job, DividedJob) else RUN
        return Step(kind, Work(task, [None], [0.0], 1), task)

    def _next(self) -> Step | None:
        if self._waiting:
            return self._waiting.popleft()
        task = self._feed()
        return None if task is None else self._begun(task)

    def _answered(self, hand: Hand) -> Generator[Event, None, None]:
        """Take what a worker returned."""
        try:
            outcome, *given = ray.get(hand.answer)
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError):
            yield from self._lost(hand)
            return
        except ray.exceptions.RayError as error:
            unfinished = hand.step
            hand.replace()
            if unfinished is not None:
                yield from self._failed(unfinished, 1, line_of(error))
            return
        if outcome == "hindered":
            raise error_of(*given)
        step = hand.answered()
        if step is None:
            return
        if outcome == "failed":
            code, message, fit = given
            if not fit:
                hand.replace()
            yield from self._failed(step, code, message)
        elif not step.work.ended:
            yield from self._done(step, *given)

    def _done(self, step: Step, result: Any) -> Generator[Event, None, None]:
        work = step.work
        if step.kind == SPLIT:
            parts = list(result)
            work.results, work.done_s, work.num_left = [None] * len(parts), [0.0] * len(parts), len(parts)
            steps = [Step(RUN, work, part, position) for position, part in enumerate(parts)]
            self._waiting.extendleft(reversed(steps))
        elif step.kind == RUN:
            work.results[step.position] = result
            work.num_left -= 1
            if work.num_left:
                return
            if len(work.results) == 1:
                yield Finished(work.task, result)
            else:
                self._waiting.appendleft(Step(JOIN, work, work.task))
        else:
            yield Finished(work.task, result)

    def _lost(self, hand: Hand) -> Generator[Event, None, None]:
        """Replace a worker that is gone, and try again elsewhere what it was at."""
        step, was_prepared, where = hand.step, hand.was_prepared, hand.where
        early_losses = hand.replace_lost() if step is None else 0
        if step is not None:
            hand.replace()
            # What hinders a worker from getting ready is no task's fault.
            step.tries += was_prepared
            step.early_losses += not was_prepared
            early_losses = step.early_losses
        if early_losses >= _MOST_TRIES:
            raise ModelError(
                f"{_MOST_TRIES} workers in a row were lost while they got ready; "
                "see Ray's logs, and that phar and its checkpoints are on every machine"
            )
        if step is None:
            return
        if step.tries < _MOST_TRIES:
            if not step.work.ended:
                self._waiting.appendleft(step)
            return
        yield from self._failed(
            step,
            MediaError.exit_code,
            f"lost {_MOST_TRIES} workers, one after the other, the last{where}; re-encode it or leave it out",
        )

    def _looked_at(self, hand: Hand) -> Generator[Event, None, None]:
        """Yield how far a worker is, and end its task if it takes too much."""
        step = hand.step
        if step is None or not hand.was_prepared:
            return
        told = hand.told()
        if told is not None and step.kind == RUN and not step.work.ended:
            stage, done_s, total_s = told
            step.began_at_s = step.began_at_s or done_s
            work = step.work
            work.done_s[step.position] = done_s - (step.began_at_s if len(work.results) > 1 else 0.0)
            yield Progress(work.task, stage, min(sum(work.done_s), total_s), total_s)
        limit = self._engine.limits.memory_bytes
        allowed_s = self._engine.limits.allowed_s(hand.duration_s, step.work.task.size_bytes)
        if limit is not None and hand.used_bytes > limit:
            message = (
                f"took {hand.used_bytes / 2**30:.1f} GiB of memory{hand.where}, "
                f"{limit / 2**30:.1f} are allowed; raise --memory or leave it out"
            )
        elif hand.busy_s > allowed_s:
            message = f"was not done after {allowed_s:.0f} s{hand.where}; raise --timeout or leave it out"
        else:
            return
        hand.replace()
        yield from self._failed(step, MediaError.exit_code, message)

    def _failed(self, step: Step, code: int, message: str) -> Generator[Event, None, None]:
        """End a task, with all its parts."""
        work = step.work
        if work.ended:
            return
        work.ended = True
        self._waiting = deque(each for each in self._waiting if each.work is not work)
        yield Failed(work.task, code, message)
