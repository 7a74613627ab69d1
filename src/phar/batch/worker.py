"""The child's side of the local engine: a process that does one task after another."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import traceback
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from phar.batch.engine import Job, code_of, is_no_room, line_of
from phar.schema import PharError

#: What a worker tells: its name, then what is given with it. What hinders it would hinder every other task.
PREPARED, PROGRESS, FINISHED, FAILED, HINDERED = "prepared", "progress", "finished", "failed", "hindered"

#: prctl(2): the signal a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


def serve(connection: Connection, job: Job, slot: int, verbose: bool) -> None:
    """Do every task that comes, until the other end is closed.

    A task that fails in a way nobody foresaw may leave the process, or a GPU's context in it, unfit for the
    next: it is the process's last.
    """
    _depend_on_parent()
    if not verbose:
        _silence()
    while (task := _received(connection)) is not None:
        try:
            job.prepare(slot, task)
        except BaseException as error:
            connection.send((HINDERED, code_of(error), line_of(error)))
            return
        connection.send((PREPARED,))
        try:
            result = job.run(task, lambda *progress: connection.send((PROGRESS, *progress)))
        except BaseException as error:
            foreseen = isinstance(error, PharError)
            if verbose and not foreseen:
                traceback.print_exc()
            if is_no_room(error):
                connection.send((HINDERED, code_of(error), line_of(error)))
                return
            connection.send((FAILED, code_of(error), line_of(error), foreseen))
            if not foreseen:
                return
        else:
            connection.send((FINISHED, result))


def _received(connection: Connection) -> Any | None:
    try:
        return connection.recv()
    except EOFError:
        return None


def _silence() -> None:
    """Keep the command's own lines and its bar free of what libraries print."""
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _depend_on_parent() -> None:
    """End with the parent, leave the terminal's interrupt to it, and go first where memory is short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
        # The kernel does it even while native code holds the interpreter.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:
            os._exit(1)
    else:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
