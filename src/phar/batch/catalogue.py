"""The catalogue: one SQLite file that knows every video, what was seen in it, and what is still to do.

A row is committed when its video is done or has failed, and at no other time, so that whatever ends a
batch, the next one goes on where this one stood.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from filelock import lock_descriptor

from phar.batch import storage
from phar.batch.sources import Found, Stamp
from phar.schema import NONE, OutputError, Segment, Tag, UsageError, Video

FILE_NAME = "catalogue.sqlite"

#: Marks the file as phar's, in SQLite's `application_id`: "phar" in ASCII.
APPLICATION_ID = 0x70686172

#: From each schema version to the next; the version, SQLite's `user_version`, is how many were applied.
MIGRATIONS = (Path(__file__).with_name("catalogue_1.sql"),)


@dataclass(frozen=True)
class Failure:
    """Why a video failed."""

    code: int
    """The exit code the same failure would give `phar demo`."""
    message: str
    """One line: what, what was got, how to mend it."""


@dataclass(frozen=True)
class Seen:
    """What the catalogue keeps of one report."""

    video: Video
    tags: tuple[Tag, ...]
    segments: tuple[Segment, ...]
    timing: Mapping[str, Any]
    warnings: tuple[str, ...]
    created: str
    has_poses: bool
    """Whether boxes and keypoints were saved beside the report."""


@dataclass(frozen=True)
class Row:
    """One video as the catalogue knows it."""

    id: int
    path: str
    place: str
    stamp: Stamp | None
    """When `sha256` was taken."""
    sha256: str | None
    """Hash of the file's content."""
    status: str
    """pending, done or failed."""
    content: str | None
    """Hash of the content that `status` speaks of."""
    analysis: str | None
    """Fingerprint of what the stored scores came from, or of what failed."""
    settings: str | None
    """Fingerprint of what the outputs were made with."""
    has_poses: bool
    duration_s: float | None


_ROW = (
    "SELECT id, path, place, size_bytes, mtime_ns, sha256, status, content, analysis, settings, has_poses,"
    " duration_s FROM video"
)


