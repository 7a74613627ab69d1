"""The comment a container carries, by which files that phar wrote are known again."""

from __future__ import annotations

from pathlib import Path

from phar.media.source import Source


def read_comment(path: str | Path) -> str:
    """Return the container's comment, empty if it has none.

    Raises:
        MediaError: the file is no video that phar can open.
    """
    source = Source(path, num_threads=1)
    try:
        # Matroska writes the names of its tags in capitals.
        tags = {name.lower(): value for name, value in source.container.metadata.items()}
        return str(tags.get("comment", ""))
    finally:
        source.close()
