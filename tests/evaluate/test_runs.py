"""Reports of a truth's videos, made in one process or in several."""

from __future__ import annotations

from pathlib import Path

import pytest

from phar.evaluate.runs import DEPLOYED, STILL, analysed
from phar.evaluate.truth import VideoTruth
from phar.evaluate.world import world_truth
from phar.profile import load_profile
from phar.synth import load_world


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> list[VideoTruth]:
    folder = tmp_path_factory.mktemp("truths")
    damaged = folder / "damaged.mp4"
    damaged.write_bytes(b"no video")
    return [*world_truth(load_world(1), 1_000_000, 3, 0, folder), VideoTruth("damaged", damaged, ())]


def test_two_processes_report_what_one_does(truths: list[VideoTruth], tmp_path: Path) -> None:
    profile = load_profile("demo")
    runs, told, steps = {}, {}, {}
    for jobs in (1, 2):
        lines: list[str] = []
        count: list[int] = []
        runs[jobs] = analysed(
            "demo",
            profile,
            truths,
            [DEPLOYED, STILL],
            keep=tmp_path / str(jobs),
            num_jobs=jobs,
            tell=lines.append,
            progress=lambda count=count: count.append(1),  # type: ignore[misc]
        )
        told[jobs], steps[jobs] = sorted(lines), len(count)
    names = [truth.name for truth in truths[:3]]
    for way in (DEPLOYED, STILL):
        assert list(runs[1].reports[way]) == list(runs[2].reports[way]) == names
        for name in names:
            one, two = (runs[jobs].reports[way][name] for jobs in (1, 2))
            assert [p.window for p in one.predictions] == [p.window for p in two.predictions]
            for own, other in zip(one.predictions, two.predictions, strict=True):
                assert own.probs == pytest.approx(other.probs, abs=0.1)
    assert runs[1].failed == runs[2].failed == ("damaged",)
    assert told[1] == told[2] and len(told[1]) == 2 and "damaged.mp4" in told[1][0]
    assert steps[1] == steps[2] == 8
    kept = {path.relative_to(tmp_path / "2") for path in (tmp_path / "2").rglob("*.json")}
    assert kept == {path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.json")}
    assert len(kept) == 6
