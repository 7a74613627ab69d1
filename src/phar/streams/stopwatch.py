"""Wall time by stage, so that the report can say where it went."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up the seconds one thread spends in named stages.

    Stages may nest; the inner one's time counts for the inner one only, so that all stages
    together never exceed the time that passed.
    """

    def __init__(self) -> None:
        self._inner: list[float] = []
        self.restart()

    def restart(self) -> None:
        """Forget everything and start counting from now."""
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._started = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the body's wall time under `name`."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self._seconds[name] += elapsed - self._inner.pop()
            if self._inner:
                self._inner[-1] += elapsed

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds per stage, in the order the stages were first entered."""
        return dict(self._seconds)

    @property
    def total_s(self) -> float:
        """Seconds since this stopwatch was made or restarted."""
        return time.perf_counter() - self._started
