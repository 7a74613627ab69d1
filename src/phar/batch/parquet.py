"""The catalogue as Parquet: videos, their tags, and where these are, one file each, joined by `video_id`."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

from phar.batch.search import Search
from phar.export import replacing
from phar.foreign import shown
from phar.schema import OutputError, UsageError

#: Rows that are held at once.
_PIECE_ROWS = 250_000

#: Key of the files' metadata by which phar knows its own.
_MARK = "phar"

_SCHEMAS: dict[str, dict[str, str]] = {
    "videos": {
        "video_id": "Int64",
        "path": "String",
        "path_bytes": "Binary",
        "sha256": "String",
        "status": "String",
        "error": "String",
        "duration_s": "Float64",
        "fps": "Float64",
        "width_px": "Int32",
        "height_px": "Int32",
        "has_audio": "Boolean",
        "size_bytes": "Int64",
        "analysis_s": "Float64",
        "created": "String",
    },
    "tags": {
        "video_id": "Int64",
        "label": "String",
        "seconds": "Float64",
        "share": "Float64",
        "score": "Float64",
        "clips": "Int32",
    },
    "spans": {
        "video_id": "Int64",
        "label": "String",
        "start_s": "Float64",
        "end_s": "Float64",
        "score": "Float64",
    },
}


def export(search: Search, folder: Path) -> dict[str, int]:
    """Write `videos.parquet`, `tags.parquet` and `spans.parquet`; return the number of rows of each.

    Each file appears whole or not at all. `path` is for people; `path_bytes` is the exact name.

    Raises:
        UsageError: one of the files is there and is not phar's.
        OutputError: the folder cannot be written.
    """
    import polars

    targets = {name: folder / f"{name}.parquet" for name in _SCHEMAS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another folder") from None
    for path in targets.values():
        if path.exists() and not _own(path):
            raise UsageError(
                f"{path} exists and was not written by phar; move it away or choose another folder"
            )
    written = {}
    for name, path in targets.items():
        schema = {column: getattr(polars, kind) for column, kind in _SCHEMAS[name].items()}
        rows = search.rows(name)
        pieces = [polars.DataFrame(schema=schema)]
        while piece := list(islice(rows, _PIECE_ROWS)):
            if name == "videos":
                piece = [_video(*row) for row in piece]
            pieces.append(polars.DataFrame(piece, schema=schema, orient="row"))
        frame = polars.concat(pieces)
        with replacing(path) as temporary:
            frame.write_parquet(temporary, row_group_size=_PIECE_ROWS, metadata={_MARK: name})
        written[name] = frame.height
    return written


def _video(row_id: int, path: bytes, *rest: Any) -> tuple[Any, ...]:
    *before, has_audio, size_bytes, analysis_s, created = rest
    heard = None if has_audio is None else bool(has_audio)
    return (row_id, shown(os.fsdecode(path)), path, *before, heard, size_bytes, analysis_s, created)


def _own(path: Path) -> bool:
    import polars

    try:
        return _MARK in polars.read_parquet_metadata(path)
    except (OSError, polars.exceptions.PolarsError):
        return False
