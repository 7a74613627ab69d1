"""The Ray engine on a cluster of this machine: it does what the local one does, and loses nothing."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import scripted
from poisoned import Act, DividedPoisonedJob, PoisonedJob
from written import outputs

from phar.batch.engine import Event, Failed, Finished, Progress
from phar.batch.limits import Limits
from phar.cli import main as phar
from phar.schema import ModelError, UsageError

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements/ray.txt")

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "five_scenes.mp4"


@dataclass(frozen=True)
class Cluster:
    log: Path
    """Each scripted analysis writes a line to it."""
    death: Path
    """Where a file lies here, one scripted analysis kills its worker."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two cores' worth of Ray. Sockets lie in its folder, so the path must be short."""
    folder = Path(tempfile.mkdtemp(prefix="phar-ray-", dir="/tmp"))
    found = Cluster(folder / "log", folder / "death")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("SCRIPTED_LOG", str(found.log))
        patch.setenv("SCRIPTED_DEATH", str(found.death))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder / "ray"),
        )
        try:
            yield found
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def events(
    tasks: list[Act], job: PoisonedJob | None = None, time_s: float = 600, memory_bytes: int | None = None
) -> list[Event]:
    from phar.batch.actors import Share
    from phar.batch.cluster import RayEngine

    waiting = deque(tasks)
    engine = RayEngine(Limits(memory_bytes, time_s), Share(1, 0), num_workers=2)
    under_way: set[str] = set()
    found = []

    def feed() -> Act | None:
        assert len(under_way) < 2, "a task was asked for before a worker was free"
        if not waiting:
            return None
        under_way.add(waiting[0].path)
        return waiting.popleft()

    for event in engine.run(job or PoisonedJob(), feed):
        if not isinstance(event, Progress):
            under_way.remove(event.task.path)
        found.append(event)
    assert not waiting
    assert not under_way
    return found


def ended(found: list[Event]) -> dict[str, str]:
    """What became of each task: "done", or why not."""
    ends = [event for event in found if not isinstance(event, Progress)]
    assert len({event.task.path for event in ends}) == len(ends)
    return {each.task.path: each.message if isinstance(each, Failed) else "done" for each in ends}


def test_each_task_ends_as_itself(cluster: Cluster, tmp_path: Path) -> None:
    lost = str(tmp_path / "lost")
    acts = [
        Act("a"),
        Act("b", "media"),
        Act("c", "bug"),
        Act("d", "segfault"),
        Act(lost, "lost once"),
        Act("e"),
    ]
    found = ended(events(acts))
    # Whether the last worker's word of where it was came before its death is the machine's choice.
    crashed = found.pop("d")
    assert crashed.startswith("lost 3 workers, one after the other, the last")
    assert crashed.endswith("; re-encode it or leave it out")
    assert found == {
        "a": "done",
        "b": "b: is damaged",
        "c": "unexpected ZeroDivisionError: division by zero",
        lost: "done",
        "e": "done",
    }


@pytest.mark.parametrize(
    ("act", "limits", "reason"),
    [
        ("hang", {"time_s": 2.0}, "was not done after 2 s at 7 s of the video (analyse); raise --timeout"),
        ("memory", {"memory_bytes": 600 * 2**20}, " are allowed; raise --memory or leave it out"),
    ],
)
def test_what_takes_too_much_is_ended(cluster: Cluster, act: str, limits: Any, reason: str) -> None:
    found = ended(events([Act("a", act), Act("b"), Act("c")], **limits))
    assert reason in found.pop("a")
    assert found == {"b": "done", "c": "done"}


