"""Webhooks: signed as the standard says, tried again, in order, and nothing is lost with the process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receiver import Receiver

from phar.moderation.live.outbox import Outbox
from phar.moderation.live.webhook import Patience, Sender, read_secret, signature
from phar.schema import UsageError

KEY = bytes(range(32))
ADDRESS = "http://127.0.0.1/hook"
FAST = Patience(first_s=0.01, longest_s=0.05, timeout_s=5)


def test_the_signature_is_the_standards_own_example() -> None:
    """Source: the example in the documentation of Standard Webhooks' reference libraries."""
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert (
        signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize(
    "text", ["", "short", "whsec_c2hvcnQ=", "not base64 at all, but long enough to be one"]
)
def test_secrets_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="openssl rand -base64 32"):
        read_secret(text)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "state" / "outbox.sqlite", ADDRESS)
    yield box
    box.close()


@pytest.fixture
def sending(receiver: Receiver, outbox: Outbox) -> Iterator[Callable[..., Sender]]:
    begun: list[Sender] = []

    def begin(**changes: object) -> Sender:
        sender = Sender(outbox, receiver.address, KEY, FAST, **changes)  # type: ignore[arg-type]
        begun.append(sender)
        sender.start()
        return sender

    yield begin
    for sender in begun:
        if sender.is_alive():
            sender.finish(0)


def test_what_fails_is_sent_again_with_the_same_id_and_in_order(
    receiver: Receiver, outbox: Outbox, sending: Callable[..., Sender]
) -> None:
    receiver.answers = [503, 429, 500]
    outbox.put("one", b'{"n":1}')
    outbox.put("two", b'{"n":2}')
    sending()
    got = receiver.wait_for(5)
    assert [headers["webhook-id"] for headers, _ in got] == ["one"] * 4 + ["two"]
    for headers, body in got:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers["content-type"] == "application/json"
    assert [json.loads(body) for _, body in got[3:]] == [{"n": 1}, {"n": 2}]


def test_everything_delivered_is_forgotten(
    receiver: Receiver, outbox: Outbox, sending: Callable[..., Sender]
) -> None:
    for number in range(20):
        outbox.put(str(number), b"{}")
    assert sending().finish(30) == 0
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [str(number) for number in range(20)]


@pytest.mark.parametrize("answer", [400, 404, 302])
def test_a_refused_event_is_kept_and_holds_up_nothing(
    answer: int, receiver: Receiver, outbox: Outbox, sending: Callable[..., Sender], tmp_path: Path
) -> None:
    receiver.answers = [answer]
    said: list[str] = []
    outbox.put("bad", b"{}")
    outbox.put("good", b"{}")
    assert sending(say=said.append).finish(30) == 1
    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["bad", "good"]
    assert "bad was refused" in said[0]
    # Nobody was redirected elsewhere, and the next session tries once more.
    outbox.close()
    again = Outbox(tmp_path / "state" / "outbox.sqlite", ADDRESS)
    letter = again.next(0)
    assert letter is not None
    assert letter.id == "bad"
    again.close()


def test_nobody_listens_and_the_session_ends_all_the_same(outbox: Outbox) -> None:
    outbox.put("one", b"{}")
    sender = Sender(outbox, "http://127.0.0.1:9/hook", KEY, FAST)
    sender.start()
    assert sender.finish(0.3) == 1
    assert not sender.is_alive()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    with pytest.raises(UsageError, match="another program's"):
        Outbox(path, ADDRESS)


def test_events_outlast_a_process_that_is_killed(tmp_path: Path, receiver: Receiver) -> None:
    """Told, not delivered, and then gone: the next process delivers each."""
    path = tmp_path / "outbox.sqlite"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from phar.moderation.live.outbox import Outbox\n"
        f"box = Outbox(Path(sys.argv[1]), {ADDRESS!r})\n"
        "for number in range(50):\n"
        "    box.put(str(number), b'{}')\n"
        "    print(number, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = 0
        for line in process.stdout:
            told = int(line) + 1
            if told == 30:
                os.kill(process.pid, signal.SIGKILL)
        process.wait()
    outbox = Outbox(path, ADDRESS)
    sender = Sender(outbox, receiver.address, KEY, FAST)
    sender.start()
    assert sender.finish(30) == 0
    outbox.close()
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids[:told] == [str(number) for number in range(told)]
    assert told >= 30


def test_events_go_to_no_other_receiver(outbox: Outbox, tmp_path: Path) -> None:
    """A session with another address once posted what an earlier one had left, signed with its own key."""
    outbox.put("one", b"{}")
    with pytest.raises(UsageError, match="another session"):
        Outbox(tmp_path / "state" / "outbox.sqlite", ADDRESS)
    outbox.close()
    other = Outbox(tmp_path / "state" / "outbox.sqlite", "http://127.0.0.1/other")
    assert (other.next(0), other.waiting()) == (None, 0)
    other.close()
    again = Outbox(tmp_path / "state" / "outbox.sqlite", ADDRESS)
    letter = again.next(0)
    assert letter is not None and letter.id == "one"
    again.close()
