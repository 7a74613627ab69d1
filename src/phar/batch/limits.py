"""How long and how large a worker may grow over one video, and how many workers there are."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

#: A video may take this long whatever its length, and this many times its length on top.
#: The slowest profile, three crops by TimeSformer and two-stage detection on two cores, takes five times.
_GRACE_S, _TIMES_REAL_TIME = 600.0, 10.0

#: Slowest disk or network that is waited for.
_BYTES_PER_S = 1_000_000

#: What a container claims of its length is believed up to this, seconds.
_LONGEST_S = 48 * 3600.0

#: What all workers together may take of the machine's memory.
_MEMORY_SHARE = 0.8

#: What a worker takes on a CPU, roughly: 1.1 GiB with the bundled models, 3 with large ones.
_WORKER_BYTES = 3 * 2**30

#: Cores that one analysis on a CPU keeps busy.
_WORKER_CORES = 4


@dataclass(frozen=True)
class Limits:
    """What a worker may take for one video before it is stopped."""

    memory_bytes: int | None
    """Resident memory of the process, models included; None: what its machine allows."""
    time_s: float | None = None
    """Seconds for one video; None: by its length and size."""

    def allowed_s(self, duration_s: float, size_bytes: int) -> float:
        """Return how many seconds a video of this length (0: unknown) and size may take."""
        if self.time_s is not None:
            return self.time_s
        return _GRACE_S + size_bytes / _BYTES_PER_S + _TIMES_REAL_TIME * min(duration_s, _LONGEST_S)


def memory_bytes() -> int:
    """Return how much memory there is, for this machine or for the container this runs in."""
    total = int(psutil.virtual_memory().total)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = Path("/sys/fs/cgroup", name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            total = min(total, int(text))
    return total


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_memory_bytes(num_workers: int) -> int:
    """Return each worker's share of the memory that workers may take."""
    return int(memory_bytes() * _MEMORY_SHARE / num_workers)


def default_workers(device: str) -> int:
    """Return how many workers fit this machine: one a GPU, else one for every few cores, as memory allows."""
    num_gpus = 1 if device.startswith("cuda:") else 0 if device == "cpu" else _num_gpus()
    if num_gpus:
        return num_gpus
    by_memory = int(memory_bytes() * _MEMORY_SHARE) // _WORKER_BYTES
    return max(1, min(num_cores() // _WORKER_CORES, by_memory))


def _num_gpus() -> int:
    # Importing torch takes seconds; without NVIDIA's driver there is nothing for it to find.
    if not (Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi")):
        return 0
    import torch

    return int(torch.cuda.device_count())
