"""The server on its port."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from filelock import lock_descriptor

from phar.schema import OutputError, UsageError
from phar.serve.api import application
from phar.serve.guard import Access
from phar.serve.service import Service, Settings

#: Requests at a time; more are told to come again.
_MOST_REQUESTS = 256

#: How long answers that are under way may take when the server ends.
_GOODBYE_S = 3


def run(settings: Settings, host: str, port: int, access: Access, say: Callable[[str], None]) -> None:
    """Serve until interrupted. `say` is told the address once requests are taken.

    Raises:
        UsageError: the port cannot be listened at, or another server works in the folder.
        OutputError: the folder cannot be written.
    """
    listening = _listening(host, port)
    try:
        with _alone(settings):
            service = Service(settings)
            service.start()
            try:
                name = f"[{host}]" if ":" in host else host
                say(f"http://{name}:{listening.getsockname()[1]}/")
                _served(service, access, listening)
            finally:
                service.stop()
    finally:
        listening.close()


def _served(service: Service, access: Access, listening: socket.socket) -> None:
    config = uvicorn.Config(
        application(service, access),
        log_config=None,
        access_log=False,
        server_header=False,
        # Whoever asks is whom the connection says it is.
        proxy_headers=False,
        limit_concurrency=_MOST_REQUESTS,
        timeout_graceful_shutdown=_GOODBYE_S,
        lifespan="off",
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot listen at {host}, port {port}: {reason}; choose another --port") from None


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the folder; itself is the lock, so that no file is left behind."""
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(settings.folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(
            f"{settings.folder} cannot be used ({error.strerror}); name another folder"
        ) from None
    try:
        if not lock_descriptor(descriptor, blocking=False):
            raise UsageError(f"{settings.folder}: another phar serve works there; end it, or name another")
        yield
    finally:
        os.close(descriptor)
