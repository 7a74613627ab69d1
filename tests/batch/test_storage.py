"""Videos and outputs at URLs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import scripted
from test_batch_runner import HereEngine, Told

from phar.batch import storage
from phar.batch.catalogue import Catalogue
from phar.batch.job import Places, parts_of
from phar.batch.runner import Batch, Summary, Wanted
from phar.batch.sources import Stamp, find_videos
from phar.cli import main as phar
from phar.profile import load_profile, with_overrides
from phar.profile.fingerprint import analysis_fingerprint, settings_fingerprint
from phar.schema import MediaError, UsageError


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty file system in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@pytest.fixture
def bucket(memory: Any) -> Any:
    for name in ("a.mp4", "sub/b.MKV", "sub/notes.txt", ".hidden/c.mp4", "sub/.d.mp4"):
        memory.pipe(f"/bucket/films/{name}", name.encode())
    return memory


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "memory://bucket/films",
            {
                "memory://bucket/films/a.mp4": "films/a.mp4",
                "memory://bucket/films/sub/b.MKV": "films/sub/b.MKV",
            },
        ),
        ("memory://bucket/films/*.mp4", {"memory://bucket/films/a.mp4": "films/a.mp4"}),
        ("memory://bucket/films/**/*.MKV", {"memory://bucket/films/sub/b.MKV": "films/sub/b.MKV"}),
        # What is named itself may end in anything.
        ("memory://bucket/films/sub/notes.txt", {"memory://bucket/films/sub/notes.txt": "sub/notes.txt"}),
    ],
)
def test_urls_are_searched_like_folders(bucket: Any, source: str, expected: dict[str, str]) -> None:
    found = find_videos([source], [])
    assert {each.path: each.place for each in found} == expected
    assert all(each.stamp == Stamp.of(each.path) for each in found)
    listed = find_videos([], ["\n".join(expected).encode()])
    assert [each.path for each in listed] == list(expected)


def test_a_url_that_leads_nowhere(bucket: Any) -> None:
    with pytest.raises(MediaError, match="memory://bucket/none: no such file or folder; check the URL"):
        find_videos(["memory://bucket/none"], [])
    with pytest.raises(UsageError, match="none://a"):
        find_videos(["none://a"], [])
    with pytest.raises(UsageError, match="URLs in URLs are not followed"):
        find_videos(["zip://a.mp4::memory://bucket/films/a.zip"], [])


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a film.mp4").touch()
    found = find_videos([f"file://{tmp_path}/a%20film.mp4"], [])
    assert [each.path for each in found] == [f"{tmp_path}/a film.mp4"]


def test_a_change_is_seen(bucket: Any) -> None:
    before = Stamp.of("memory://bucket/films/a.mp4")
    assert before.size_bytes == 5
    assert Stamp.of("memory://bucket/films/a.mp4") == before
    bucket.pipe("/bucket/films/a.mp4", b"other")
    assert Stamp.of("memory://bucket/films/a.mp4") != before


def test_one_video_is_kept_and_abandoned_ones_are_removed(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = tmp_path / "phar-fetched-old"
    abandoned.mkdir()
    (abandoned / "video.mp4").touch()
    fetched = storage.Fetched()
    assert not abandoned.exists()
    first = fetched.path_of("memory://bucket/films/a.mp4", 1)
    assert first.read_bytes() == b"a.mp4"
    bucket.rm("/bucket/films/a.mp4")
    assert fetched.path_of("memory://bucket/films/a.mp4", 1).read_bytes() == b"a.mp4"
    with pytest.raises(MediaError, match="no such file or folder"):
        fetched.path_of("memory://bucket/films/a.mp4", 2)
    second = fetched.path_of("memory://bucket/films/sub/b.MKV", 1)
    assert second.suffix == ".MKV"
    assert list(second.parent.iterdir()) == [second]
    # One that is in use stays.
    other = storage.Fetched()
    assert second.exists()
    assert other is not fetched


def batch(profile_file: Path, overrides: dict[str, Any], own: Path) -> tuple[Summary, Told]:
    profile = with_overrides(load_profile(profile_file), overrides)
    places = Places(own, "memory://bucket/tags")
    formats = ("timestamps",)
    wanted = Wanted(
        analysis_fingerprint(profile), settings_fingerprint(profile, formats, 5, None), places, formats
    )
    told = Told()
    with Catalogue(own) as catalogue:
        job = scripted.ScriptedJob(profile, Places(own, places.url), formats)
        found = find_videos(["memory://bucket/films"], [])
        return Batch(catalogue, wanted, job, told).run(found, HereEngine()), told


def test_from_url_to_url(
    memory: Any, small_profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTED_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(scripted, "WINDOW_S", 0)
    memory.pipe("/bucket/films/a.mp4", bytes(30))
    memory.pipe("/bucket/films/sub/b.mp4", b"broken")
    summary, told = batch(small_profile, {}, tmp_path / "own")
    assert (summary.analysed, summary.failed) == (1, 1)
    assert told.failures["b.mp4"].message == "is broken"
    assert set(memory.find("/bucket/tags")) == {
        "/bucket/tags/reports/films/a.mp4.json",
        "/bucket/tags/timestamps/films/a.mp4.json",
    }
    report = json.loads(memory.cat("/bucket/tags/reports/films/a.mp4.json"))
    assert report["video"]["path"] == "memory://bucket/films/a.mp4"
    assert report["video"]["duration_s"] == 30
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["catalogue.sqlite"]

    summary, _ = batch(small_profile, {}, tmp_path / "own")
    assert (summary.skipped, summary.failed_before) == (1, 1)
    # Another fusion is made from the report that lies there.
    summary, _ = batch(small_profile, {"streams": {"rgb": {"weight": 0.9}}}, tmp_path / "own")
    assert (summary.recomputed, summary.analysed) == (1, 0)
    again = json.loads(memory.cat("/bucket/tags/reports/films/a.mp4.json"))
    assert again["profile"]["coefficients"]["rgb"] == 0.9
    assert len((tmp_path / "log").read_text().splitlines()) == 2

    # A report that is gone is made anew, a file that is not phar's stays.
    memory.rm("/bucket/tags/reports/films/a.mp4.json")
    memory.pipe("/bucket/tags/timestamps/films/a.mp4.json", b"mine")
    summary, told = batch(small_profile, {}, tmp_path / "own")
    assert "was not written by phar" in told.failures["a.mp4"].message
    assert memory.cat("/bucket/tags/timestamps/films/a.mp4.json") == b"mine"


def test_videos_at_urls_are_forgotten_only_when_gone(bucket: Any, tmp_path: Path) -> None:
    with Catalogue(tmp_path) as catalogue:
        catalogue.enrol(find_videos(["memory://bucket/films"], []))
        assert catalogue.forget_missing() == 0
        bucket.rm("/bucket/films/a.mp4")
        assert catalogue.forget_missing() == 1


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (
            ("--out", "memory://bucket/tags"),
            "is a URL; name a local folder for the catalogue with --catalogue",
        ),
        (("--out", "out", "--address", "auto"), "--address is for --engine ray; add that or leave it out"),
        (("--out", "out", "--split-minutes", "5"), "--split-minutes is for --engine ray"),
        (("--out", "out", "--engine", "ray", "--gpus-per-worker", "-1"), "is not a number of at least 0"),
    ],
)
def test_flags_that_make_no_sense(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, flags: Any, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert phar.main(["batch", "memory://bucket/films", "--profile", "demo", *flags]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("duration_s", "stride_s", "part_s", "expected"),
    [
        (0.0, 7.0, 60.0, [(0, None)]),
        (56.0, 7.0, 60.0, [(0, None)]),
        # 60 s are nearest to eight windows, two chunks of four.
        (700.0, 7.0, 60.0, [*((8 * i, 8 * i + 8) for i in range(12)), (96, None)]),
        (698.0, 7.0, 350.0, [(0, 48), (48, None)]),
        # A rest shorter than half a part goes with the one before.
        (7 * 17.0, 7.0, 56.0, [(0, 8), (8, None)]),
        (7 * 20.0, 7.0, 56.0, [(0, 8), (8, 16), (16, None)]),
        (100.0, 1.0, 0.1, [*((4 * i, 4 * i + 4) for i in range(24)), (96, None)]),
    ],
)
def test_parts(
    duration_s: float, stride_s: float, part_s: float, expected: list[tuple[int, int | None]]
) -> None:
    assert parts_of(duration_s, stride_s, part_s, 4) == expected
