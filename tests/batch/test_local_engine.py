"""A poisoned video costs only itself."""

from __future__ import annotations

import os
import signal
import time
from collections import deque

import psutil
import pytest
from poisoned import Act, PoisonedJob

from phar.batch.engine import Event, Failed, Finished, Progress
from phar.batch.limits import Limits
from phar.batch.local import LocalEngine
from phar.schema import ModelError

MIB = 2**20


def events(
    tasks: list[Act], job: PoisonedJob | None = None, workers: int = 1, **limits: float
) -> list[Event]:
    waiting = deque(tasks)
    engine = LocalEngine(
        workers, Limits(int(limits.get("memory_bytes", 400 * MIB)), limits.get("time_s", 60))
    )
    return list(engine.run(job or PoisonedJob(), lambda: waiting.popleft() if waiting else None))


@pytest.mark.parametrize(
    ("act", "reason", "limits"),
    [
        ("segfault", "crashed its worker (SIGSEGV) at 7 s of the video (analyse); ", {}),
        ("exit", "ended its worker at 7 s of the video (analyse) with code 5; ", {}),
        ("hang", "was not done after 1 s at 7 s of the video (analyse); raise --timeout ", {"time_s": 1.0}),
        ("memory", " GiB of memory at 7 s of the video (analyse), 0.4 are allowed; raise --memory ", {}),
    ],
)
def test_a_lost_worker_is_one_failure_and_is_replaced(
    act: str, reason: str, limits: dict[str, float]
) -> None:
    found = events([Act("a"), Act("b", act), Act("c"), Act("d")], **limits)
    ended = [event for event in found if not isinstance(event, Progress)]
    assert [type(event) for event in ended] == [Finished, Failed, Finished, Finished]
    assert [event.task.path for event in ended] == ["a", "b", "c", "d"]
    failure = ended[1]
    assert isinstance(failure, Failed)
    assert failure.code == 3
    assert reason in failure.message
    first, _, third, fourth = (event.result if isinstance(event, Finished) else None for event in ended)
    assert first is not None and third is not None and fourth is not None
    assert first[0] != third[0] == fourth[0]
    assert (first[1], third[1], fourth[1]) == (1, 1, 2)


def test_a_task_that_nobody_wants_any_more_is_ended() -> None:
    waiting, begun = deque([Act("a", "hang"), Act("b")]), set()
    engine = LocalEngine(1, Limits(400 * MIB, 60), dropped=lambda task: task.path in begun)
    ended = []
    for event in engine.run(PoisonedJob(), lambda: waiting.popleft() if waiting else None):
        if isinstance(event, Progress) and event.task.act == "hang":
            begun.add(event.task.path)
        elif not isinstance(event, Progress):
            ended.append(event)
    dropped, done = ended
    assert (type(dropped), dropped.task.path, dropped.message) == (Failed, "a", "was cancelled")
    assert (type(done), done.task.path) == (Finished, "b")


def test_a_worker_survives_bad_media_and_not_a_bug() -> None:
    found = events([Act("a", "media"), Act("b"), Act("c", "bug"), Act("d")])
    ended = [event for event in found if not isinstance(event, Progress)]
    assert ended[0] == Failed(Act("a", "media"), 3, "a: is damaged")
    assert ended[2] == Failed(Act("c", "bug"), 1, "unexpected ZeroDivisionError: division by zero")
    b, d = (event.result for event in ended if isinstance(event, Finished))
    assert b[1] == 1
    assert d == (d[0], 1)
    assert b[0] != d[0]


def test_workers_share_the_tasks_and_one_that_hangs_stops_no_other() -> None:
    found = events([Act("a", "hang"), *(Act(f"{i}") for i in range(6))], workers=2, time_s=2.0)
    ended = [event for event in found if not isinstance(event, Progress)]
    assert [event.task.path for event in ended] == ["0", "1", "2", "3", "4", "5", "a"]
    assert len({event.result[0] for event in ended if isinstance(event, Finished)}) == 1


def test_no_task_starts_no_process() -> None:
    assert events([]) == []


@pytest.mark.parametrize(
    ("unprepared", "reason"),
    [
        ("refused", "the checkpoint is missing; fetch it"),
        ("crashed", "a worker was lost while it got ready: it crashed its worker (SIGABRT); "),
    ],
)
def test_models_that_cannot_be_loaded_are_no_videos_fault(unprepared: str, reason: str) -> None:
    with pytest.raises(ModelError) as caught:
        events([Act("a"), Act("b")], PoisonedJob(unprepared))
    assert reason in str(caught.value)


def test_a_task_may_follow_from_what_another_gave() -> None:
    waiting = deque([Act("a")])
    told = []
    for event in LocalEngine(2, Limits(400 * MIB)).run(
        PoisonedJob(), lambda: waiting.popleft() if waiting else None
    ):
        if isinstance(event, Finished):
            told.append(event.task.path)
            if event.task.path == "a":
                waiting.append(Act("b"))
    assert told == ["a", "b"]


def test_a_worker_that_is_lost_while_idle_fails_nothing() -> None:
    waiting = deque([Act("a"), Act("b")])
    processes = []
    for event in LocalEngine(1, Limits(400 * MIB)).run(
        PoisonedJob(), lambda: waiting.popleft() if waiting else None
    ):
        if isinstance(event, Finished):
            processes.append(event.result[0])
            os.kill(processes[-1], signal.SIGKILL)
            while psutil.Process(processes[-1]).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
    assert len(set(processes)) == 2


def test_the_time_limit_follows_length_and_size() -> None:
    limits = Limits(MIB)
    assert limits.allowed_s(0, 0) == 600
    assert limits.allowed_s(3600, 2_000_000_000) == 600 + 36000 + 2000
    # What a container claims is not believed without end.
    assert limits.allowed_s(1e12, 0) == 600 + 10 * 48 * 3600
    assert Limits(MIB, time_s=5).allowed_s(3600, 10) == 5
