"""Previews: cut when somebody looks, by a child process, and gone from the disk before they are sent."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from phar.batch.engine import Event, Failed, Finished
from phar.batch.limits import Limits
from phar.serve.desk import Desk
from phar.serve.documents import Refused
from phar.serve.tasks import PreviewJob, PreviewTask

#: Longest preview; longer spans are looked at piece by piece.
LONGEST_S = 30.0

#: Previews that may wait; who asks for more comes too soon.
_MOST_WAITING = 64

#: A preview may take this long, ffmpeg's limit included, and a worker this much memory.
_LIMITS = Limits(memory_bytes=2 << 30, time_s=60.0)

#: Previews that are cut at once.
_NUM_WORKERS = 2


class Previews:
    """Cuts previews. `passing` gives a name for a file that is removed as soon as it was read."""

    def __init__(self, passing: Callable[[], Path], verbose: bool) -> None:
        self._passing = passing
        self._lock = threading.Lock()
        self._waiting: deque[PreviewTask] = deque()
        self._futures: dict[int, Future[bytes]] = {}
        self._number = 0
        self.desk = Desk(
            "previews",
            PreviewJob(),
            self._take,
            self._told,
            dropped=self._unwanted,
            num_workers=_NUM_WORKERS,
            limits=_LIMITS,
            verbose=verbose,
        )

    async def cut(self, video: Path, start_s: float, end_s: float) -> bytes:
        """Return an mp4 of part of a video. Raises Refused."""
        future: Future[bytes] = Future()
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                raise Refused(503, "too many previews wait; ask again in a few seconds")
            self._number += 1
            number = self._number
            self._futures[number] = future
            self._waiting.append(PreviewTask(number, str(video), start_s, end_s, str(self._passing())))
        self.desk.wake()
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            raise Refused(503, "the server ends; ask its successor") from None
        finally:
            with self._lock:
                self._futures.pop(number, None)

    def _take(self) -> PreviewTask | None:
        with self._lock:
            while self._waiting:
                task = self._waiting.popleft()
                if task.number in self._futures:
                    return task
            return None

    def _unwanted(self, task: PreviewTask) -> bool:
        with self._lock:
            return task.number not in self._futures

    def _told(self, event: Event) -> None:
        if not isinstance(event, Finished | Failed):
            return
        task: PreviewTask = event.task
        target = Path(task.target)
        data = target.read_bytes() if isinstance(event, Finished) and target.exists() else None
        # An ffmpeg whose worker was ended may still write to the temporary file.
        for path in (target, *target.parent.glob(f".{target.name}.*.part")):
            path.unlink(missing_ok=True)
        with self._lock:
            future = self._futures.get(task.number)
        if future is None or future.done():
            return
        if data is not None:
            future.set_result(data)
        else:
            reason = event.message if isinstance(event, Failed) else "nothing was written"
            for hidden, name in ((task.target, "the preview"), (task.path, "the video")):
                reason = reason.replace(hidden, name)
            future.set_exception(Refused(409, f"no preview: {reason}"))
