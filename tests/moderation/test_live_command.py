"""`phar moderate live` from a file to stdout and a webhook, as a user calls it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from receiver import Receiver
from transport_stream import encoded

from phar.cli.main import main


@pytest.fixture
def flags(fake_streams: Callable[..., None], small_profile: Path, tmp_path: Path) -> list[str]:
    """A profile whose ring is heard from 2 s on, and a policy that blocks it."""
    small_profile.write_text(small_profile.read_text().replace("window_s: 7", "window_s: 2"))
    fake_streams(
        rgb=lambda start_s: [0.0, 0.0, 0.9 if start_s >= 2 else 0.1, 0.1],
        skeleton=lambda _: "no person",
        audio=lambda _: "too quiet",
    )
    policy = tmp_path / "house.yaml"
    ring = {"labels": ["ring"], "stream": "rgb", "actions": {"block": 0.5}}
    policy.write_text(yaml.safe_dump({"policy": "house", "version": 1, "categories": {"noise": ring}}))
    return ["--profile", str(small_profile), "--policy", str(policy), "--idle", "1"]


def test_events_go_to_stdout_and_to_the_webhook(flags: list[str], tmp_path: Path, capsys) -> None:
    record = encoded(tmp_path / "record.ts", 4)
    secret = tmp_path / "secret"
    secret.write_text(base64.b64encode(bytes(32)).decode())
    receiver = Receiver()
    receiver.answers = [500]
    hook = ["--webhook", receiver.address, "--webhook-secret-file", str(secret)]
    hook += ["--outbox", str(tmp_path / "outbox.sqlite")]
    assert main(["moderate", "live", str(record), "--every", "0", *flags, *hook]) == 0
    receiver.shutdown()
    receiver.server_close()
    output = capsys.readouterr()
    events = [json.loads(line) for line in output.out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds == ["session", "source", "window", "window", "span", "span", "source"]
    assert [event["number"] for event in events] == list(range(1, 8))
    assert [event["state"] for event in events if event["type"] == "span"] == ["opened", "closed"]
    # What the webhook was told is, word for word, what stdout was.
    told = [json.loads(body) for _, body in receiver.got[1:]]
    assert told == [event for event in events if event["type"] in ("span", "source")]
    assert [headers["webhook-id"] for headers, _ in receiver.got[1:]] == [event["id"] for event in told]
    assert "an event could not be delivered (500 Internal Server Error)" in output.err


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "no source is named"),
        (["gopher://example.org/x"], "gopher cannot be watched"),
        (["RECORD", "--webhook", "http://127.0.0.1:9/"], "needs a secret"),
        (["RECORD", "--webhook", "ftp://127.0.0.1/"], "give an http or https address"),
    ],
)
def test_faults(
    arguments: list[str], message: str, flags: list[str], tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.delenv("PHAR_WEBHOOK_SECRET", raising=False)
    record = tmp_path / "record.ts"
    record.write_bytes(b"x")
    given = [str(record) if each == "RECORD" else each for each in arguments]
    assert main(["moderate", "live", *given, *flags]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
