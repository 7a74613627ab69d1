"""A server of its own for a test, as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from client import Client

SCRIPTED = Path(__file__).with_name("scripted_server.py")


class Server(Client):
    """A running `phar serve`."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self._errors = log.open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("phar serve: http"), (line, log.read_text())
        super().__init__(line.split()[2].rstrip("/"))

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._errors.close()
        return self.process.wait()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave the user's cache of shots alone."""
    monkeypatch.setenv("PHAR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def start_with(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts `phar serve` itself, with these flags."""
    started: list[Server] = []

    def begin(*flags: str) -> Server:
        command = [sys.executable, "-m", "phar.cli.main", "serve", str(tmp_path / "kept"), "--port", "0"]
        started.append(Server([*command, *flags], tmp_path / "server.log"))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


@pytest.fixture
def scripted_profile(tmp_path: Path) -> tuple[Path, Path]:
    """Profile and policy of the scripted server."""
    folder = tmp_path / "profile"
    folder.mkdir()
    (folder / "net.py").write_text("model = dict()\n")
    profile = {
        "name": "scripted",
        "window_s": 7,
        "streams": {
            "rgb": {"config": "net.py", "labels": ["march", "wave", "ring", "none"], "weight": 1.0},
        },
        "fusion": {"threshold": 0.3},
    }
    (folder / "scripted.yaml").write_text(yaml.safe_dump(profile))
    policy = {
        "policy": "scripted",
        "version": 1,
        "categories": {
            "walking": {"labels": ["march", "wave"], "actions": {"review": 0.5, "block": 0.85}},
            "noise": {"labels": ["ring"], "actions": {"review": 0.5}},
        },
    }
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy))
    return folder / "scripted.yaml", folder / "policy.yaml"


@pytest.fixture
def start(tmp_path: Path, scripted_profile: tuple[Path, Path]) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server in `tmp_path / "kept"`; `videos` is its root."""
    started: list[Server] = []
    profile, policy = scripted_profile
    (tmp_path / "videos").mkdir()

    def begin(*flags: str) -> Server:
        command = [sys.executable, str(SCRIPTED), str(tmp_path / "kept"), "--port", "0", "--workers", "1"]
        command += ["--root", str(tmp_path / "videos"), "--profile", str(profile), "--policy", str(policy)]
        started.append(Server([*command, *flags], tmp_path / "server.log"))
        return started[-1]

    yield begin
    for server in started:
        server.stop()
    log = tmp_path / "server.log"
    if log.exists():
        assert "Traceback" not in log.read_text(), log.read_text()
