"""Tasks that do to their worker what a damaged file may do to a decoder."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phar.schema import MediaError, ModelError


@dataclass(frozen=True)
class Act:
    path: str
    act: str = "well"
    size_bytes: int = 0


@dataclass
class PoisonedJob:
    """Does what the task says; answers with its process and how many tasks that had before."""

    unprepared: str = ""
    prepared: int = 0
    done: int = 0

    def prepare(self, slot: int, task: Act) -> None:
        if self.unprepared == "refused":
            raise ModelError("the checkpoint is missing; fetch it")
        if self.unprepared == "crashed":
            os.abort()
        self.prepared += 1

    def run(self, task: Act, tell: Any) -> tuple[int, int]:
        tell("analyse", 7.0, 70.0)
        if task.act == "segfault":
            ctypes.string_at(0)
        elif task.act == "hang":
            time.sleep(600)
        elif task.act == "memory":
            held = []
            while True:
                held.append(bytearray(os.urandom(1 << 20) * 16))
        elif task.act == "lost once" and not Path(task.path).exists():
            Path(task.path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif task.act == "exit":
            os._exit(5)
        elif task.act == "media":
            raise MediaError(f"{task.path}: is damaged")
        elif task.act == "bug":
            raise ZeroDivisionError("division by zero")
        self.done += 1
        return os.getpid(), self.done


@dataclass
class DividedPoisonedJob(PoisonedJob):
    """Does a task whose act names several (`well+media`) in parts; answers with how many were done."""

    def split(self, task: Act) -> Sequence[Act]:
        return [replace(task, act=act) for act in task.act.split("+")]

    def join(self, task: Act, results: Sequence[tuple[int, int]]) -> int:
        return sum(done > 0 for _, done in results)
