"""Fixtures of batches that are processes of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from scripted_batch import Start, begin, make_library


@pytest.fixture
def scripted_library(tmp_path: Path) -> Path:
    """See `make_library`."""
    folder = tmp_path / "library"
    make_library(folder)
    return folder


@pytest.fixture
def start(tmp_path: Path, small_profile: Path, scripted_library: Path) -> Start:
    """Begin a batch of the library; what it analyses is in the file `log`."""

    def started(out: Path, *flags: str, **options: Any) -> subprocess.Popen[bytes]:
        return begin(scripted_library, out, small_profile, tmp_path / "log", *flags, **options)

    return started
