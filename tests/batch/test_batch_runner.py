"""What a batch does to each video, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scripted

from phar.batch.catalogue import Catalogue, Failure, Seen
from phar.batch.engine import Failed, Feed, Finished, Job
from phar.batch.job import Places
from phar.batch.runner import Batch, Summary, Wanted
from phar.batch.search import Query, Search
from phar.batch.sources import find_videos
from phar.profile import load_profile, with_overrides
from phar.profile.fingerprint import analysis_fingerprint, settings_fingerprint
from phar.schema import OutputError, PharError, UsageError


class HereEngine:
    """Does tasks in this process, one after another."""

    def run(self, job: Job, feed: Feed) -> Any:
        while (task := feed()) is not None:
            try:
                job.prepare(0, task)
                result = job.run(task, lambda *progress: None)
            except PharError as error:
                yield Failed(task, error.exit_code, str(error))
            else:
                yield Finished(task, result)


class Told:
    def __init__(self) -> None:
        self.steps: dict[str, str] = {}
        self.failures: dict[str, Failure] = {}

    def done(self, path: str, step: str, seen: Seen) -> None:
        self.steps[Path(path).name] = step

    def failed(self, path: str, failure: Failure) -> None:
        self.failures[Path(path).name] = failure

    def moved(self, standing: Any) -> None:
        pass


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "lib"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.mp4").write_bytes(name.encode() * 20)
    monkeypatch.setenv("SCRIPTED_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(scripted, "WINDOW_S", 0)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def run(small_profile: Path, library: Path) -> Callable[..., tuple[Summary, Told]]:
    def batch(
        *sources: str,
        overrides: dict[str, Any] | None = None,
        formats: tuple[str, ...] = (),
        retry_failed: bool = False,
        lists: tuple[bytes, ...] = (),
    ) -> tuple[Summary, Told]:
        profile = with_overrides(load_profile(small_profile), overrides or {})
        places = Places(Path("out"))
        wanted = Wanted(
            analysis_fingerprint(profile),
            settings_fingerprint(profile, formats, 5, None),
            places,
            formats,
            retry_failed=retry_failed,
        )
        told = Told()
        with Catalogue(Path("out")) as catalogue:
            job = scripted.ScriptedJob(profile, places, formats)
            found = find_videos(sources or (() if lists else ("lib",)), lists)
            return Batch(catalogue, wanted, job, told).run(found, HereEngine()), told

    return batch


def report(place: str, name: str = "reports") -> Any:
    return json.loads(Path("out", name, f"{place}.json").read_text())


def test_nothing_is_done_twice(run: Callable[..., tuple[Summary, Told]], library: Path) -> None:
    summary, told = run()
    assert (summary.analysed, summary.analysed_s, summary.failed) == (3, 60.0, 0)
    assert told.steps == {"a.mp4": "analyse", "b.mp4": "analyse", "c.mp4": "analyse"}
    assert report("lib/a.mp4")["video"] == {
        **{"path": str(library / "a.mp4"), "duration_s": 20.0, "fps": 25.0},
        **{"width_px": 64, "height_px": 48, "has_audio": True},
    }
    summary, told = run()
    assert (summary.skipped, told.steps) == (3, {})
    # Another time stamp, and the same content.
    os.utime(library / "a.mp4", ns=(1, 1))
    summary, told = run()
    assert (summary.skipped, told.steps) == (3, {})
    (library / "a.mp4").write_bytes(b"other")
    assert run()[1].steps == {"a.mp4": "analyse"}
    assert report("lib/a.mp4")["video"]["duration_s"] == 5


def test_what_needs_no_models_is_recomputed(run: Callable[..., tuple[Summary, Told]]) -> None:
    run()
    before = report("lib/a.mp4")
    everything = {"a.mp4": "recompute", "b.mp4": "recompute", "c.mp4": "recompute"}
    assert run(overrides={"fusion": {"threshold": 0.6}})[1].steps == everything
    after = report("lib/a.mp4")
    assert [clip["streams"] for clip in after["clips"]] == [clip["streams"] for clip in before["clips"]]
    assert after["profile"]["segments"]["threshold"] == 0.6
    assert after["tags"] != before["tags"]
    assert run(formats=("timestamps",), overrides={"fusion": {"threshold": 0.6}})[1].steps == everything
    Path("out/timestamps/lib/b.mp4.json").unlink()
    again = run(formats=("timestamps",), overrides={"fusion": {"threshold": 0.6}})[1].steps
    assert again == {"b.mp4": "recompute"}
    assert set(report("lib/b.mp4", "timestamps").values()) <= {"march", "wave", "ring", "none"}
    everything = dict.fromkeys(everything, "analyse")
    assert run(overrides={"window_s": 5})[1].steps == everything


def test_the_same_content_is_analysed_once(run: Callable[..., tuple[Summary, Told]], library: Path) -> None:
    (library / "z.mp4").write_bytes((library / "a.mp4").read_bytes())
    assert run()[1].steps == {
        "a.mp4": "analyse", "b.mp4": "analyse", "c.mp4": "analyse", "z.mp4": "recompute"
    }  # fmt: skip
    # Also under a new name.
    (library / "b.mp4").rename(library / "moved.mp4")
    assert run()[1].steps == {"moved.mp4": "recompute"}
    assert report("lib/moved.mp4")["video"]["path"] == str(library / "moved.mp4")
    assert report("lib/moved.mp4")["clips"] == report("lib/b.mp4")["clips"]


def test_a_report_that_is_lost_or_damaged_is_made_anew(run: Callable[..., tuple[Summary, Told]]) -> None:
    run()
    Path("out/reports/lib/a.mp4.json").unlink()
    Path("out/reports/lib/b.mp4.json").write_text('{"schema_version": "1.0", "phar_version": "0"}')
    assert run()[1].steps == {"a.mp4": "analyse"}
    assert run(overrides={"fusion": {"threshold": 0.6}})[1].steps == {
        "a.mp4": "recompute", "b.mp4": "analyse", "c.mp4": "recompute"
    }  # fmt: skip


def test_failures_are_kept_until_asked_for(run: Callable[..., tuple[Summary, Told]], library: Path) -> None:
    (library / "b.mp4").write_bytes(b"broken")
    summary, told = run()
    assert (summary.analysed, summary.failed) == (2, 1)
    assert told.failures == {"b.mp4": Failure(3, "is broken")}
    summary, told = run()
    assert (summary.skipped, summary.failed, summary.failed_before) == (2, 0, 1)
    assert told.failures == {}
    assert run(retry_failed=True)[0].failed == 1
    (library / "b.mp4").write_bytes(b"mended")
    summary, told = run()
    assert (summary.skipped, told.steps) == (2, {"b.mp4": "analyse"})


def test_what_is_known_is_not_forgotten_because_a_file_is_away(
    run: Callable[..., tuple[Summary, Told]], library: Path
) -> None:
    names = (b"lib/a.mp4\nlib/b.mp4\nlib/none.mp4\n",)
    assert run(lists=names)[1].failures == {"none.mp4": Failure(3, "No such file or directory")}
    (library / "a.mp4").rename(library / "away")
    summary, told = run(lists=names)
    assert set(told.failures) == {"a.mp4", "none.mp4"}
    assert summary.skipped == 1
    (library / "away").rename(library / "a.mp4")
    assert run(lists=names)[1].steps == {}


def test_same_names_in_different_folders(run: Callable[..., tuple[Summary, Told]], tmp_path: Path) -> None:
    for folder in ("one", "two", "deep/one"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.mp4").write_bytes(folder.encode())
    run("one/x.mp4", "two", "deep/one")
    digest = "~" + hashlib.sha256(os.fsencode(tmp_path / "deep/one/x.mp4")).hexdigest()[:12]
    assert sorted(str(path.relative_to("out/reports")) for path in Path("out/reports").rglob("*.json")) == [
        "one/x.mp4.json",
        f"one/x.mp4{digest}.json",
        "two/x.mp4.json",
    ]
    # The place is kept, whatever is named first next time.
    assert run("deep/one", "two", "one")[0].skipped == 3


@pytest.mark.parametrize(
    "name",
    [b"new\nline.mp4", b"quo\"te's.mp4", b"-rf.mp4", b"caf\xe9.mp4", b"=1+1.mp4", b"\x1b[31m.mp4", b" .mp4"],
)
def test_any_name(run: Callable[..., tuple[Summary, Told]], tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    path, bad = folder / os.fsdecode(name), folder / os.fsdecode(b"bad " + name)
    path.write_bytes(b"video " * 3)
    bad.write_bytes(b"broken")
    summary, _ = run("odd", formats=("timestamps",))
    assert (summary.analysed, summary.failed) == (1, 1)
    assert Path(f"out/reports/odd/{path.name}.json").is_file()
    assert Path(f"out/timestamps/odd/{path.name}.json").is_file()
    with sqlite3.connect("out/catalogue.sqlite") as database:
        rows = database.execute("SELECT path, status FROM video ORDER BY status").fetchall()
    assert rows == [(os.fsencode(path), "done"), (os.fsencode(bad), "failed")]
    assert [hit.path for hit in Search(Path("out")).find(Query())] == [str(path)]
    assert run("odd", formats=("timestamps",))[0].skipped == 1


def test_a_file_that_changes_while_it_is_read_fails(
    run: Callable[..., tuple[Summary, Told]], library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyze(self: Any, video: str, **options: Any) -> Any:
        found = original(self, video, **options)
        if video.endswith("a.mp4"):
            Path(video).write_bytes(b"longer than before")
        return found

    original = scripted.ScriptedAnalyzer.analyze
    monkeypatch.setattr(scripted.ScriptedAnalyzer, "analyze", analyze)
    _, told = run()
    assert set(told.failures) == {"a.mp4"}
    assert "changed while it was read" in told.failures["a.mp4"].message
    assert not Path("out/reports/lib/a.mp4.json").exists()


def test_what_is_not_phars_is_not_replaced(run: Callable[..., tuple[Summary, Told]]) -> None:
    path = Path("out/reports/lib/a.mp4.json")
    path.parent.mkdir(parents=True)
    path.write_text('{"mine": true}')
    _, told = run()
    assert told.failures["a.mp4"].code == 2
    assert "was not written by phar" in told.failures["a.mp4"].message
    assert path.read_text() == '{"mine": true}'


def test_a_full_disk_ends_the_batch(
    run: Callable[..., tuple[Summary, Told]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("phar.export.target.Path.replace", refused)
        # One output cannot be written, others could be: the video's failure.
        assert set(run()[1].failures) == {"a.mp4", "b.mp4", "c.mp4"}
        patched.setattr("phar.batch.runner.tempfile.TemporaryFile", full)
        with pytest.raises(OutputError, match="can no longer be written: No space left"):
            run(retry_failed=True)
    assert len(run(retry_failed=True)[1].steps) == 3


def test_two_batches_do_not_share_a_folder(run: Callable[..., tuple[Summary, Told]]) -> None:
    with Catalogue(Path("out")), pytest.raises(OutputError, match="another phar batch works there"):
        run()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE TABLE t (x)", "a database of another program"),
        ("PRAGMA user_version = 99", "schema version 99, this phar knows 1; update phar"),
    ],
)
def test_other_catalogues_are_refused(tmp_path: Path, statement: str, reason: str) -> None:
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as database:
        database.execute(statement)
    with pytest.raises(UsageError, match=reason):
        Catalogue(tmp_path)
    (tmp_path / "catalogue.sqlite").write_text("no database at all, and long enough to be looked at" * 10)
    with pytest.raises(UsageError, match="is no catalogue"):
        Catalogue(tmp_path)
