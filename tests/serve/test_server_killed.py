"""Two moderators at once, and a server that is killed while they answer: nothing is lost, nothing doubled."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import requests

from phar.serve.reviewing import ALARM, Proposal, propose
from phar.serve.store import Store

NUM_SPANS = 90
NUM_KILLS = 2


class Person(threading.Thread):
    """Answers whatever comes, and asks again with the same words where the server does not answer."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name=name)
        self.url = url
        self.client = name[0] * 16
        self.given: dict[str, int] = {}
        """Spans by key of verdicts that the server confirmed."""
        self.taken = 0
        """How often somebody else had a span that this one was shown."""
        self.again = 0

    def run(self) -> None:
        chance = random.Random(self.name)
        while True:
            wish = {"moderator": self.name, "client": self.client, "limit": 2}
            spans = self.ask("queue/lease", wish).json()
            if not spans:
                return
            for span in spans:
                time.sleep(chance.random() * 0.05)
                key = f"{self.name}-{span['id']:012}"
                said = {"key": key, "moderator": self.name, "client": self.client, "answer": "reject"}
                answer = self.ask(f"spans/{span['id']}/verdicts", said)
                if answer.status_code == 409:
                    self.taken += 1
                else:
                    assert answer.status_code in (200, 201), answer.text
                    self.given[key] = span["id"]

    def ask(self, path: str, body: dict[str, Any]) -> requests.Response:
        end = time.monotonic() + 120
        while True:
            try:
                with requests.Session() as session:
                    session.trust_env = False
                    return session.post(f"{self.url}/api/{path}", json=body, timeout=60)
            except requests.RequestException:
                assert time.monotonic() < end, "the server does not come back"
                self.again += 1
                time.sleep(0.05)


def test_two_moderators_and_a_server_that_is_killed(start: Any, tmp_path: Path) -> None:
    store = Store(tmp_path / "kept")
    with store.change() as change:
        video_id = change.video(tmp_path / "videos" / "a.mp4", "a.mp4")
        propose(change, video_id, ALARM, [Proposal(at, at + 1, "march") for at in range(NUM_SPANS)])
    server = start()
    people = [Person("anna", server.url), Person("ben", server.url)]
    for person in people:
        person.start()
    chance = random.Random(3)
    for number in range(1, NUM_KILLS + 1):
        enough = NUM_SPANS * number // (NUM_KILLS + 1)
        while count(store) < enough:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        server.kill()
        server = start("--port", str(server.port))
    for person in people:
        person.join(200)
        assert not person.is_alive()

    rows = store.rows("SELECT key, span_id, moderator, undone_at FROM verdict")
    assert len(rows) == NUM_SPANS
    assert len({row["span_id"] for row in rows}) == NUM_SPANS
    said = {key: span for person in people for key, span in person.given.items()}
    assert {row["key"]: row["span_id"] for row in rows} == said
    assert all(person.given for person in people)
    assert [person.taken for person in people] == [0, 0]
    assert sum(person.again for person in people) > 0
    (checked,) = store.row("PRAGMA integrity_check") or ("",)
    assert checked == "ok"
    store.close()


def count(store: Store) -> int:
    row = store.row("SELECT count(*) FROM verdict")
    assert row is not None
    return int(row[0])
