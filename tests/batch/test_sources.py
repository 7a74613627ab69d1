"""Which videos are meant, and where their outputs go."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from phar.batch.sources import Found, find_videos, listed, read_since
from phar.foreign import shown
from phar.schema import MediaError, UsageError


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.mp4",
        "a/c.MKV",
        "a/d.txt",
        "a/.e.mp4",
        ".trash/f.mp4",
        "out/mp4/g.mp4",
        "x/c.MKV",
        "[z].mp4",
    ):
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "lib" / "loop").symlink_to(tmp_path / "lib")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lib"


def places(found: list[Found]) -> list[str]:
    return [item.place for item in found]


def test_a_folder_is_searched_in_order_of_names(library: Path) -> None:
    found = find_videos(["lib"], [], library / "out")
    assert places(found) == ["lib/[z].mp4", "lib/b.mp4", "lib/a/c.MKV", "lib/x/c.MKV"]
    assert [item.path for item in found] == [
        str(library / name) for name in ("[z].mp4", "b.mp4", "a/c.MKV", "x/c.MKV")
    ]
    assert found[1].stamp is not None
    assert found[1].stamp.size_bytes == len("b.mp4")


def test_files_patterns_and_lists(library: Path) -> None:
    # A name that is there is no pattern; a file that is named may end in anything.
    assert places(find_videos(["lib/[z].mp4", "lib/a/d.txt"], [])) == ["lib/[z].mp4", "a/d.txt"]
    assert places(find_videos(["lib/*/c.*"], [])) == ["a/c.MKV", "x/c.MKV"]
    assert places(find_videos([str(library / "**" / "b.mp4")], [])) == ["lib/b.mp4"]
    assert places(find_videos([], [b"lib/a\nlib/b.mp4\r\n\nlib/a/../b.mp4\n"])) == ["a/c.MKV", "lib/b.mp4"]


def test_what_is_not_there(library: Path) -> None:
    for source in ("nothing", "lib/*.avi", "lib/nothing"):
        with pytest.raises(MediaError):
            find_videos([source], [])
    # What an unset variable leaves is not this folder, nor the whole disk.
    for source in ("", "file://"):
        with pytest.raises(UsageError, match="an empty name was given"):
            find_videos([source], [])
    with pytest.raises(MediaError, match="no video found"):
        find_videos([], [b"\n"])
    (library / "empty").mkdir()
    with pytest.raises(MediaError, match=r"no video found in what was named; .*\.mp4"):
        find_videos(["lib/empty"], [])
    # On a list it is told when it is its turn.
    assert [item.stamp for item in find_videos([], [b"gone.mp4"])] == [None]
    assert [item.stamp for item in find_videos([], [b"x" * 5000 + b".mp4"])] == [None]


def test_a_pipe_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert [item.stamp for item in find_videos([str(tmp_path)], [])] == [None]


def test_lists() -> None:
    assert listed(b"a b\n-rf\n") == ["a b", "-rf"]
    assert listed(b"a\nb\0c\xff\0") == ["a\nb", "c\udcff"]


def test_long_names_leave_room_for_suffixes(tmp_path: Path) -> None:
    for end in "ab":
        (tmp_path / f"{'é' * 120}{end}.mp4").touch()
    found = places(find_videos([str(tmp_path)], []))
    assert len(set(found)) == 2
    assert {len(os.fsencode(Path(place).name)) for place in found} == {150}


def test_names_are_shown_on_one_line() -> None:
    assert shown("plain é name") == "plain é name"
    assert shown("a\nb\x1b[31m\udcff") == r"a\nb\x1b[31m\xff"


def test_since() -> None:
    now = datetime(2024, 5, 31, 12, tzinfo=UTC)
    assert read_since("90min", now) == now.timestamp() - 5400
    assert read_since("2w", now) == now.timestamp() - 14 * 86400
    assert read_since("2024-05-30T12:00+00:00", now) == now.timestamp() - 86400
    with pytest.raises(UsageError, match="is no date"):
        read_since("yesterday", now)
