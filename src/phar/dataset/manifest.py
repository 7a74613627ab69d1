"""The manifest: the clips of a data set, each a span of a video."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phar.dataset.annotation import portable
from phar.dataset.splits import SPLITS
from phar.export.target import replacing
from phar.schema import UsageError

#: Columns and their types, as polars names them.
COLUMNS = {
    "id": "String",
    "split": "String",
    "label": "String",
    "category": "String",
    "video": "String",
    "start_s": "Float64",
    "end_s": "Float64",
    "shot_s": "Float64",
    "repeat": "Int64",
    "origin": "String",
    "flags": "String",
    "group": "String",
    "content": "String",
}
#: Name of the manifest in the folder of a data set.
NAME = "manifest.csv"


@dataclass(frozen=True)
class Clip:
    """One example to train, validate or test on."""

    id: str
    """The same for the same span, label and bytes of a video; equal for repeats."""
    split: str
    """train, val or test."""
    label: str
    category: str
    """Sub-kind of the label; empty if none was given."""
    video: Path
    """Absolute path."""
    start_s: float
    """Seconds from the video's first frame."""
    end_s: float
    """Half-open: the frame at this time is not in the clip."""
    shot_s: float
    """Where the shot begins that the clip lies in."""
    repeat: int = 0
    """0 for the first use of the clip, 1 for the second, ..."""
    origin: str = "annotated"
    """annotated, unlabelled or rejected."""
    flags: tuple[str, ...] = ()
    """What the checks found and did not drop, sorted."""
    group: str = ""
    """Videos of one group look alike and are in one split."""
    content: str = ""
    """Hash of the video's bytes."""

    def __post_init__(self) -> None:
        if self.split not in SPLITS or not 0 <= self.start_s < self.end_s or not self.label:
            raise ValueError(
                f"clip {self.id}: {self.split!r}, {self.label!r}, {self.start_s} to {self.end_s} s"
            )


def write_manifest(clips: Iterable[Clip], path: Path) -> None:
    """Write a manifest as .csv, .parquet or .jsonl; clips keep their order."""
    import polars

    folder = path.resolve().parent
    rows = [
        {
            **{name: getattr(clip, name) for name in COLUMNS},
            "video": portable(clip.video, folder),
            "flags": " ".join(clip.flags),
            **{name: round(getattr(clip, name), 6) for name in ("start_s", "end_s", "shot_s")},
        }
        for clip in clips
    ]
    frame = polars.DataFrame(rows, schema={name: getattr(polars, kind) for name, kind in COLUMNS.items()})
    suffix = path.suffix.lower()
    with replacing(path) as partial:
        if suffix == ".parquet":
            frame.write_parquet(partial)
        elif suffix == ".jsonl":
            frame.write_ndjson(partial)
        else:
            frame.write_csv(partial)


def read_manifest(path: Path) -> tuple[Clip, ...]:
    """Read a manifest, or that of a data set's folder.

    Raises:
        UsageError: it is missing, or a row is no clip.
    """
    frame = read_frame(path)
    file = manifest_path(path)
    clips = []
    for number, row in enumerate(frame.iter_rows(named=True), 2):
        values: dict[str, Any] = {
            name: "" if value is None else value for name, value in row.items() if name in COLUMNS
        }
        values["video"] = file.resolve().parent / values["video"]
        values["flags"] = tuple(values["flags"].split())
        try:
            clips.append(Clip(**values))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{file}: row {number} is no clip ({error}); build the data set anew") from None
    return tuple(clips)


def manifest_path(path: Path) -> Path:
    """Return the manifest itself, given that or the folder of a data set."""
    return path / NAME if path.is_dir() else path


def read_frame(path: Path) -> Any:
    """Return a manifest as a polars DataFrame, paths as they stand in it.

    Raises:
        UsageError: it is missing or no manifest.
    """
    import polars

    file = manifest_path(path)
    schema = {name: getattr(polars, kind) for name, kind in COLUMNS.items()}
    try:
        if file.suffix.lower() == ".parquet":
            frame = polars.read_parquet(file)
        elif file.suffix.lower() == ".jsonl":
            frame = polars.read_ndjson(file, schema=schema)
        else:
            frame = polars.read_csv(file, schema_overrides=schema)
    except (OSError, polars.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UsageError(
            f"{file}: cannot be read as a manifest ({reason}); `phar dataset build` makes one"
        ) from None
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise UsageError(f"{file}: has no column {missing[0]}; `phar dataset build` makes manifests")
    return frame