class Rows:
    """What a catalogue knows of videos, for an engine's next step."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def row(self, path: str) -> Row | None:
        """Return what is known of the video at a path."""
        found = self._database.execute(f"{_ROW} WHERE path = ?", (os.fsencode(path),)).fetchone()
        return None if found is None else _row(found)

    def with_scores(self, content: str, analysis: str) -> Iterator[Row]:
        """Yield every video of this content whose stored scores came from this analysis."""
        found = self._database.execute(
            f"{_ROW} WHERE content = ? AND analysis = ? AND status = 'done' ORDER BY id", (content, analysis)
        ).fetchall()
        yield from map(_row, found)

    def known_length(self) -> tuple[float, int]:
        """Return the length in seconds and the size in bytes of all videos that are done."""
        length_s, size_bytes = self._database.execute(
            "SELECT coalesce(sum(duration_s), 0.0), coalesce(sum(size_bytes), 0) FROM video"
            " WHERE status = 'done'"
        ).fetchone()
        return length_s, size_bytes


class Catalogue(Rows):
    """The catalogue of a folder, opened to be written; another process that tries meanwhile is refused.

    Raises:
        OutputError: the folder cannot be written, or another batch writes to it.
        UsageError: the file there is no catalogue, or a newer phar's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        with _as_output_error(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            # The folder itself is the lock, so that no file is left behind.
            self._lock = os.open(folder, os.O_RDONLY)
        try:
            with _as_output_error(self.path):
                if not lock_descriptor(self._lock, blocking=False):
                    raise OutputError(f"{folder}: another phar batch works there; wait until it has ended")
                super().__init__(_connected(self.path))
        except BaseException:
            os.close(self._lock)
            raise
        self._labels: dict[str, int] = dict(self._database.execute("SELECT name, id FROM label"))

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        os.close(self._lock)

    def enrol(self, found: Iterable[Found]) -> None:
        """Give every video a row and a place for its outputs, which it keeps from then on."""
        with self._transaction() as database:
            for item in found:
                path = os.fsencode(item.path)
                if database.execute("SELECT 1 FROM video WHERE path = ?", (path,)).fetchone():
                    continue
                for place in item.places():
                    added = database.execute(
                        "INSERT OR IGNORE INTO video (path, place) VALUES (?, ?)", (path, os.fsencode(place))
                    )
                    if added.rowcount:
                        break

    def name_labels(self, names: Iterable[str]) -> None:
        """Number labels in this order, so that their numbers do not depend on which video is done first."""
        with self._transaction():
            for name in names:
                self._label(name)

    def looked(self, row_id: int, sha256: str, stamp: Stamp) -> None:
        """Note a file's content."""
        with self._transaction() as database:
            database.execute(
                "UPDATE video SET sha256 = ?, size_bytes = ?, mtime_ns = ? WHERE id = ?",
                (sha256, stamp.size_bytes, stamp.mtime_ns, row_id),
            )

    def done(self, row_id: int, seen: Seen, content: str, analysis: str, settings: str) -> None:
        """Note that a video's outputs are written, and what is in them."""
        video = seen.video
        with self._transaction() as database:
            self._forget(row_id)
            database.execute(
                "UPDATE video SET status = 'done', content = ?, analysis = ?, settings = ?, has_poses = ?,"
                " duration_s = ?, fps = ?, width_px = ?, height_px = ?, has_audio = ?, warnings = ?,"
                " timing = ?, total_s = ?, created = ? WHERE id = ?",
                (
                    *(content, analysis, settings, seen.has_poses),
                    *(video.duration_s, float(video.fps), video.width_px, video.height_px, video.has_audio),
                    *(_json(list(seen.warnings)), _json(dict(seen.timing))),
                    *(seen.timing.get("total_s"), seen.created, row_id),
                ),
            )
            # Names differ, but in a catalogue of several profiles one may be used by more than one.
            tags = [
                (self._label(t.label), row_id, _round(t.seconds), _round(t.share), _round(t.score), t.clips)
                for t in seen.tags
            ]
            database.executemany("INSERT INTO tag VALUES (?, ?, ?, ?, ?, ?)", tags)
            database.executemany(
                "INSERT INTO span VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(row_id, position, self._label(each.label)),
                        *(_round(each.start_s), _round(each.end_s), _round(each.score)),
                    )
                    for position, each in enumerate(each for each in seen.segments if each.label != NONE)
                ],
            )
            shares = {self._label(tag.label): tag.share for tag in seen.tags if tag.label != NONE}
            if shares:
                database.execute("INSERT INTO vector VALUES (?, ?)", (row_id, vector(shares).tobytes()))

    def failed(self, row_id: int, failure: Failure, content: str | None, analysis: str) -> None:
        """Note that a video failed, and with it that nothing is known of what is in it."""
        with self._transaction() as database:
            self._forget(row_id)
            database.execute(
                "UPDATE video SET status = 'failed', content = ?, analysis = ?, error_code = ?, error = ?"
                " WHERE id = ?",
                (content, analysis, failure.code, failure.message, row_id),
            )

    def forget_missing(self) -> int:
        """Drop the videos whose files are gone, and return how many; their outputs stay."""
        rows = self._database.execute("SELECT id, path FROM video").fetchall()
        gone = [(row_id,) for row_id, path in rows if not _is_there(os.fsdecode(path))]
        with self._transaction() as database:
            for table in ("tag", "span", "vector"):
                database.executemany(f"DELETE FROM {table} WHERE video_id = ?", gone)
            database.executemany("DELETE FROM video WHERE id = ?", gone)
        return len(gone)

    def _forget(self, row_id: int) -> None:
        for table in ("tag", "span", "vector"):
            self._database.execute(f"DELETE FROM {table} WHERE video_id = ?", (row_id,))
        self._database.execute(
            "UPDATE video SET settings = NULL, has_poses = 0, error_code = NULL, error = NULL,"
            " duration_s = NULL, fps = NULL, width_px = NULL, height_px = NULL, has_audio = NULL,"
            " warnings = NULL, timing = NULL, total_s = NULL, created = NULL WHERE id = ?",
            (row_id,),
        )

    def _label(self, name: str) -> int:
        if name not in self._labels:
            added = self._database.execute("INSERT INTO label (name) VALUES (?)", (name,)).lastrowid
            assert added is not None
            self._labels[name] = added
        return self._labels[name]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _as_output_error(self.path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database


def _is_there(path: str) -> bool:
    return storage.exists(path) if storage.is_url(path) else Path(path).exists()


def vector(shares: Mapping[int, float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return (highest label id,) shares in [0, 1], the label with id i at i - 1."""
    values = np.zeros(max(shares), "<f4")
    for label_id, share in shares.items():
        values[label_id - 1] = share
    return values


def rows_to_read(folder: Path) -> Rows:
    """Open what there is of a folder's catalogue, nothing perhaps, and write nothing. Raises UsageError."""
    path = folder / FILE_NAME
    if path.is_file():
        return Rows(open_to_read(path))
    empty = sqlite3.connect(":memory:")
    for script in MIGRATIONS:
        empty.executescript(script.read_text(encoding="utf-8"))
    return Rows(empty)


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
    try:
        database = sqlite3.connect(address, uri=True, timeout=30)
        version = check_version(database, path)
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be read: {error}; check the file") from None
    if version < len(MIGRATIONS):
        database.close()
        raise UsageError(
            f"{path} is an older phar's; run phar batch --out {path.parent} once to bring it up to date"
        )
    return database


def _connected(path: Path) -> sqlite3.Connection:
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


def _row(values: Sequence[Any]) -> Row:
    row_id, path, place, size_bytes, mtime_ns, *rest = values
    sha256, status, content, analysis, settings, has_poses, duration_s = rest
    return Row(
        id=row_id,
        path=os.fsdecode(path),
        place=os.fsdecode(place),
        stamp=None if size_bytes is None else Stamp(size_bytes, mtime_ns),
        sha256=sha256,
        status=status,
        content=content,
        analysis=analysis,
        settings=settings,
        has_poses=bool(has_poses),
        duration_s=duration_s,
    )


def _round(value: float) -> float:
    """Round as the report does, so that both say the same."""
    return round(float(value), 6)


def _json(value: Any) -> str:
    # Escapes also the surrogates of file names, which SQLite would not take.
    return json.dumps(value)


@contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(f"{path} cannot be written: {error}; check the disk") from error
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; choose another folder"
        ) from error
