"""The catalogue's file: opening it, its version, and what SQLite says where it cannot be read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phar.schema import UsageError

FILE_NAME = "catalogue.sqlite"

#: Marks the file as phar's, in SQLite's `application_id`: "phar" in ASCII.
APPLICATION_ID = 0x70686172

#: From each schema version to the next; the version, SQLite's `user_version`, is how many were applied.
MIGRATIONS = (Path(__file__).with_name("catalogue_1.sql"),)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a catalogue without changing it.

    Raises:
        UsageError: it is not there, cannot be read, or is of another version.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist; name the folder that phar batch wrote to")
    address = f"{path.absolute().as_uri()}?mode=ro"
    # Beside a catalogue that nobody has open SQLite would have to make a file, which it may not everywhere.
    if not (path.with_name(f"{path.name}-wal").exists() or os.access(path.parent, os.W_OK)):
        address += "&immutable=1"
    with reading(path):
        database = sqlite3.connect(address, uri=True, timeout=30)
        version = check_version(database, path)
    if version < len(MIGRATIONS):
        database.close()
        raise UsageError(
            f"{path} is an older phar's; run phar batch --out {path.parent} once to bring it up to date"
        )
    return database


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in one line what SQLite says of a catalogue that cannot be read. Raises UsageError."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        what = "a text in it is none" if isinstance(error, UnicodeDecodeError) else error
        raise UsageError(
            f"{path} cannot be read: {what}; if it is damaged move it away, phar batch makes another"
        ) from None


def connected(path: Path) -> sqlite3.Connection:
    """Open or make a catalogue and bring it to the newest version."""
    database = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        version = check_version(database, path)
        # Readers do not wait for the writer, nor it for them.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            database.executescript(
                f"BEGIN; {script.read_text(encoding='utf-8')}"
                f" PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )
        return database
    except BaseException:
        database.close()
        raise


def check_version(database: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a catalogue, 0 for an empty file.

    Raises:
        UsageError: the file is none of phar's, or a newer phar's.
    """
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise UsageError(f"{path} is no catalogue; name the folder that phar batch wrote to") from None
        raise
    if mark != APPLICATION_ID and tables:
        raise UsageError(f"{path} is a database of another program; name another folder")
    if version > len(MIGRATIONS):
        raise UsageError(
            f"{path} has schema version {version}, this phar knows {len(MIGRATIONS)}; update phar"
        )
    return int(version)
