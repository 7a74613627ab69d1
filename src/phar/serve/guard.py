"""Who may ask: tokens, and for servers without one the checks that keep web pages of strangers out.

A page on another site can make a browser send requests to a server on the same machine, and by changing
what its own name resolves to, read the answers. The browser tells both: in `Host` and in `Origin`.

Source: RFC 6750 (bearer tokens); Fetch, https://fetch.spec.whatwg.org/#origin-header; OWASP, Cross-Site
Request Forgery Prevention, https://cheatsheetseries.owasp.org.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from phar.schema import UsageError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
#: HTTP's status, and why in one line.
Refusal = tuple[int, str]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Shorter tokens could be guessed.
_LEAST_TOKEN = 16

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
#: Answers of the API are never shown as pages.
_API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox")


@dataclass(frozen=True)
class Access:
    """Who may ask."""

    tokens: Mapping[bytes, str | None]
    """SHA-256 of each token to the moderator it belongs to, None for anybody; empty: nobody needs one."""
    hosts: frozenset[str] | None
    """Names by which the server may be called; None: any."""


def read_tokens(text: str, where: str) -> dict[bytes, str | None]:
    """Return the tokens in a text, one a line, after the name of its moderator if it is for one only.

    Raises:
        UsageError: there is none, or one is too short; `where` is said to be so.
    """
    found: dict[bytes, str | None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, _, token = line.strip().rpartition(" ")
        if not token or line.lstrip().startswith("#"):
            continue
        if len(token) < _LEAST_TOKEN or not token.isascii():
            raise UsageError(
                f"{where}, line {number}: the token has {len(token)} characters; take {_LEAST_TOKEN} or more"
                " of ASCII, such as `openssl rand -hex 24` gives"
            )
        found[hashlib.sha256(token.encode()).digest()] = " ".join(name.split()) or None
    if not found:
        raise UsageError(f"{where} holds no token; write one a line")
    return found


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen at can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access(host: str, tokens: Mapping[bytes, str | None], names: Iterable[str]) -> Access:
    """Return who may ask a server that listens at `host` and is also called by `names`.

    Raises:
        UsageError: it can be reached from other machines and there is no token.
    """
    if not tokens and not is_loopback(host):
        raise UsageError(
            f"--host {host} can be reached from other machines, and there is no token; give --token-file or"
            " PHAR_SERVE_TOKEN, or leave out --host"
        )
    given = frozenset(name.lower().rstrip(".") for name in names)
    if tokens and not given:
        # Whoever has no token learns nothing, by whatever name they call.
        return Access(tokens, None)
    return Access(tokens, given | {"localhost", "127.0.0.1", "::1", host.lower()})


class Guard:
    """Lets through what may be asked, and puts on every answer what browsers are to mind."""

    def __init__(self, application: Application, allowed: Access, open_paths: frozenset[str]) -> None:
        """open_paths: what needs no token, because it says nothing."""
        self._application = application
        self._allowed = allowed
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._application(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                extra = (*_HEADERS, _API_POLICY)
                message["headers"] = [
                    *message["headers"],
                    *(each for each in extra if each[0] not in own),
                ]
            await send(message)

        refusal = self._stranger(scope, headers) or self._unknown(scope, headers)
        if refusal is not None:
            await _refuse(answer, *refusal)
            return
        await self._application(scope, receive, answer)

    def _stranger(self, scope: Scope, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse what a page of another site made a browser ask."""
        host = headers.get("host", "")
        if self._allowed.hosts is not None and _name(host) not in self._allowed.hosts:
            return 403, "this server is not called so; use --allow-host NAME if it is meant"
        origin = headers.get("origin")
        if origin is not None and _site(origin) != host.lower():
            return 403, "pages of other sites may not ask"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and scope[
            "path"
        ].startswith("/api"):
            return 403, "pages of other sites may not ask"
        return None

    def _unknown(self, scope: Scope, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse who has no token, and note whose it is."""
        if self._allowed.tokens and scope["path"] not in self._open:
            kind, _, token = headers.get("authorization", "").partition(" ")
            found = self._owner(token.strip()) if kind.lower() == "bearer" else None
            if found is None:
                return 401, "send a token: Authorization: Bearer ..."
            scope.setdefault("state", {})["moderator"] = found[0]
        return None

    def _owner(self, token: str) -> tuple[str | None] | None:
        """Return whose a token is, in a tuple; None if it is nobody's."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = None
        for known, owner in self._allowed.tokens.items():
            if hmac.compare_digest(known, digest):
                found = (owner,)
        return found


def _name(host: str) -> str:
    """Return the name in a Host header, without port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _site(origin: str) -> str:
    """Return the host and port of an Origin header; empty for `null` and what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
