"""Metadata that stays true when a file is edited."""

from __future__ import annotations

from collections.abc import Mapping

#: What belongs to the old file: its brands, encoder and comment.
_LEFT = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "comment")

#: What Matroska notes about the lengths and sizes of tracks.
_STATISTICS = ("DURATION", "NUMBER_OF_", "_STATISTICS", "BPS")


def lasting(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a file's or track's texts without those that an edit makes wrong."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _LEFT and not key.upper().startswith(_STATISTICS)
    }
