"""A few at a time, first come first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: How often somebody who waits looks whether it is still worth it.
_LOOK_S = 0.2


class Turns:
    """Lets at most so many threads in; a thread that comes back waits behind those that wait already."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, gone: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a turn and hold it; yields False, without one, once `gone` says so."""
        mine = threading.Event()
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                mine.set()
            else:
                self._waiting.append(mine)
        while not mine.wait(_LOOK_S):
            if gone() and self._left(mine):
                yield False
                return
        try:
            yield True
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().set()
                else:
                    self._free += 1

    def _left(self, mine: threading.Event) -> bool:
        """Leave the queue; False if the turn has come in the meantime."""
        with self._lock:
            if mine.is_set():
                return False
            self._waiting.remove(mine)
            return True
