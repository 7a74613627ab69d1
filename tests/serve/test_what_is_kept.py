"""Which files a server removes, and that uploads outlast a move of its folder."""

from __future__ import annotations

import os
from pathlib import Path

from phar.serve.keeping import Keeping
from phar.serve.store import Store


def keeping_in(folder: Path) -> tuple[Store, Keeping]:
    store = Store(folder)
    keeping = Keeping(store, 1 << 20, retention_days=None)
    keeping.prepare()
    return store, keeping


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
