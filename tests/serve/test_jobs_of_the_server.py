"""Videos in, verdicts out, through a real server with real workers; only the nets are scripted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import LocalServer, serving
from scripted_server import load

from phar.cli.main import main

#: Most bytes that the server takes.
MAX_UPLOAD = 1 << 20


@pytest.fixture
def server(tmp_path: Path, scripted_profile: tuple[Path, Path]) -> Iterator[LocalServer]:
    videos = tmp_path / "videos"
    videos.mkdir()
    options = {"load": load, "roots": (videos,), "max_upload_bytes": MAX_UPLOAD}
    with serving(tmp_path / "kept", scripted_profile, **options) as running:
        yield running


@pytest.fixture
def clip(make_clip: Callable[[float], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that puts a video of 28 s below the root."""

    def put(name: str) -> Path:
        path = tmp_path / "videos" / name
        shutil.copy(make_clip(28), path)
        return path

    return put


def test_a_video_becomes_a_verdict_and_spans(server: LocalServer, clip: Callable[[str], Path]) -> None:
    video = clip("first.mp4")
    posted = server.ask("POST", "api/jobs", 202, json={"path": str(video)})
    job = server.job(posted.json()["id"], "done")
    assert posted.headers["Location"] == f"/api/jobs/{job['id']}"
    assert (job["verdict"], job["video"]["name"]) == ("block", "first.mp4")
    assert job["reasons"][0].startswith("block: walking (march/wave, the fused scores) reaches 0.900")
    assert server.ask("GET", f"api/jobs/{job['id']}/report", 200).json()["video"]["path"] == str(video)
    verdict = server.ask("GET", f"api/jobs/{job['id']}/verdict", 200).json()
    assert verdict["audit"]["input"]["sha256"] == job["video"]["sha256"]
    assert [(s["category"], s["start_s"]) for s in verdict["spans"]] == [("walking", 0), ("noise", 14)]

    wish = {"moderator": "anna", "client": "c" * 16, "limit": 10}
    held = server.ask("POST", "api/queue/lease", 200, json=wish).json()
    assert [(s["label"], s["action"], s["start_s"], s["end_s"]) for s in held] == [
        ("march", "block", 0, 7),
        ("ring", "review", 14, 21),
    ]
    preview = server.ask("GET", f"api/spans/{held[0]['id']}/preview?length_s=2", 200)
    assert preview.headers["content-type"] == "video/mp4"
    assert preview.content[4:8] == b"ftyp"
    kept = [path for path in (video.parent.parent / "kept").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} <= {".json", ".sqlite", ".sqlite-wal", ".sqlite-shm"}


@pytest.mark.slow
def test_the_bundled_nets_behind_the_server(start_with: Any, tmp_path: Path) -> None:
    """Nothing is scripted: `phar serve` as users start it, profile and policy demo."""
    sample = Path(__file__).resolve().parent.parent.parent / "samples" / "five_scenes.mp4"
    server = start_with("--root", str(sample.parent), "--profile", "demo")
    with sample.open("rb") as video:
        sent = server.ask("POST", "api/uploads", 202, params={"name": "scenes.mp4"}, data=video).json()["id"]
    named = server.ask("POST", "api/jobs", 202, json={"path": str(sample)}).json()["id"]
    first, second = (server.job(job, "done") for job in (sent, named))
    report = server.ask("GET", f"api/jobs/{sent}/report", 200).json()
    assert [len(report["clips"]), report["video"]["duration_s"]] == [9, pytest.approx(58, abs=0.1)]
    # The same content needs no nets again, and gives the same verdict.
    verdicts = [server.ask("GET", f"api/jobs/{job}/verdict", 200).json() for job in (sent, named)]
    assert first["video"]["sha256"] == second["video"]["sha256"]
    assert verdicts[0]["spans"] == verdicts[1]["spans"]
    assert verdicts[1]["video"]["path"] == str(sample)
    assert first["verdict"] == second["verdict"]


def test_bad_videos_cost_only_themselves(server: LocalServer, clip: Callable[[str], Path]) -> None:
    names = ["crash.mp4", "damaged.mp4", "fine.mp4"]
    jobs = [
        server.ask("POST", "api/jobs", 202, json={"path": str(clip(name))}).json()["id"] for name in names
    ]
    # All hold the same, so that the third would be made of another's report if there were one.
    crashed, damaged, fine = (server.job(job, "done", "failed") for job in jobs)
    assert crashed["state"] == "failed"
    assert "crashed its worker (SIGSEGV)" in crashed["error"]
    assert damaged["error"] == "is damaged; mend it"
    assert fine["state"] == "done"
    server.ask("GET", f"api/jobs/{crashed['id']}/report", 409)


