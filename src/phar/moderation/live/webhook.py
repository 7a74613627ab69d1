"""Delivers events to an address: signed, in order, at least once.

Source: Standard Webhooks 1.0, https://github.com/standard-webhooks/standard-webhooks, for headers and
signature; a receiver may use any library for it. An event keeps its id over all attempts, by which the
receiver drops what it has already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests
import tenacity

from phar import __version__
from phar.moderation.live.outbox import Letter, Outbox
from phar.schema import UsageError

_PREFIX = "whsec_"

#: Shorter secrets may be guessed. Source: Standard Webhooks, which asks for 24 to 64 bytes.
_LEAST_SECRET_BYTES = 24

#: Answers that no further attempt will change.
_FINAL = frozenset(range(400, 500)) - {408, 409, 425, 429}


@dataclass(frozen=True)
class Patience:
    """How attempts follow each other."""

    first_s: float = 1.0
    longest_s: float = 300.0
    timeout_s: float = 10.0
    """Silence of the other side after which an attempt has failed."""


class _Failed(Exception):
    """An attempt that another may mend."""


class _Refused(Exception):
    """An answer that no further attempt will change."""


def read_secret(text: str) -> bytes:
    """Return the key that a secret stands for: base64, with or without the prefix `whsec_`.

    Raises:
        UsageError: it is none, or shorter than 24 bytes.
    """
    try:
        key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < _LEAST_SECRET_BYTES:
        raise UsageError(
            f"the webhook's secret is not base64 of {_LEAST_SECRET_BYTES} bytes or more; make one, e.g. by"
            " `openssl rand -base64 32`"
        )
    return key


def signature(key: bytes, event_id: str, sent_at: int, body: bytes) -> str:
    """Return the value of `webhook-signature`; sent_at: POSIX time in whole seconds."""
    signed = b".".join([event_id.encode(), str(sent_at).encode(), body])
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Sender(threading.Thread):
    """Delivers what is in an outbox, one event after the other, until told to stop."""

    def __init__(
        self,
        outbox: Outbox,
        address: str,
        key: bytes | None,
        patience: Patience | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """key: None sends without a signature. say: told, in a line, of what does not arrive."""
        super().__init__(name="phar-webhook", daemon=True)
        self._outbox = outbox
        self._address = address
        self._key = key
        self._patience = patience or Patience()
        self._say = say
        self._stopping = threading.Event()

    def run(self) -> None:
        """Deliver."""
        with requests.Session() as http:
            while not self._stopping.is_set():
                letter = self._outbox.next(timeout_s=0.2)
                if letter is not None:
                    self._deliver(http, letter)

    def finish(self, timeout_s: float) -> int:
        """Give what is left a last while, stop, and return how many events are still to be delivered."""
        deadline = time.monotonic() + timeout_s
        while self._outbox.next(timeout_s=0) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        self._stopping.set()
        self.join(self._patience.timeout_s + 1)
        return self._outbox.waiting()

    def _deliver(self, http: requests.Session, letter: Letter) -> None:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Failed),
            wait=tenacity.wait_exponential_jitter(
                initial=self._patience.first_s, max=self._patience.longest_s, jitter=self._patience.first_s
            ),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._failed_once,
            reraise=True,
        )
        try:
            attempts(self._post, http, letter)
        except _Refused as error:
            self._outbox.refused(letter, str(error))
            self._say(f"webhook: event {letter.id} was refused ({error}); it is kept for the next session")
        except _Failed:
            return
        else:
            self._outbox.delivered(letter)

    def _post(self, http: requests.Session, letter: Letter) -> None:
        # Signed anew at each attempt: receivers turn away what is older than some minutes.
        sent_at = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": f"phar/{__version__}",
            "webhook-id": letter.id,
            "webhook-timestamp": str(sent_at),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, letter.id, sent_at, letter.body)
        try:
            answer = http.post(
                self._address,
                data=letter.body,
                headers=headers,
                timeout=self._patience.timeout_s,
                # A signed event goes where it was meant to, and nowhere else.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _Failed(type(error).__name__) from error
        if 200 <= answer.status_code < 300:
            return
        if answer.status_code in _FINAL or 300 <= answer.status_code < 400:
            raise _Refused(f"{answer.status_code} {answer.reason}")
        raise _Failed(f"{answer.status_code} {answer.reason}")

    def _failed_once(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            why = state.outcome.exception()
            self._say(f"webhook: an event could not be delivered ({why}); it is tried again")
