"""A queue between two threads that is bounded by count and by bytes."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Hands items from one producing thread to one consuming thread.

    An item larger than `max_bytes` still passes, alone.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max(1, max_items)
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._finished = False
        self._cancelled = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self.put_waited_s = 0.0
        self.get_waited_s = 0.0

    @property
    def cancelled(self) -> bool:
        """Whether the consumer has gone."""
        return self._cancelled

    def put(self, item: T, num_bytes: int) -> bool:
        """Add an item, waiting for room; False if the consumer has gone."""
        started = time.perf_counter()
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._has_room(num_bytes))
            self.put_waited_s += time.perf_counter() - started
            if self._cancelled:
                return False
            self._items.append((item, num_bytes))
            self._bytes += num_bytes
            self._changed.notify_all()
            return True

    def finish(self, error: BaseException | None = None) -> None:
        """Say that no item will follow; `error` is raised at the consumer after the last one."""
        with self._changed:
            self._finished = True
            self._error = error
            self._changed.notify_all()

    def get(self) -> T | None:
        """Take the next item, waiting for it; None after the last."""
        started = time.perf_counter()
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._finished or self._cancelled)
            self.get_waited_s += time.perf_counter() - started
            if self._items:
                item, num_bytes = self._items.popleft()
                self._bytes -= num_bytes
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def cancel(self) -> None:
        """Let the producer go: its next `put` returns False."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()

    def _has_room(self, num_bytes: int) -> bool:
        if not self._items:
            return True
        return len(self._items) < self._max_items and self._bytes + num_bytes <= self._max_bytes
