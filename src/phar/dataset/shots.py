"""The table of shots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phar.dataset.annotation import portable
from phar.dataset.indexing import Indexed
from phar.export.target import replacing


def write_shots(indexed: Iterable[Indexed], path: Path) -> None:
    """Write video, shot, start_s and end_s of every shot as .parquet or CSV."""
    import polars

    folder = path.resolve().parent
    rows = [
        (portable(each.video, folder), number, round(start_s, 6), round(end_s, 6))
        for each in sorted(indexed, key=lambda each: str(each.video))
        if each.index is not None
        for number, (start_s, end_s) in enumerate(each.index.shots())
    ]
    schema = {
        "video": polars.String,
        "shot": polars.Int64,
        "start_s": polars.Float64,
        "end_s": polars.Float64,
    }
    frame = polars.DataFrame(rows, schema=schema, orient="row")
    with replacing(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.write_parquet(partial)
        else:
            frame.write_csv(partial)
