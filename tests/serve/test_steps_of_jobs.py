"""What the server's own thread does with jobs, step by step, against the real SQLite file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from phar.batch.engine import Finished
from phar.batch.job import Places
from phar.batch.limits import Limits
from phar.dataset.annotation import UNSURE, Annotation
from phar.schema import OutputError
from phar.serve.annotating import enqueue
from phar.serve.desk import Desk
from phar.serve.documents import Lease, Release
from phar.serve.jobs import ANALYSES, SHOTS, Jobs
from phar.serve.reviewing import Proposal, Review
from phar.serve.store import Store, Transaction
from phar.serve.tasks import Judged, ShotsJob


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "kept")
    yield opened
    opened.close()


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store, Places(store.folder), "test")


def test_shots_have_the_time_that_length_and_size_allow(
    jobs: Jobs, make_clip: Callable[[float], Path], tmp_path: Path
) -> None:
    clip = make_clip(28)
    lost, _ = jobs.add(tmp_path / "lost.mp4", "lost.mp4", SHOTS)
    jobs.add(clip, "clip.mp4", SHOTS)
    task = jobs.next_shots()
    assert task is not None
    assert (task.path, task.size_bytes) == (str(clip), clip.stat().st_size)
    assert (jobs.job(lost.id).state, jobs.job(lost.id).error) == ("failed", "No such file or directory")

    told: list[tuple[str, float, float]] = []
    ShotsJob().run(task, lambda *progress: told.append(progress))
    # The first comes before the file is read.
    assert [done_s for _, done_s, _ in told][:2] == [0.0, 0.25]
    assert {(stage, round(total_s, 3)) for stage, _, total_s in told} == {("shots", 28.0)}


def test_a_later_analysis_leaves_spans_that_are_held_or_were_added(
    store: Store, jobs: Jobs, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"video")

    def analyse(*found: Proposal) -> None:
        jobs.add(clip, "clip.mp4", ANALYSES)
        task = jobs.next_analysis()
        jobs.told(Finished(task, Judged("block", (), found, 28.0, None)))

    analyse(Proposal(0, 7, "march", "walking", 2, 0.9), Proposal(7, 14, "ring", "noise", 1, 0.8))
    enqueue(store, [Annotation(clip, 14, 21, "wave", source="mined", verdict=UNSURE)])
    review = Review(store, ("march", "wave", "ring"), lease_s=60)
    (held,) = review.lease(Lease(moderator="anna", client="a" * 16, limit=1))
    assert held.label == "march"
    analyse(Proposal(21, 28, "ring", "noise", 1, 0.7))
    rows = store.rows("SELECT id, label, start_s FROM span ORDER BY start_s")
    assert [(row["label"], row["start_s"]) for row in rows] == [("march", 0), ("wave", 14), ("ring", 21)]
    assert rows[0]["id"] == held.id
    review.release(Release(spans=[held.id], moderator="anna", client="a" * 16))
    analyse(Proposal(21, 28, "ring", "noise", 2, 0.95))
    again = store.rows("SELECT id, label, severity FROM span ORDER BY start_s")
    assert [tuple(row) for row in again] == [(rows[1]["id"], "wave", 0), (rows[2]["id"], "ring", 2)]


def test_a_job_outlasts_a_database_that_cannot_be_written(
    store: Store,
    jobs: Jobs,
    make_clip: Callable[[float], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job, _ = jobs.add(make_clip(28), "clip.mp4", SHOTS)
    monkeypatch.setattr("phar.serve.desk._AGAIN_S", 0.02)
    change, refusals = store.change, [False, True, False, True]

    def refused_at_first() -> AbstractContextManager[Transaction]:
        """Every other time, as the job is begun and as it ends."""
        if refusals and refusals.pop():
            raise OutputError("serve.sqlite cannot be written: disk is full; make room")
        return change()

    monkeypatch.setattr(store, "change", refused_at_first)
    desk = Desk("shots", ShotsJob(), jobs.next_shots, jobs.told, num_workers=1, limits=Limits(None))
    desk.start()
    desk.wake()
    end = time.monotonic() + 60
    while jobs.job(job.id).state in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.02)
    desk.stop()
    assert (jobs.job(job.id).state, jobs.job(job.id).error) == ("done", None)
    line = "phar serve: shots: serve.sqlite cannot be written: disk is full; make room\n"
    assert capsys.readouterr().err == 2 * line