def test_uploads_are_kept_and_limited(
    server: LocalServer, make_clip: Callable[[float], Path], tmp_path: Path
) -> None:
    data = make_clip(28).read_bytes()
    assert len(data) < MAX_UPLOAD
    name = "<img src=x onerror=alert(1)>/../../up\nload.mp4"
    query = {"name": name, "key": "k" * 20}
    posted = server.ask("POST", "api/uploads", 202, params=query, data=data).json()
    assert server.ask("POST", "api/uploads", 202, params=query, data=data).json()["id"] == posted["id"]
    job = server.job(posted["id"], "done")
    assert job["video"]["name"] == "up\\nload.mp4"
    (kept,) = (tmp_path / "kept" / "uploads").iterdir()
    assert kept.read_bytes() == data

    large = bytes(2 << 20)
    server.ask("POST", "api/uploads", 413, params={"name": "a.mp4"}, data=large)
    # Without a length it is noticed on the way.
    pieces = (large[:65536] for _ in range(32))
    server.ask("POST", "api/uploads", 413, params={"name": "b.mp4"}, data=pieces)
    server.ask("POST", "api/uploads", 400, params={"name": "c.mp4"}, data=b"")
    assert [path.name for path in (tmp_path / "kept" / "uploads").iterdir()] == [kept.name]


def test_only_files_below_roots_may_be_named(
    server: LocalServer, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    inside = clip("inside.mp4")
    outside = tmp_path / "outside.mp4"
    shutil.copy(inside, outside)
    link = inside.with_name("link.mp4")
    link.symlink_to(outside)
    refused = {
        str(outside): 403,
        str(tmp_path / "missing.mp4"): 403,
        str(link): 403,
        f"{inside.parent}/../outside.mp4": 403,
        "inside.mp4": 403,
        str(inside.parent): 404,
        f"{inside}.mp4": 404,
        f"{inside}\0.mp4": 400,
        f"{inside.parent}/{'a' * 300}": 400,
    }
    for path, status in refused.items():
        server.ask("POST", "api/jobs", status, json={"path": path})
    assert server.ask("GET", "api/jobs", 200).json() == []


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(
    server: LocalServer, clip: Callable[[str], Path]
) -> None:
    slow = server.ask("POST", "api/jobs", 202, json={"path": str(clip("slow.mp4"))}).json()["id"]
    waiting = server.ask("POST", "api/jobs", 202, json={"path": str(clip("waiting.mp4"))}).json()["id"]
    last = server.ask("POST", "api/jobs", 202, json={"path": str(clip("last.mp4"))}).json()["id"]
    running = server.job(slow, "running")
    assert running["ended"] is None
    for job in (waiting, slow, slow):
        assert server.ask("POST", f"api/jobs/{job}/cancel", 200).json()["state"] == "cancelled"
    assert server.job(last, "done")["state"] == "done"
    assert server.job(slow, "cancelled")["error"] is None
    assert server.ask("POST", f"api/jobs/{last}/cancel", 200).json()["state"] == "done"
    server.ask("POST", f"api/jobs/{'0' * 16}/cancel", 404)


def test_jobs_outlast_the_server(
    start: Any,
    clip: Callable[[str], Path],
    tmp_path: Path,
    scripted_profile: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start()
    key = "once" * 5
    slow = server.ask("POST", "api/jobs", 202, json={"path": str(clip("slow.mp4")), "key": key}).json()["id"]
    after = server.ask("POST", "api/jobs", 202, json={"path": str(clip("after.mp4"))}).json()["id"]
    server.job(slow, "running")
    profile, policy = scripted_profile
    command = ["serve", str(tmp_path / "kept"), "--profile", str(profile), "--policy", str(policy), "--port"]
    for port, what in (("0", "another phar serve works there"), (str(server.port), "cannot listen at")):
        assert main([*command, port]) == 2
        assert what in capsys.readouterr().err
    server.kill()
    server = start()
    assert (
        server.ask("POST", "api/jobs", 202, json={"path": str(clip("slow.mp4")), "key": key}).json()["id"]
        == slow
    )
    assert server.job(slow, "running")["id"] == slow
    server.ask("POST", f"api/jobs/{slow}/cancel", 200)
    assert server.job(after, "done")["verdict"] == "block"
    assert server.stop() == 143


def test_shots_are_found_and_another_video_at_the_same_path_is_another(
    server: LocalServer, clip: Callable[[str], Path], make_clip: Callable[[float], Path]
) -> None:
    video = clip("cuts.mp4")
    job = server.job(server.ask("POST", "api/jobs", 202, json={"path": str(video)}).json()["id"], "done")
    first = job["video"]["id"]
    shots = server.ask("POST", f"api/videos/{first}/shots", 202).json()
    assert server.job(shots["id"], "done")["kind"] == "shots"
    assert server.ask("POST", f"api/videos/{first}/shots", 202).json()["id"] == shots["id"]
    (row,) = server.ask("GET", "api/videos", 200).json()
    assert (row["alarms"], row["verdicts"]) == (2, 0)
    assert row["shots"] >= 1

    shutil.copy(make_clip(9), video)
    again = server.job(server.ask("POST", "api/jobs", 202, json={"path": str(video)}).json()["id"], "done")
    assert again["video"]["id"] != first
    (row,) = server.ask("GET", "api/videos", 200).json()
    assert (row["video"]["id"], row["alarms"], row["shots"]) == (again["video"]["id"], 1, 0)
