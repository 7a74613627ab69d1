"""The table of writers: which format goes to which module, imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phar.export.selection import selected
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
    segments: str | None = None
    """What a format of segments shows: `exclusive` ones, one label per moment; `lanes`, which may overlap;
    `either`, as asked for. None for formats that are made of more than segments."""
    options: tuple[str, ...] = ()
    """Names of further keyword arguments of the module's `write`."""

    def write(
        self,
        report: Report,
        path: Path,
        *,
        labels: Collection[str] | None = None,
        overlapping: bool = False,
        **options: Any,
    ) -> None:
        """Write `report` to `path`; the file appears whole or not at all.

        Args:
            report: the report.
            path: the file.
            labels: labels whose segments are shown; None for all but `none`.
            overlapping: show every label's own lane instead of one label per moment.
            options: those the format knows by name.

        Raises:
            UsageError: the format has no such choice, or the report no such label.
        """
        self.check(labels=labels, overlapping=overlapping, **options)
        if self.segments is not None:
            report = selected(report, labels, overlapping=overlapping or self.segments == "lanes")
        importlib.import_module(self.module).write(report, path, **options)

    def check(
        self, *, labels: Collection[str] | None = None, overlapping: bool = False, **options: Any
    ) -> None:
        """Refuse choices that the format does not have, before any work. Raises UsageError."""
        if labels is not None and self.segments is None:
            raise UsageError(f"format {self.name} is more than segments, of which labels could be chosen")
        if overlapping and self.segments not in ("either", "lanes"):
            raise UsageError(f"format {self.name} cannot show labels that overlap")
        for name in options:
            if name not in self.options:
                raise UsageError(f"format {self.name} takes no {name}")


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
            Writer("html", ".html", "one page with player, lanes and settings", "phar.export.html"),
            Writer("vtt", ".vtt", "chapters for players", "phar.export.vtt", segments="exclusive"),
            Writer(
                "vtt-metadata",
                ".vtt",
                "cues of JSON for pages, labels may overlap",
                "phar.export.vtt_metadata",
                segments="lanes",
            ),
            Writer(
                "ffmetadata",
                ".ffmetadata",
                "chapters for ffmpeg",
                "phar.export.ffmetadata",
                segments="exclusive",
            ),
            Writer("csv", ".csv", "a table of segments", "phar.export.csv", segments="either"),
            Writer("stash", ".json", "a scene with markers", "phar.export.stash", segments="either"),
            Writer(
                "kodi-edl",
                ".edl",
                "marks, cuts or mutes for Kodi",
                "phar.export.kodi_edl",
                segments="either",
                options=("action",),
            ),
            Writer("cvat", ".xml", "tracks of whole frames", "phar.export.cvat", segments="either"),
            Writer("via3", ".json", "a project of VIA 3", "phar.export.via3", segments="either"),
            Writer(
                "label-studio",
                ".json",
                "a task with a prediction",
                "phar.export.label_studio",
                segments="either",
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
