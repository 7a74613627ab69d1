"""The progress bar speaks on a terminal only."""

from __future__ import annotations

import io
import sys

import pytest

from phar.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bar() as tell:
        tell("read", 0.0, 20.0)
        tell("analyse", 10.0, 20.0)
        tell("analyse", 25.0, 20.0)
    return stderr.getvalue()


def test_a_terminal_sees_stage_share_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    said = drawn(Terminal(), monkeypatch)
    assert "read" in said
    assert "analyse    50%" in said
    assert "10/20 s of video" in said
    assert "left" in said
    # More was read than the container claimed.
    assert "25/25 s of video" in said


def test_a_pipe_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(io.StringIO(), monkeypatch) == ""
