"""The annotation table: which label is seen in which span of which video, and what people say of it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from phar.export.csv import inert
from phar.export.target import check_target, replacing
from phar.schema import UsageError

#: The label is seen in the span. What a plain annotation means.
ACCEPT = "accept"
#: The label was proposed for the span and a person said no: a hard negative.
REJECT = "reject"
#: A person could not tell: the span is neither an example nor a negative.
UNSURE = "unsure"
#: The whole span was watched: what no other row covers shows none of the labels. The row has no label.
COMPLETE = "complete"
VERDICTS = (ACCEPT, REJECT, UNSURE, COMPLETE)

#: Columns of the table, in order.
COLUMNS = ("video", "start_s", "end_s", "label", "category", "source", "verdict")

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Annotation:
    """One row: a half-open span [start_s, end_s) of one video."""

    video: Path
    """Absolute path of the video."""
    start_s: float
    """Seconds from the video's first frame."""
    end_s: float
    """Seconds from the video's first frame, above `start_s`."""
    label: str
    """The class; empty only where the verdict is `complete`."""
    category: str = ""
    """A sub-kind of the class, such as a place or a studio; empty if none was given."""
    source: str = ""
    """Where it comes from, for people: file and element."""
    verdict: str = ACCEPT
    """One of `VERDICTS`."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s < math.inf:
            raise ValueError(f"{self.video}: span {self.start_s} to {self.end_s} s")
        if self.verdict not in VERDICTS:
            raise ValueError(f"{self.video}: verdict {self.verdict!r}")
        if bool(self.label) == (self.verdict == COMPLETE):
            raise ValueError(f"{self.video}: label {self.label!r} with verdict {self.verdict!r}")


def check_table_target(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Check, before any work, that a table can be written to `path`; one that phar wrote may be replaced.

    Raises:
        UsageError: its suffix is unknown, it is an input, or it is a file that phar did not write.
        OutputError: its folder is missing or cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: tables are written as {' or '.join(SUFFIXES)}; change the suffix")
    if path.is_file() and not any(path.samefile(other) for other in inputs if other.exists()) and _own(path):
        return
    check_target(path, inputs)


def write_table(annotations: Iterable[Annotation], path: Path) -> None:
    """Write a table as .csv or .parquet, sorted by video and time.

    A video that lies beneath the table's folder is named relative to it, others by their full path.
    """
    import polars

    folder = path.resolve().parent
    rows = sorted(
        (portable(row.video, folder), round(row.start_s, 6), round(row.end_s, 6), *_texts(row))
        for row in annotations
    )
    types = [polars.String, polars.Float64, polars.Float64, *[polars.String] * 4]
    frame = polars.DataFrame(rows, schema=dict(zip(COLUMNS, types, strict=True)), orient="row")
    with replacing(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.write_parquet(partial)
        else:
            texts = polars.selectors.string()
            frame.with_columns(texts.map_elements(inert, polars.String)).write_csv(partial)


def portable(video: Path, folder: Path) -> str:
    """Return how a file in `folder` names a video: relative where it lies beneath, else in full."""
    if video.is_relative_to(folder):
        return video.relative_to(folder).as_posix()
    return os.fspath(video)


def _texts(row: Annotation) -> tuple[str, str, str, str]:
    return row.label, row.category, row.source, row.verdict


def _own(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(200)
    return head.startswith((",".join(COLUMNS).encode(), b"PAR1"))
