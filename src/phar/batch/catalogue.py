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
from phar.batch.database import FILE_NAME, MIGRATIONS, connected, open_to_read, reading
from phar.batch.sources import Found, Stamp
from phar.schema import NONE, OutputError, Segment, Tag, Video


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

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self.path = path

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def row(self, path: str) -> Row | None:
        """Return what is known of the video at a path."""
        found = self._read(f"{_ROW} WHERE path = ?", (os.fsencode(path),))
        return _row(found[0]) if found else None

    def with_scores(self, content: str, analysis: str) -> Iterator[Row]:
        """Yield every video of this content whose stored scores came from this analysis."""
        where = "content = ? AND analysis = ? AND status = 'done'"
        yield from map(_row, self._read(f"{_ROW} WHERE {where} ORDER BY id", (content, analysis)))

    def known_length(self) -> tuple[float, int]:
        """Return the length in seconds and the size in bytes of all videos that are done."""
        ((length_s, size_bytes),) = self._read(
            "SELECT coalesce(sum(duration_s), 0.0), coalesce(sum(size_bytes), 0) FROM video"
            " WHERE status = 'done'"
        )
        return length_s, size_bytes

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a question. Raises UsageError."""
        with reading(self.path):
            return self._database.execute(statement, values).fetchall()


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
                super().__init__(connected(self.path), self.path)
            self._labels: dict[str, int] = dict(self._read("SELECT name, id FROM label"))
        except BaseException:
            os.close(self._lock)
            raise

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
        rows = self._read("SELECT id, path FROM video")
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
        return Rows(open_to_read(path), path)
    empty = sqlite3.connect(":memory:")
    for script in MIGRATIONS:
        empty.executescript(script.read_text(encoding="utf-8"))
    return Rows(empty, path)


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
