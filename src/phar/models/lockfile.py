"""`checkpoints.lock`: what was downloaded, from where and when, beside the files it lists."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from filelock import lock_descriptor

from phar import foreign
from phar.profile import LOCK_FILE
from phar.schema import OutputError

_HEADER = "# Written by `phar models pull`: a file whose hash differs from the one here is refused.\n"


@dataclass(frozen=True)
class Locked:
    """One file as it first arrived."""

    checkpoint: str
    """The file, below the folder of the lock file."""
    name: str
    url: str | None
    """Where it came from; None: it was put there by hand."""
    size_bytes: int
    sha256: str
    """64 hexadecimal digits."""
    date: str
    """When it was recorded, ISO 8601, UTC."""


def locked(folder: Path) -> dict[str, Locked]:
    """Return what the lock file of a checkpoints folder lists, by file.

    Raises:
        OutputError: the lock file cannot be read or is not one.
    """
    path = folder / LOCK_FILE
    if not path.is_file():
        return {}
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))["files"]
        return {row["checkpoint"]: Locked(**row) for row in rows}
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise OutputError(f"{path} is not readable ({type(error).__name__}); mend or remove it") from error


def record(folder: Path, row: Locked) -> None:
    """Set what the lock file says of one file. Raises OutputError."""
    path = folder / LOCK_FILE
    try:
        # Several pulls may end at once; the folder itself is the lock, so that no file is left behind.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            lock_descriptor(descriptor)
            rows = locked(folder) | {row.checkpoint: row}
            text = foreign.to_yaml({"files": [asdict(rows[name]) for name in sorted(rows)]}, width=1000)
            partial = path.with_name(f".{path.name}.part")
            partial.write_text(_HEADER + text, encoding="utf-8")
            partial.replace(path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}; check the folder") from error


def now() -> str:
    """Return the date of a new row."""
    return datetime.now(UTC).isoformat(timespec="seconds")
