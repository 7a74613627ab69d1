"""Questions to a catalogue: which videos have a label, how much of each there is, which videos are alike."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from phar.batch.database import FILE_NAME, open_to_read
from phar.batch.sources import absolute
from phar.schema import UsageError

#: How much of the file is mapped into memory instead of being copied page by page.
_MAPPED_BYTES = 1 << 32

#: As `os.fsdecode` does, which is too slow here.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

#: What hits can be sorted by, and how SQLite does it; ties by path.
SORTS = {
    "score": "score DESC",
    "seconds": "seconds DESC",
    "share": "share DESC",
    "duration": "duration_s DESC",
    "path": "",
}


@dataclass(frozen=True)
class Query:
    """Which videos are looked for; every condition must hold."""

    labels: tuple[str, ...] = ()
    """Each must be in the video."""
    without: tuple[str, ...] = ()
    """None may be in the video, however short."""
    min_seconds: float = 0.0
    """Each of `labels` for at least this long in all."""
    min_share: float = 0.0
    """Each of `labels` in at least this share of the video, in [0, 1]."""
    min_score: float = 0.0
    """Each of `labels` with at least this score, in [0, 1]."""
    under: str | None = None
    """Only videos in this folder or below."""
    sort: str = "path"
    """A key of `SORTS`."""
    limit: int | None = None


class Hit(NamedTuple):
    """One video that was found: a row as SQLite gives it, for there may be a hundred thousand."""

    path_bytes: bytes
    place: bytes
    """Where its outputs lie, see `Found.place`."""
    duration_s: float
    seconds: float | None
    """Of all labels asked for together; None if none was."""
    share: float | None
    """`seconds` of the video's length."""
    score: float | None
    """The lowest of the labels' scores."""
    likeness: float | None
    """Cosine of the angle between tag vectors, in [0, 1]; None unless asked for."""

    @property
    def path(self) -> str:
        """The video; bytes that are no UTF-8 are surrogates."""
        return self.path_bytes.decode(_ENCODING, _ERRORS)


@dataclass(frozen=True)
class Span:
    """Where a label is in a video."""

    label: str
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class LabelTotal:
    """One label over all videos."""

    label: str
    videos: int
    seconds: float
    share: float
    """`seconds` of the length of all videos."""
    score: float
    """Mean of its scores, by length."""


@dataclass(frozen=True)
class Statistics:
    """What is in a catalogue."""

    videos: int
    done: int
    failed: int
    pending: int
    hours: float
    """Length of the videos that are done."""
    gigabytes: float
    """Their size, 10^9 bytes."""
    analysis_hours: float
    """What their analyses took, in hours of one worker."""
    labels: tuple[LabelTotal, ...]
    """Longest first."""


