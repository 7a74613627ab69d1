"""A real HTTP server on this machine that misbehaves as it is told, one instruction a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Flaky:
    """What the server has, what it will do, and what it was asked."""

    content: bytes
    acts: list[str] = field(default_factory=list)
    """One per request, then all is well: a status, "cut N", "whole", "page", "silent N"."""
    modified: str | None = "Wed, 21 Oct 2015 07:28:00 GMT"
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header of every request."""
    url: str = ""


@contextmanager
def serving(flaky: Flaky) -> Iterator[Flaky]:
    """Serve until the block ends; `flaky.url` is the server's address, without a slash."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            span = self.headers.get("Range")
            flaky.asked.append((self.path, span))
            act, *rest = (flaky.acts.pop(0) if flaky.acts else "well").split()
            self.close_connection = True
            if act.isdecimal():
                self.send_response(int(act))
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if act == "page":
                self._send(200, b"<!DOCTYPE html><html>log in first</html>", {})
                return
            first = int(span.removeprefix("bytes=").removesuffix("-")) if span and act != "whole" else 0
            size = len(flaky.content)
            if first >= size:
                self._send(416, b"never to be kept", {"Content-Range": f"bytes */{size}"})
                return
            part = flaky.content[first:]
            head = {"Content-Range": f"bytes {first}-{size - 1}/{size}"} if first else {}
            self._send(
                206 if first else 200, part, head, cut=int(rest[0]) if rest else None, told=act != "silent"
            )

        def _send(
            self, status: int, body: bytes, head: dict[str, str], cut: int | None = None, told: bool = True
        ) -> None:
            self.send_response(status)
            if told:
                self.send_header("Content-Length", str(len(body)))
            if flaky.modified:
                self.send_header("Last-Modified", flaky.modified)
            for name, value in head.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:cut])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    flaky.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield flaky
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
