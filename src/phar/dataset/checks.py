"""Checks on clips: what to look at, and what may be dropped by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from phar.dataset.index import VideoIndex
from phar.dataset.spans import Span
from phar.schema import UsageError

#: Check name to what it finds.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "short": "spans shorter than the shortest clip",
        "clash": "spans with labels that contradict each other",
        "duplicate": "shots that an earlier video has too",
        "repeated": "bumpers and logos: one shot in many videos",
        "black": "black pictures",
        "frozen": "pictures that do not change",
        "silent": "no sound",
    }
)
#: What is dropped unless something else is asked for.
DROPPED = ("short", "clash", "duplicate")

#: A look is black if this share of its pixels is dark. Source: ffmpeg's blackdetect, pic_th.
_BLACK_SHARE = 0.98
#: A look has not changed if luma differs by less on average. Source: ffmpeg's freezedetect, noise 0.001.
_FROZEN = 0.001 * 255
#: Sound below this level is silence. Source: ffmpeg's silencedetect, noise -60 dB.
_SILENT_DB = -60.0
#: A span is black, frozen or silent if this share of its looks is.
_MOST = 0.8


def parse_checks(text: str) -> tuple[str, ...]:
    """Return check names from a comma-separated list; `none` is none of them, `all` is all.

    Raises:
        UsageError: a name is unknown.
    """
    if text == "all":
        return tuple(CHECKS)
    names = tuple(name.strip() for name in text.split(",") if name.strip() and name.strip() != "none")
    if unknown := [name for name in names if name not in CHECKS]:
        raise UsageError(f"check {unknown[0]!r} is unknown; use {', '.join(CHECKS)}, all or none")
    return names


def flags_of(index: VideoIndex, span: Span) -> tuple[str, ...]:
    """Return black, frozen and silent as they hold for most of a span."""
    looks = index.looks(*span)
    found = []
    if (index.dark[looks] >= _BLACK_SHARE).mean() >= _MOST:
        found.append("black")
    # The first look is compared with what lies before the span.
    changes = index.change[looks][1:]
    if len(changes) and (changes < _FROZEN).mean() >= _MOST:
        found.append("frozen")
    if (index.level_db[looks] < _SILENT_DB).mean() >= _MOST:
        found.append("silent")
    return tuple(found)
