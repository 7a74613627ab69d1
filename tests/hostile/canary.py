"""Tells whether somebody opened a file, or asked a server on this machine for anything."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

_IN_ACCESS, _IN_OPEN, _IN_NONBLOCK = 0x1, 0x20, 0o4000


class Watched:
    """A file whose every opening and reading the kernel notes (inotify)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(_IN_NONBLOCK)
        watch = libc.inotify_add_watch(self._queue, os.fsencode(path), _IN_ACCESS | _IN_OPEN)
        assert self._queue >= 0 <= watch, os.strerror(ctypes.get_errno())

    def was_opened(self) -> bool:
        """Whether it was opened or read since the last time this was asked."""
        try:
            return bool(os.read(self._queue, 1 << 16))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._queue)


class Listening:
    """A server that hangs up on everyone, and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._num_calls = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def was_called(self) -> bool:
        """Whether anybody connected since the last time this was asked."""
        called, self._num_calls = self._num_calls > 0, 0
        return called

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._num_calls += 1
            connection.close()
