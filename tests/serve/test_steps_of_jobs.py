"""What the server's own thread does with jobs, step by step, against the real SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phar.batch.job import Places
from phar.serve.jobs import SHOTS, Jobs
from phar.serve.store import Store
from phar.serve.tasks import ShotsJob


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
