"""The one SQLite file of a server: videos, jobs, spans and verdicts.

A thing that was answered for is on the disk: every change is one transaction, and commits wait for the
disk. Other processes may read and write the file meanwhile, as `phar serve --add` and `--export` do.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phar.schema import OutputError, UsageError

FILE_NAME = "serve.sqlite"

#: Marks the file as phar's, in SQLite's `application_id`: "phas" in ASCII.
APPLICATION_ID = 0x70686173

#: From each schema version to the next; the version, SQLite's `user_version`, is how many were applied.
MIGRATIONS = tuple(Path(__file__).with_name(f"store_{number}.sql") for number in (1, 2))

#: How long one process waits for another's transaction.
_PATIENCE_S = 30.0


class Store:
    """The file, opened or made; threads may share it.

    clock: seconds since 1970.

    Raises:
        OutputError: the folder cannot be written.
        UsageError: the file is another program's, or a newer phar's.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.clock = clock
        self._path = folder / FILE_NAME
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S
            )
            self._database.row_factory = sqlite3.Row
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise OutputError(f"{self._path} cannot be used ({error}); name another folder") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """Give a transaction: all of it is done, or nothing. Raises OutputError where the disk refuses."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield Transaction(self._database, self.clock())
                except BaseException:
                    self._database.rollback()
                    raise
                self._database.commit()
            except sqlite3.OperationalError as error:
                raise OutputError(f"{self._path} cannot be written: {error}; make room") from error

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return what a query finds."""
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row that a query finds."""
        with self._lock:
            found: sqlite3.Row | None = self._database.execute(query, values).fetchone()
            return found

    def _prepare(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        (mark,) = self._database.execute("PRAGMA application_id").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and mark != APPLICATION_ID:
            raise UsageError(f"{self._path} is a database of another program; name another folder")
        if version > len(MIGRATIONS):
            raise UsageError(f"{self._path} has schema version {version}, this phar knows {len(MIGRATIONS)}")
        self._database.execute("PRAGMA journal_mode = WAL")
        # What a moderator was thanked for must outlast a power cut.
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._database.executescript(
                f"BEGIN IMMEDIATE; {script.read_text(encoding='utf-8')}"
                f" PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )


class Transaction:
    """What may be done inside `Store.change`."""

    def __init__(self, database: sqlite3.Connection, now: float) -> None:
        self._database = database
        self.now = now
        """Seconds since 1970."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return what a query finds."""
        return self._database.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row that a query finds."""
        found: sqlite3.Row | None = self._database.execute(query, values).fetchone()
        return found

    def run(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Change something."""
        return self._database.execute(query, values)

    def video(self, path: Path, name: str, *, uploaded: bool = False) -> int:
        """Return the id of the video at a path, new if need be."""
        found = self.row("SELECT id FROM video WHERE path = ? AND gone = 0", (os.fsencode(path),))
        if found is not None:
            return int(found["id"])
        added = self.run(
            "INSERT INTO video (path, name, uploaded, added_at) VALUES (?, ?, ?, ?)",
            (os.fsencode(path), name, uploaded, self.now),
        )
        assert added.lastrowid is not None
        return added.lastrowid