class Search:
    """A catalogue opened to be read; a batch may write to it meanwhile.

    folder: the one that holds it, or the file itself.

    Raises:
        UsageError: there is none, or it is of another version.
    """

    def __init__(self, folder: Path) -> None:
        path = folder if folder.is_file() else folder / FILE_NAME
        self._reports = f"{path.parent / 'reports'}{os.sep}"
        self._database = open_to_read(path)
        self._database.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        self._labels: dict[str, int] = dict(self._database.execute("SELECT name, id FROM label"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, query: Query) -> list[Hit]:
        """Return the videos that fit. Raises UsageError for a label that is in no video."""
        where, values = self._conditions(query)
        order = ", ".join(filter(None, [SORTS[query.sort], "path"]))
        limit = "" if query.limit is None else f" LIMIT {query.limit:d}"
        rows = self._database.execute(
            f"SELECT {self._columns(query)} FROM {self._tables(query)} WHERE {where} ORDER BY {order}{limit}",
            values,
        )
        return list(map(Hit._make, rows))

    def like(self, path: str, query: Query) -> list[Hit]:
        """Return the videos that fit but `path` itself, those with the most like shares of labels first.

        `none` counts for nothing; likeness is the cosine of the angle between the vectors of shares.

        Raises:
            UsageError: the video is not in the catalogue, or no label was seen in it.
        """
        asked = self._database.execute(
            "SELECT video_id, shares FROM vector JOIN video ON video.id = video_id WHERE path = ?",
            (os.fsencode(absolute(path)),),
        ).fetchone()
        if asked is None:
            raise UsageError(
                f"{path}: no labels of this video are in the catalogue; run phar batch on it first"
            )
        ids, vectors = self._vectors()
        wanted = np.zeros(vectors.shape[1], np.float32)
        own = np.frombuffer(asked[1], "<f4")
        wanted[: len(own)] = own
        cosines = vectors @ (wanted / np.linalg.norm(wanted))
        order = np.argsort(-cosines, kind="stable")
        order = order[(ids[order] != asked[0]) & (cosines[order] > 0)]
        where, values = self._conditions(query)
        only = self._allowed(query, where, values)
        hits: list[Hit] = []
        for index in order:
            if len(hits) == query.limit:
                break
            if only is None or int(ids[index]) in only:
                row = self._database.execute(
                    f"SELECT {self._columns(query)} FROM {self._tables(query)} WHERE video.id = ?",
                    (int(ids[index]),),
                ).fetchone()
                if row is not None:
                    hits.append(Hit._make(row)._replace(likeness=min(1.0, float(cosines[index]))))
        return hits

    def report(self, hit: Hit) -> str:
        """Return the path of a video's report."""
        return f"{self._reports}{os.fsdecode(hit.place)}.json"

    def spans(self, path: str, labels: Sequence[str] = ()) -> list[Span]:
        """Return where labels are in a video, in order; all labels if none is named."""
        rows = self._database.execute(
            "SELECT label.name, start_s, end_s, span.score FROM span JOIN video ON video.id = video_id"
            " JOIN label ON label.id = label_id WHERE path = ? ORDER BY position",
            (os.fsencode(path),),
        )
        return [Span(*row) for row in rows if not labels or row[0] in labels]

    def failures(self, under: str | None = None) -> list[tuple[str, str]]:
        """Return path and reason of every video that failed."""
        where, values = _below(under)
        rows = self._database.execute(
            f"SELECT path, error FROM video WHERE status = 'failed' AND {where} ORDER BY path", values
        )
        return [(os.fsdecode(path), error) for path, error in rows]

    def statistics(self, under: str | None = None) -> Statistics:
        """Return what is in the catalogue, or in the part of it below a folder."""
        where, values = _below(under)
        totals = dict.fromkeys(("pending", "done", "failed"), (0, 0.0, 0.0, 0.0))
        for status, *sums in self._database.execute(
            "SELECT status, count(*), coalesce(sum(duration_s), 0), coalesce(sum(size_bytes), 0),"
            f" coalesce(sum(total_s), 0) FROM video WHERE {where} GROUP BY status",
            values,
        ):
            totals[status] = tuple(sums)
        done, length_s, size_bytes, analysis_s = totals["done"]
        source = "tag" if under is None else "tag JOIN video ON video.id = video_id"
        labels = [
            LabelTotal(name, videos, seconds, seconds / length_s if length_s else 0.0, weighted / seconds)
            for name, videos, seconds, weighted in self._database.execute(
                "SELECT name, videos, seconds, weighted FROM label JOIN (SELECT label_id, count(*) AS videos,"
                f" sum(seconds) AS seconds, sum(seconds * score) AS weighted FROM {source} WHERE {where}"
                " GROUP BY label_id) ON label_id = label.id ORDER BY seconds DESC, name",
                values,
            )
        ]
        return Statistics(
            videos=sum(count for count, *_ in totals.values()),
            done=done,
            failed=totals["failed"][0],
            pending=totals["pending"][0],
            hours=length_s / 3600,
            gigabytes=size_bytes / 1e9,
            analysis_hours=analysis_s / 3600,
            labels=tuple(labels),
        )

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one of the tables of an export: videos, tags, spans."""
        yield from self._database.execute(_EXPORTS[table])

    def _tables(self, query: Query) -> str:
        joins = [
            f"JOIN tag AS t{i} ON t{i}.video_id = video.id AND t{i}.label_id = {self._label(label)}"
            for i, label in enumerate(query.labels)
        ]
        return " ".join(["video", *joins])

    def _columns(self, query: Query) -> str:
        tables = [f"t{i}" for i in range(len(query.labels))]
        if not tables:
            return "path, place, duration_s, NULL AS seconds, NULL AS share, NULL AS score, NULL"
        total = {name: " + ".join(f"{table}.{name}" for table in tables) for name in ("seconds", "share")}
        scores = ", ".join(f"{table}.score" for table in tables)
        lowest = f"min({scores})" if len(tables) > 1 else scores
        sums = f"{total['seconds']} AS seconds, {total['share']} AS share"
        return f"path, place, duration_s, {sums}, {lowest} AS score, NULL"

    def _conditions(self, query: Query) -> tuple[str, list[Any]]:
        where, values = _below(query.under)
        parts = ["status = 'done'", where]
        for i in range(len(query.labels)):
            for name in ("seconds", "share", "score"):
                least = getattr(query, f"min_{name}")
                if least > 0:
                    parts.append(f"t{i}.{name} >= ?")
                    values.append(least)
        for label in query.without:
            parts.append(
                "NOT EXISTS (SELECT 1 FROM tag WHERE tag.video_id = video.id"
                f" AND tag.label_id = {self._label(label)})"
            )
        return " AND ".join(parts), values

    def _allowed(self, query: Query, where: str, values: list[Any]) -> set[int] | None:
        """Return the ids of the videos that fit, None if all do."""
        if not (query.labels or query.without or query.under):
            return None
        rows = self._database.execute(f"SELECT video.id FROM {self._tables(query)} WHERE {where}", values)
        return {row[0] for row in rows}

    def _vectors(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return (n,) ids of videos and their (n, labels) shares, each row of length 1."""
        rows = self._database.execute("SELECT video_id, shares FROM vector").fetchall()
        width = 4 * max(len(self._labels), 1)
        joined = b"".join([shares.ljust(width, b"\0") for _, shares in rows])
        vectors = np.frombuffer(joined, "<f4").reshape(len(rows), width // 4)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        return np.array([row[0] for row in rows]), vectors / lengths[:, np.newaxis]

    def _label(self, name: str) -> int:
        if name not in self._labels:
            known = ", ".join(sorted(self._labels)) or "none at all"
            raise UsageError(f"label {name!r} is in no video; the catalogue knows {known}")
        return self._labels[name]


#: What an export takes, column by column as `parquet` names them.
_EXPORTS = {
    "videos": "SELECT id, path, sha256, status, error, duration_s, fps, width_px, height_px, has_audio,"
    " size_bytes, total_s, created FROM video ORDER BY id",
    "tags": "SELECT video_id, name, seconds, share, score, clips FROM tag JOIN label ON label.id = label_id"
    " ORDER BY video_id, label_id",
    "spans": "SELECT video_id, name, start_s, end_s, score FROM span JOIN label ON label.id = label_id"
    " ORDER BY video_id, position",
}


def _below(folder: str | None) -> tuple[str, list[Any]]:
    """Return the condition that a video lies in a folder or below, and its values."""
    if folder is None:
        return "1", []
    root = os.fsencode(absolute(folder)).rstrip(b"/")
    return "path >= ? AND path < ?", [root + b"/", root + b"0"]
