"""Where what watchers have waits for the thread that judges: a place for each source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Waiting(Generic[T]):
    """One item, or a note about a source."""

    put_ns: int
    """`time.monotonic_ns` when it was put: later ones come after it."""
    source: str
    item: T | None
    """None for a note."""
    skipped: int = 0
    """Items that this one replaced."""
    note: Callable[[], None] | None = None
    """To be called in its turn."""


class Inbox(Generic[T]):
    """Hands items from many threads to one; what is not taken in time is replaced, never piled up."""

    def __init__(self) -> None:
        self._places: dict[str, Waiting[T]] = {}
        self._notes: list[Waiting[T]] = []
        self._changed = threading.Condition()
        self._closed = False

    def put(self, source: str, item: T) -> None:
        """Put an item into a source's place, in place of one that still waits there."""
        with self._changed:
            # A source that is often too early would else never have its turn.
            before = self._places.get(source)
            skipped = before.skipped + 1 if before is not None else 0
            self._places[source] = Waiting(time.monotonic_ns(), source, item, skipped)
            self._changed.notify_all()

    def put_after(self, source: str, item: T, gone: Callable[[], bool]) -> None:
        """Wait until a source's place is free, then put an item there; do nothing once `gone` says so."""
        with self._changed:
            while source in self._places and not gone() and not self._closed:
                self._changed.wait(0.2)
            if not gone() and not self._closed:
                self._places[source] = Waiting(time.monotonic_ns(), source, item)
                self._changed.notify_all()

    def note(self, source: str, note: Callable[[], None]) -> None:
        """Have something done after the items that were put before it, and before those put after it."""
        with self._changed:
            self._notes.append(Waiting(time.monotonic_ns(), source, None, note=note))
            self._changed.notify_all()

    def take(self, most: int, timeout_s: float) -> list[Waiting[T]]:
        """Return up to `most` items of those that wait longest, and notes that none goes before, in order."""
        with self._changed:
            self._changed.wait_for(lambda: self._places or self._notes or self._closed, timeout_s)
            taken = list(self._places.values())[:most]
            for each in taken:
                del self._places[each.source]
            notes = [each for each in self._notes if not self._is_behind(each)]
            self._notes = [each for each in self._notes if self._is_behind(each)]
            self._changed.notify_all()
            return sorted([*taken, *notes], key=lambda each: each.put_ns)

    def _is_behind(self, note: Waiting[T]) -> bool:
        """Whether an item of the note's source, put before it, still waits."""
        place = self._places.get(note.source)
        return place is not None and place.put_ns < note.put_ns

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        with self._changed:
            return not self._places and not self._notes

    def close(self) -> None:
        """Let everybody go who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