@pytest.mark.parametrize(
    ("unprepared", "message"),
    [("refused", "the checkpoint is missing; fetch it"), ("crashed", "3 workers in a row were lost while")],
)
def test_workers_that_cannot_get_ready_end_the_batch(cluster: Cluster, unprepared: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        events([Act("a"), Act("b")], PoisonedJob(unprepared))


def test_parts(cluster: Cluster, tmp_path: Path) -> None:
    lost = str(tmp_path / "lost")
    acts = [Act("a", "well+well+well"), Act("b", "well+media+well"), Act(lost, "well+lost once"), Act("c")]
    found = events(acts, DividedPoisonedJob())
    assert ended(found) == {"a": "done", "b": "b: is damaged", lost: "done", "c": "done"}
    results = {event.task.path: event.result for event in found if isinstance(event, Finished)}
    assert (results["a"], results[lost]) == (3, 2)
    # A task that was not divided comes as it was done, not joined.
    assert isinstance(results["c"], tuple)


def test_nothing_to_do_needs_no_cluster() -> None:
    assert events([]) == []


def test_a_worker_that_fits_nowhere(cluster: Cluster) -> None:
    from phar.batch.actors import Share
    from phar.batch.cluster import RayEngine

    engine = RayEngine(Limits(None), Share(64, 0.5))
    with pytest.raises(UsageError, match=r"no machine there has the 64 CPUs and 0\.5 GPUs of a worker"):
        list(engine.run(PoisonedJob(), deque([Act("a")]).popleft))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that `scripted` takes for videos, two of the same content, one broken."""
    folder = tmp_path / "lib"
    folder.mkdir()
    for name, content in {
        "a.mp4": bytes(range(60)),
        "b.mp4": bytes(range(1, 41)),
        "c.mp4": bytes(range(60)),
        "d.mp4": b"broken",
        "e.mp4": bytes(9),
    }.items():
        (folder / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("phar.batch.job.VideoJob", scripted.ScriptedJob)
    return folder


def test_same_as_the_local_engine(
    cluster: Cluster, library: Path, small_profile: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("SCRIPTED_LOG", str(cluster.log))
    flags = ["--profile", str(small_profile), "--format", "timestamps", "--workers", "2"]
    assert phar.main(["batch", "lib", "--out", "local", *flags]) == 7
    cluster.log.write_text("")
    cluster.death.touch()
    ray_flags = [*flags, "--engine", "ray", "--cpus-per-worker", "1"]
    assert phar.main(["batch", "lib", "--out", "ray", *ray_flags]) == 7
    assert not cluster.death.exists(), "no worker was killed"
    assert outputs(Path("ray")) == outputs(Path("local"))
    # One analysis for each content, and one more for the worker that was lost.
    assert len(cluster.log.read_text().splitlines()) == 5
    capsys.readouterr()
    assert phar.main(["batch", "lib", "--out", "ray", *ray_flags]) == 7
    assert "ray: 4 unchanged, 1 failed before" in capsys.readouterr().out


def test_from_url_to_url(cluster: Cluster, library: Path, small_profile: Path, tmp_path: Path) -> None:
    flags = ["--profile", str(small_profile), "--format", "timestamps"]
    assert phar.main(["batch", "lib", "--out", "plain", "--workers", "1", *flags]) == 7
    # The same files by another protocol's name, so that they are fetched and sent.
    source, target = f"local://{library}", f"local://{tmp_path}/remote"
    engine = ["--engine", "ray", "--workers", "2", "--cpus-per-worker", "1"]
    command = ["batch", source, "--out", target, "--catalogue", "own", *flags, *engine]
    assert phar.main(command) == 7
    paths = {path.relative_to("remote") for path in Path("remote").rglob("*") if path.is_file()}
    assert paths == {path.relative_to("plain") for path in Path("plain").rglob("*.json") if path.is_file()}
    written = json.loads(Path("remote/reports/lib/a.mp4.json").read_text())
    plain = json.loads(Path("plain/reports/lib/a.mp4.json").read_text())
    assert written["video"].pop("path") == f"{source}/a.mp4"
    assert plain["video"].pop("path") == f"{library}/a.mp4"
    assert {**written, "created": "", "timing": {}} == {**plain, "created": "", "timing": {}}
    database = sqlite3.connect("own/catalogue.sqlite")
    failed = dict(database.execute("SELECT CAST(path AS TEXT), error FROM video WHERE error IS NOT NULL"))
    database.close()
    assert failed == {f"{source}/d.mp4": "is broken"}
    before = {path: path.stat().st_mtime_ns for path in Path("remote").rglob("*.json")}
    assert phar.main(command) == 7
    assert before == {path: path.stat().st_mtime_ns for path in Path("remote").rglob("*.json")}


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The sample's report by one analysis in this process."""
    import phar as package
    from phar.export.report import to_document

    return to_document(package.analyze(SAMPLE, profile="demo"))


def test_split_is_unsplit(
    cluster: Cluster,
    whole: dict[str, Any],
    make_clip: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    shutil.copy(SAMPLE, library / "long.mp4")
    shutil.copy(make_clip(3), library / "short.mp4")
    monkeypatch.chdir(tmp_path)
    command = ["batch", "lib", "--out", "out", "--profile", "demo", "--engine", "ray", "--workers", "2"]
    # 28 s, four windows: two parts, the second with five.
    assert phar.main([*command, "--cpus-per-worker", "1", "--split-minutes", "0.47"]) == 0
    split = json.loads(Path("out/reports/lib/long.mp4.json").read_text())
    assert len(split["clips"]) == len(whole["clips"]) == 9
    for one, other in zip(split["clips"], whole["clips"], strict=True):
        assert [one[key] for key in ("index", "start_s", "end_s")] == [
            other[key] for key in ("index", "start_s", "end_s")
        ]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)
        assert one["weights"] == other["weights"]
        for name, stream in one["streams"].items():
            assert stream.get("silent") == other["streams"][name].get("silent")
            assert stream.get("scores") == pytest.approx(other["streams"][name].get("scores"), abs=1e-4)
    for key in ("timestamps", "tags"):
        assert [each["label"] for each in split[key]] == [each["label"] for each in whole[key]]
        for one, other in zip(split[key], whole[key], strict=True):
            one.pop("label"), other.pop("label")
            assert one == pytest.approx(other, abs=1e-4)
    assert split["video"] == {**whole["video"], "path": str(library / "long.mp4")}
    assert split["warnings"] == whole["warnings"]
