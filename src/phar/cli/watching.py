"""A command that reads media works in a process of its own, so that a crash of a decoder can be told.

Decoders are C code and files come from strangers: libav ends the process where it finds itself in a state
that it holds to be impossible. `phar batch` has workers for that; other commands have this.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from types import FrameType

from phar.schema import MediaError

#: Commands that decode what strangers may have made.
WATCHED = frozenset({"demo", "export", "filter", "clips", "moderate", "dataset", "eval", "predict"})

#: How C code ends that has lost its way.
_CRASHES = frozenset({signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV})

#: What is meant for the command, and is handed on to the process that works.
_HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: prctl(2): the signal a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


def watched(prog: str) -> int | None:
    """Go on in a child: return None there, and in the parent, once the child has ended, the exit code.

    A crash becomes one line on stderr and the exit code of unreadable media. Where processes cannot be
    forked nothing is done, and None returned.
    """
    if not hasattr(os, "fork"):
        return None
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        # The terminal's signals come through the parent, once.
        os.setpgid(0, 0)
        _end_with(parent)
        return None
    _hand_on(child)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    if number not in _CRASHES:
        return 128 + number
    name = signal.Signals(number).name
    said = f"a decoder crashed ({name}): the video is damaged in a way that it does not bear; re-encode it"
    print(f"{prog}: {said} or leave it out", file=sys.stderr)
    return MediaError.exit_code


def _hand_on(child: int) -> None:
    def hand_on(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    def pause(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)

    for number in _HANDED_ON:
        # What is ignored, as a shell's background jobs ignore the interrupt, stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, hand_on)
    signal.signal(signal.SIGTSTP, pause)


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
