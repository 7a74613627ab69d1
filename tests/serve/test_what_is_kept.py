"""Which files a server removes, and what outlasts a move of its folder or a newer phar."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from phar.serve.keeping import Keeping
from phar.serve.store import APPLICATION_ID, FILE_NAME, MIGRATIONS, Store


def keeping_in(folder: Path) -> tuple[Store, Keeping]:
    store = Store(folder)
    keeping = Keeping(store, 1 << 20, retention_days=None)
    keeping.prepare()
    return store, keeping


async def pieces() -> AsyncIterator[bytes]:
    yield b"video"


def add_row(store: Store, path: Path) -> int:
    with store.change() as change:
        return change.video(path, path.name, uploaded=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_uploads_outlast_a_move_of_the_folder(tmp_path: Path) -> None:
    store, _ = keeping_in(tmp_path / "kept")
    named = tmp_path / "named.mp4"
    for name in ("one.mp4", "two.mp4", "gone.mp4"):
        (tmp_path / "kept" / "uploads" / name).write_bytes(b"video")
        number = add_row(store, tmp_path / "kept" / "uploads" / name)
    with store.change() as change:
        change.run("UPDATE video SET gone = 1 WHERE id = ?", (number,))
        change.video(named, "named.mp4")
    store.close()

    moved = tmp_path / "other disk" / "kept"
    moved.parent.mkdir()
    (tmp_path / "kept").rename(moved)
    (moved / "uploads" / "unknown.mp4").write_bytes(b"video")
    store, _ = keeping_in(moved)
    rows = store.rows("SELECT path FROM video WHERE gone = 0 ORDER BY id")
    paths = [os.fsdecode(row["path"]) for row in rows]
    store.close()
    assert names(moved / "uploads") == ["one.mp4", "two.mp4"]
    assert paths == [str(moved / "uploads" / "one.mp4"), str(moved / "uploads" / "two.mp4"), str(named)]


def test_what_comes_while_files_are_looked_through_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, keeping = keeping_in(tmp_path / "kept")
    upload = asyncio.run(keeping.receive("sent.mp4", pieces(), None))
    late = upload.with_name("late.mp4")
    report = keeping.report("f" * 16)
    unknown = [upload.with_name("unknown.mp4"), keeping.report("0" * 16)]
    for path in unknown:
        path.write_bytes(b"{}")
    rows = store.rows

    def then_others_come(query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """What is asked for is out of date at once."""
        found = rows(query, values)
        if "FROM video" in query:
            add_row(store, upload)
            keeping.known(upload)
            late.write_bytes(b"video")
            add_row(store, late)
        else:
            with store.change() as change:
                change.run(
                    "INSERT INTO job (id, kind, video_id, state, created_at)"
                    " VALUES (?, 'analyse', 1, 'done', 1)",
                    ("f" * 16,),
                )
            report.write_text("{}")
        return found

    monkeypatch.setattr(store, "rows", then_others_come)
    keeping.purge()
    store.close()
    assert names(upload.parent) == sorted([upload.name, "late.mp4"])
    assert report.exists()
    assert not any(path.exists() for path in unknown)


def test_queues_of_earlier_versions_are_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "earlier"
    folder.mkdir()
    earlier = sqlite3.connect(folder / FILE_NAME)
    earlier.executescript(
        MIGRATIONS[0].read_text()
        + f"""PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;
        INSERT INTO video (id, path, name, uploaded, added_at)
            VALUES (1, '/a', 'a', 0, 1), (2, '/b', 'b', 0, 1);
        INSERT INTO job (id, kind, video_id, state, created_at) VALUES ('a', 'analyse', 1, 'done', 1);
        INSERT INTO span (video_id, kind, start_s, end_s, label, severity, added_at) VALUES
            (1, 'alarm', 0, 7, 'march', 2, 1), (1, 'alarm', 7, 14, 'mined', 0, 1),
            (2, 'alarm', 0, 7, 'stored', 1, 1), (2, 'shot', 0, 7, '', 0, 1);"""
    )
    earlier.close()
    store = Store(folder)
    rows = store.rows("SELECT label, origin FROM span ORDER BY id")
    store.close()
    assert [tuple(row) for row in rows] == [
        ("march", "job"),
        ("mined", "added"),
        ("stored", "added"),
        ("", "job"),
    ]
