"""Which files a server removes, and that uploads outlast a move of its folder."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from phar.serve.keeping import Keeping
from phar.serve.store import Store


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
