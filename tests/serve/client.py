"""How tests ask a server."""

from __future__ import annotations

import time
from typing import Any

import requests

#: Machines that run tests may have much else to do.
PATIENCE_S = 200


class Client:
    """Asks by plain HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method: str, path: str, expected: int | None = None, **options: Any) -> Any:
        """Return the answer, having seen that its status is the expected one."""
        answer = self.session.request(method, f"{self.url}/{path}", timeout=PATIENCE_S, **options)
        if expected is not None:
            assert answer.status_code == expected, answer.text
        return answer

    def job(self, job_id: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of these states."""
        end = time.monotonic() + PATIENCE_S
        while True:
            job = self.ask("GET", f"api/jobs/{job_id}", 200).json()
            if job["state"] in states:
                return dict(job)
            assert job["state"] in ("queued", "running"), job
            assert time.monotonic() < end, job
            time.sleep(0.05)
