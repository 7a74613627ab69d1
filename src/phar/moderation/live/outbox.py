"""Events that are still to be delivered, on disk, so that none is lost with the process."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from filelock import lock_descriptor

from phar.schema import OutputError, UsageError

#: Marks the file as phar's, in SQLite's `application_id`: "phao" in ASCII.
APPLICATION_ID = 0x7068616F

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    address  TEXT NOT NULL,
    body     BLOB NOT NULL,
    refused  TEXT
)
"""


@dataclass(frozen=True)
class Letter:
    """One event as it is sent."""

    number: int
    id: str
    body: bytes


class Outbox:
    """A queue in an SQLite file; threads may share it, sessions may not.

    Raises:
        OutputError: the file cannot be written.
        UsageError: it is another program's, or another session's now.
    """

    def __init__(self, path: Path, address: str) -> None:
        """Open or make the file; what was refused before is tried again. Events are for `address` alone."""
        self._path = path
        self._address = address
        self._changed = threading.Condition()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = path.with_name(f"{path.name}.lock").open("a")
            if not lock_descriptor(self._lock.fileno(), blocking=False):
                self._lock.close()
                raise UsageError(f"{path} is used by another session; name another file by --outbox")
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            (marked,) = self._database.execute("PRAGMA application_id").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and marked != APPLICATION_ID:
                raise UsageError(f"{path} is another program's database; name another file")
            self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._database.execute("PRAGMA journal_mode = WAL")
            # An event that was told must outlast a power cut.
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_SCHEMA)
            self._database.execute("UPDATE event SET refused = NULL")
        except (sqlite3.Error, OSError) as error:
            raise OutputError(f"{path} cannot be used as an outbox ({error}); name another file") from None

    def put(self, event_id: str, body: bytes) -> None:
        """Keep an event until it is delivered. Raises OutputError."""
        with self._changed:
            try:
                self._database.execute(
                    "INSERT INTO event (id, address, body) VALUES (?, ?, ?)", (event_id, self._address, body)
                )
            except sqlite3.Error as error:
                raise OutputError(f"{self._path} cannot be written: {error}; make room") from None
            self._changed.notify_all()

    def next(self, timeout_s: float) -> Letter | None:
        """Return the oldest event that is still to be delivered, waiting for one; None if none comes."""
        with self._changed:
            found = self._oldest()
            if found is None:
                self._changed.wait(timeout_s)
                found = self._oldest()
            return found

    def delivered(self, letter: Letter) -> None:
        """Forget an event that has arrived."""
        with self._changed:
            self._database.execute("DELETE FROM event WHERE number = ?", (letter.number,))
            self._changed.notify_all()

    def refused(self, letter: Letter, reason: str) -> None:
        """Leave an event aside that the other side will not have; the next session tries again."""
        with self._changed:
            self._database.execute("UPDATE event SET refused = ? WHERE number = ?", (reason, letter.number))
            self._changed.notify_all()

    def waiting(self) -> int:
        """Return how many events are not delivered, refused ones too."""
        with self._changed:
            (count,) = self._database.execute(
                "SELECT count(*) FROM event WHERE address = ?", (self._address,)
            ).fetchone()
            return int(count)

    def close(self) -> None:
        """Close the file."""
        with self._changed:
            self._database.close()
            self._lock.close()

    def _oldest(self) -> Letter | None:
        row = self._database.execute(
            "SELECT number, id, body FROM event"
            " WHERE refused IS NULL AND address = ? ORDER BY number LIMIT 1",
            (self._address,),
        ).fetchone()
        return None if row is None else Letter(*row)
