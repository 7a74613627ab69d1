"""The table of writers: which format goes to which module, imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phar.schema import Report, UsageError


@dataclass(frozen=True)
class Writer:
    """One output format."""

    name: str
    suffix: str
    """File name suffix that picks this writer where no format is named."""
    summary: str
    module: str
    """Module whose `write(report, path)` does the work."""
    needs_video: bool = False
    """Whether the source video is read again."""
    options: tuple[str, ...] = ()
    """Names of what `write` takes besides."""

    def write(self, report: Report, path: Path, **options: Any) -> None:
        """Write `report` to `path`; the file appears whole or not at all."""
        importlib.import_module(self.module).write(report, path, **options)


#: Every format by name; of several with one suffix the first is the default.
WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        writer.name: writer
        for writer in (
            Writer("json", ".json", "the full report", "phar.export.report"),
            Writer("legacy", ".json", "list of {score: label} per window", "phar.export.legacy"),
            Writer("timestamps", ".json", '{"start:end": label}, merged', "phar.export.timestamps"),
            Writer(
                "mp4",
                ".mp4",
                "the video with labels drawn on it",
                "phar.export.overlay",
                needs_video=True,
                options=("draw",),
            ),
        )
    }
)


def writer_for(path: Path, name: str | None = None) -> Writer:
    """Return the writer of a named format, or the one the suffix of `path` picks.

    Raises:
        UsageError: the name or the suffix is unknown.
    """
    if name is not None:
        if name not in WRITERS:
            raise UsageError(f"format {name!r} is unknown; use one of {', '.join(WRITERS)}")
        return WRITERS[name]
    for writer in WRITERS.values():
        if writer.suffix == path.suffix.lower():
            return writer
    suffixes = ", ".join(dict.fromkeys(writer.suffix for writer in WRITERS.values()))
    raise UsageError(f"{path}: suffix {path.suffix!r} picks no format; use {suffixes} or give --format")
