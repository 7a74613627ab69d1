"""Events: what happened, when, in which source; each with an id of its own, as one line of JSON.

`session` comes first and says who decides; `window` tells what is said of each window that was judged;
`span` that one opened, was raised to a block, or closed; `source` what became of a source.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

KINDS = ("session", "window", "span", "source")

#: What a webhook is told unless something else is asked for.
TOLD = ("span", "source")

Event = Mapping[str, Any]


def stamp(posix_s: float) -> str:
    """Return a POSIX time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(posix_s, UTC).isoformat(timespec="milliseconds")


class Events:
    """Makes events and hands each to everybody who listens; any thread may tell."""

    def __init__(self, *listeners: Callable[[Event], None]) -> None:
        self.session = uuid.uuid4().hex
        self._listeners = listeners
        self._lock = threading.Lock()
        self._number = 0

    def tell(self, kind: str, **values: Any) -> None:
        """Make an event and hand it on, one after the other."""
        with self._lock:
            self._number += 1
            event = {
                "id": uuid.uuid4().hex,
                "session": self.session,
                "number": self._number,
                "type": kind,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                **values,
            }
            for listener in self._listeners:
                listener(event)


def line(event: Event) -> str:
    """Return an event as one line."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
