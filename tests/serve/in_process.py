"""A server inside the test's own process: quick to start, and its database is at hand."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from client import Client

from phar.moderation.policy import load_policy
from phar.profile import load_profile
from phar.serve.api import application
from phar.serve.guard import access
from phar.serve.reviewing import ALARM, SHOT, Proposal, propose
from phar.serve.service import Service, Settings


class LocalServer(Client):
    """A server whose parts are at hand."""

    def __init__(self, service: Service, url: str) -> None:
        super().__init__(url)
        self.service = service

    def alarms(self, video: Path, proposals: Sequence[Proposal]) -> None:
        """Put alarms on the queue."""
        self._propose(video, ALARM, proposals)

    def shots(self, video: Path, spans: Sequence[tuple[float, float]]) -> None:
        """Put shots on the queue."""
        self._propose(video, SHOT, [Proposal(*span) for span in spans])

    def _propose(self, video: Path, kind: str, proposals: Sequence[Proposal]) -> None:
        with self.service.store.change() as change:
            propose(change, change.video(video, video.name), kind, proposals)


@contextlib.contextmanager
def serving(
    folder: Path,
    scripted: tuple[Path, Path],
    tokens: dict[bytes, str | None] | None = None,
    hosts: Sequence[str] = (),
    port: int = 0,
    **changes: Any,
) -> Iterator[LocalServer]:
    """Serve on a port until the block ends."""
    profile, policy = scripted
    settings = Settings(folder, load_profile(profile), load_policy(policy), analysis="test", **changes)
    service = Service(settings)
    service.start()
    listening = socket.create_server(("127.0.0.1", port))
    app = application(service, access("127.0.0.1", tokens or {}, hosts))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield LocalServer(service, f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        service.stop()
