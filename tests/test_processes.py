"""Work spread over processes: what comes back, and what stops."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from phar.processes import spread
from phar.schema import ProcessError

_begun: list[str] = []


def _begin(word: str, num_cores: int) -> None:
    assert num_cores == max(1, (os.cpu_count() or 1) // 2)
    _begun.append(word)


def _said(number: int) -> tuple[str, int, int]:
    return "".join(_begun), number, os.getpid()


def _odd(folder: Path, number: int) -> int:
    if number == 1:
        raise ValueError("one is odd")
    (folder / str(number)).touch()
    time.sleep(0.2)
    return number


def _die(number: int) -> int:
    os._exit(3)


def test_every_item_is_worked_on_once_where_each_process_has_begun() -> None:
    done = list(spread(_said, range(6), 2, partial(_begin, "ready")))
    assert sorted(number for _, number, _ in done) == [0, 1, 2, 3, 4, 5]
    assert {word for word, _, _ in done} == {"ready"}
    assert os.getpid() not in {process for _, _, process in done}
    assert _begun == []


def test_an_error_comes_through_and_ends_what_was_not_begun(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one is odd"):
        list(spread(partial(_odd, tmp_path), [1, *range(2, 40)], 1))
    assert len(list(tmp_path.iterdir())) < 20


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(ProcessError, match="a process died, maybe"):
        list(spread(_die, [1, 2], 2))
