"""`phar moderate run` on a video, a report, a folder and an address, as a user calls it."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest
import yaml

from phar.cli.main import main
from phar.export import WRITERS
from phar.moderation.verdict import SCHEMA_PATH
from phar.profile import RESOURCES
from phar.schema import Report

SCHEMA = json.loads(SCHEMA_PATH.read_text())


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "house.yaml"
    ring = {"labels": ["ring"], "actions": {"review": 0.5, "block": 0.8}}
    path.write_text(yaml.safe_dump({"policy": "house", "version": 1, "categories": {"noise": ring}}))
    return path


def read(path: Path) -> dict:
    document = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.fixture
def loud(fake_streams: Callable[..., None]) -> None:
    """Ring is heard in the second window and nowhere else."""
    fake_streams(
        rgb=lambda start_s: [0.1, 0.1, 0.1 if start_s != 7 else 0.7, 0.7 if start_s != 7 else 0.1],
        skeleton=lambda start_s: "no person",
        audio=lambda start_s: "too quiet",
    )


def test_a_video(
    loud: None, small_profile: Path, policy: Path, make_clip: Callable[..., Path], tmp_path: Path, capsys
) -> None:
    video, out, kept = make_clip(20), tmp_path / "out.json", tmp_path / "report.json"
    arguments = ["moderate", "run", str(video), str(out), "--profile", str(small_profile)]
    assert main([*arguments, "--policy", str(policy), "--report", str(kept)]) == 0
    document = read(out)
    assert document["verdict"] == "review"
    assert [(s["start_s"], s["end_s"], s["action"]) for s in document["spans"]] == [(7, 14, "review")]
    audit = document["audit"]
    assert audit["input"]["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()
    assert audit["policy"]["sha256"] == hashlib.sha256(policy.read_bytes()).hexdigest()
    assert set(audit["profile"]["models"]) == {"rgb", "skeleton", "audio", "detector", "pose"}
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{out}: review; 3 windows, 1 spans"
    assert said[1].startswith("  review: noise (ring, the fused scores) reaches 0.700 where 0.5 is enough")
    # What was kept is judged alike, and without a model.
    again = tmp_path / "again.json"
    assert main(["moderate", "run", str(kept), str(again), "--policy", str(policy)]) == 0
    second = read(again)
    assert {**second, "audit": 0, "created": 0} == {**document, "audit": 0, "created": 0}
    assert second["audit"]["input"] == {
        "source": str(kept),
        "of": "report",
        "sha256": None,
        "size_bytes": None,
    }


def test_a_folder_goes_on_where_it_was(
    policy: Path, tmp_path: Path, make_clip: Callable[..., Path], capsys
) -> None:
    """With a real net, in a worker process."""
    profile = tmp_path / "pictures.yaml"
    rgb = yaml.safe_load((RESOURCES / "configs/profiles/demo.yaml").read_text())["streams"]["rgb"]
    profile.write_text(
        yaml.safe_dump({"name": "pictures", "window_s": 7, "sampling": "seconds", "streams": {"rgb": rgb}})
    )
    films = tmp_path / "films"
    films.mkdir()
    (films / "a.mp4").write_bytes(make_clip(8).read_bytes())
    (films / "broken.mp4").write_bytes(b"no video at all")
    out = tmp_path / "out.json"
    arguments = ["moderate", "run", str(films), str(out), "--profile", str(profile), "--policy", str(policy)]
    assert main([*arguments, "--workers", "1"]) == 7
    summary = read(out)
    assert summary["counts"] == {"safe": 1, "review": 0, "block": 0, "failed": 1}
    failed, judged = summary["videos"]
    assert failed["path"] == str(films / "broken.mp4")
    assert "not a media file" in failed["error"]
    document = read(tmp_path / judged["file"])
    assert (document["verdict"], judged["verdict"]) == ("safe", "safe")
    assert document["audit"]["input"]["sha256"] == hashlib.sha256((films / "a.mp4").read_bytes()).hexdigest()
    assert len(document["audit"]["profile"]["models"]["rgb"]["sha256"]) == 64
    # A stricter policy needs no model, and takes effect on all of them.
    strict = policy.read_text().replace("review: 0.5", "review: 1.0e-09").replace("version: 1", "version: 2")
    policy.write_text(strict)
    capsys.readouterr()
    assert main(arguments) == 7
    assert "analysed" not in capsys.readouterr().out
    again = read(out)
    assert (again["counts"]["review"], again["policy"]["version"]) == (1, 2)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server and the folder it shows."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address(
    loud: None,
    small_profile: Path,
    policy: Path,
    web: tuple[str, Path],
    make_clip: Callable[..., Path],
    tmp_path: Path,
    capsys,
) -> None:
    address, folder = web
    video = make_clip(20)
    (folder / "clip.mp4").write_bytes(video.read_bytes())
    out = tmp_path / "out.json"
    flags = ["--profile", str(small_profile), "--policy", str(policy)]
    assert main(["moderate", "run", f"{address}/clip.mp4", str(out), *flags]) == 0
    document = read(out)
    assert (document["verdict"], document["video"]["path"]) == ("review", f"{address}/clip.mp4")
    assert document["audit"]["input"] == {
        "source": f"{address}/clip.mp4",
        "of": "video",
        "sha256": hashlib.sha256(video.read_bytes()).hexdigest(),
        "size_bytes": video.stat().st_size,
    }
    out.unlink()
    capsys.readouterr()
    assert main(["moderate", "run", f"{address}/none.mp4", str(out), *flags]) == 6
    assert "404" in capsys.readouterr().err
    assert main(["moderate", "run", "rtmp://127.0.0.1/live/x", str(out), *flags]) == 2
    assert "phar moderate live" in capsys.readouterr().err
    assert not out.exists()


def test_a_playlist(
    loud: None,
    small_profile: Path,
    policy: Path,
    web: tuple[str, Path],
    make_clip: Callable[..., Path],
    tmp_path: Path,
    capsys,
) -> None:
    import subprocess

    import imageio_ffmpeg

    address, folder = web
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(make_clip(20)), "-c", "copy"]
    command += ["-hls_playlist_type", "vod", "-hls_time", "4", str(folder / "list.m3u8")]
    subprocess.run(command, check=True)
    out = tmp_path / "out.json"
    flags = ["--profile", str(small_profile), "--policy", str(policy)]
    assert main(["moderate", "run", f"{address}/list.m3u8", str(out), *flags]) == 0
    document = read(out)
    assert document["audit"]["input"]["of"] == "copy"
    assert document["video"]["duration_s"] == pytest.approx(20, abs=0.2)
    assert [(s["start_s"], s["end_s"]) for s in document["spans"]] == [(7, 14)]
    # One that has no end yet, and one that points at a file of this machine.
    text = (folder / "list.m3u8").read_text()
    (folder / "live.m3u8").write_text(text.replace("#EXT-X-ENDLIST", ""))
    assert main(["moderate", "run", f"{address}/live.m3u8", str(tmp_path / "b.json"), *flags]) == 2
    (folder / "evil.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{folder}/list0.ts\n#EXT-X-ENDLIST\n"
    )
    assert main(["moderate", "run", f"{address}/evil.m3u8", str(tmp_path / "c.json"), *flags]) == 3
    assert not (tmp_path / "b.json").exists()
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["none.mp4", "out.json"], 3, "does not exist"),
        (["REPORT", "out.json", "--policy", "nothing"], 4, "policy 'nothing' is unknown"),
        (["REPORT", "out.json"], 4, "policy 'test' is unknown"),
        (["REPORT", "out.json", "--policy", "demo"], 4, "does not know"),
        (["REPORT", "REPORT", "--policy", "HOUSE"], 2, "is an input"),
        (["REPORT", "notes.txt", "--policy", "HOUSE"], 2, "was not written by phar"),
    ],
)
def test_faults(
    arguments: list[str], code: int, message: str, report: Report, policy: Path, tmp_path: Path, capsys
) -> None:
    WRITERS["json"].write(report, tmp_path / "report.json")
    (tmp_path / "notes.txt").write_text("mine")
    places = {"REPORT": str(tmp_path / "report.json"), "HOUSE": str(policy)}
    given = [places.get(each, str(tmp_path / each) if "." in each else each) for each in arguments]
    assert main(["moderate", "run", *given]) == code
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"
