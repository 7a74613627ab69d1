"""Where the time went: seconds by stage for the report, and spans for a trace."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Trace:
    """Spans of time that several threads spent in named stages."""

    spans: list[tuple[str, str, float, float]] = field(default_factory=list)
    """(stage, thread, start, end), `time.perf_counter` seconds, in the order the spans ended."""

    def add(self, stage: str, start_s: float, end_s: float) -> None:
        """Note a span of the calling thread; threads may call at once."""
        self.spans.append((stage, threading.current_thread().name, start_s, end_s))

    def document(self) -> dict[str, Any]:
        """Return the spans as a JSON document that a browser's tracing page opens.

        Source: Trace Event Format, complete events (`"ph": "X"`), times in microseconds.
        """
        origin_s = min((start for _, _, start, _ in self.spans), default=0.0)
        threads = {name: i for i, name in enumerate(dict.fromkeys(thread for _, thread, _, _ in self.spans))}
        names = [
            {"name": "thread_name", "ph": "M", "pid": 1, "tid": i, "args": {"name": thread}}
            for thread, i in threads.items()
        ]
        events = [
            {
                "name": stage,
                "ph": "X",
                "pid": 1,
                "tid": threads[thread],
                "ts": round((start - origin_s) * 1e6, 1),
                "dur": round((end - start) * 1e6, 1),
            }
            for stage, thread, start, end in sorted(self.spans, key=lambda span: span[2])
        ]
        return {"displayTimeUnit": "ms", "traceEvents": [*names, *events]}

    def to_json(self) -> str:
        """Return `document` as text."""
        return json.dumps(self.document(), separators=(",", ":")) + "\n"


class Stopwatch:
    """Adds up the seconds one thread spends in named stages.

    Stages may nest; the inner one's time counts for the inner one only, so that all stages
    together never exceed the time that passed. With a trace, each stage is also noted there.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self.trace = trace
        self._inner: list[float] = []
        self.restart()

    def restart(self) -> None:
        """Forget the seconds and start counting from now; the trace goes on."""
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._before_s = 0.0
        self._started: float | None = time.perf_counter()

    def pause(self) -> None:
        """Leave out what passes from now until `resume`."""
        self._before_s, self._started = self.total_s, None

    def resume(self) -> None:
        """Go on counting after a pause."""
        self._before_s, self._started = self.total_s, time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the body's wall time under `name`."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            end = time.perf_counter()
            self._seconds[name] += end - start - self._inner.pop()
            if self._inner:
                self._inner[-1] += end - start
            if self.trace is not None:
                self.trace.add(name, start, end)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds per stage, in the order the stages were first entered."""
        return dict(self._seconds)

    @property
    def total_s(self) -> float:
        """Seconds since this stopwatch was made or restarted, pauses left out."""
        return self._before_s + (0.0 if self._started is None else time.perf_counter() - self._started)
