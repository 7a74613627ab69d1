"""Plain tables: phar's own, as CSV or Parquet, and anybody's CSV whose header can be understood."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from phar.dataset.annotation import COMPLETE
from phar.dataset.formats.document import read_text
from phar.dataset.formats.mark import Fault, Mark, Parsed, ReadOptions, number_of, role_of, verdict_of
from phar.export.csv import said
from phar.schema import UsageError

_DELIMITERS = ",;\t|"
_TIMES = {"start_s", "end_s", "duration_s", "start_frame", "end_frame"}
Row = Mapping[str, str]


def read_plain(path: Path, options: ReadOptions) -> Parsed:
    """Read a table with a header row.

    Columns are known by their names in any case and order (`mark.ROLES`): the video, the start, and the end
    or a duration, or frames (0-based first frame, and the frame after the last); the label, and if there,
    category, source and verdict. Separators are comma, semicolon, tab or bar. Times are seconds or
    `hh:mm:ss.fff`. A table without columns for times is about whole videos; so is a row with the verdict
    `complete` and no times.

    Raises:
        UsageError: the file cannot be read, or has no header with a video and a label.
    """
    parsed = Parsed()
    for where, row in _rows(path, parsed):
        video = row.get("video", "") or options.video or ""
        if not video:
            parsed.faults.append(Fault(where, "no-video", "names no video", "fill in the column video"))
            continue
        parsed.videos.setdefault(video, where)
        fault, mark = _mark(where, video, row, options)
        if fault is not None:
            parsed.faults.append(fault)
        if mark is not None:
            parsed.marks.append(mark)
    return parsed


def _mark(where: str, video: str, row: Row, options: ReadOptions) -> tuple[Fault | None, Mark | None]:
    values: dict[str, float | None] = {}
    for name in ("start_s", "end_s", "duration_s", "start_frame", "end_frame", "fps"):
        text = row.get(name, "")
        values[name] = number_of(text) if text else None
        if text and values[name] is None:
            return Fault(where, "bad-span", f"{name} is {text[:40]!r}", "give seconds or hh:mm:ss"), None
    label, verdict = row.get("label", ""), row.get("verdict", "")
    complete = verdict_of(verdict) == COMPLETE
    if not label and not complete:
        return Fault(where, "no-label", "has no label", "fill in the column label"), None
    start, end = values["start_s"], values["end_s"]
    if start is not None and end is None and values["duration_s"] is not None:
        end = start + values["duration_s"]
    frames = None
    first, last = values["start_frame"], values["end_frame"]
    if start is None and end is None and first is not None and last is not None:
        frames = (int(first), int(last))
    if (start, end, frames) == (None, None, None) and not complete and row.keys() & _TIMES:
        return Fault(where, "bad-span", "has neither start nor end", "fill them in"), None
    mark = Mark(
        where,
        video,
        label,
        start,
        end,
        frames,
        options.fps or values["fps"],
        row.get("category", ""),
        row.get("source", ""),
        verdict,
    )
    return None, mark


def _rows(path: Path, parsed: Parsed) -> Iterator[tuple[str, Row]]:
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path, parsed)
        return
    text = read_text(path)
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = next(reader, [])
        roles = _roles(path, names, parsed)
        for cells in reader:
            where = f"row {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                parsed.faults.append(
                    Fault(where, "bad-row", f"has {len(cells)} cells, the header {len(names)}", "quote texts")
                )
                continue
            yield where, {role: said(cells[at].strip()) for role, at in roles.items() if at < len(cells)}
    except csv.Error as error:
        raise UsageError(f"{path}: row {reader.line_num} cannot be read ({error}); save it as CSV") from None


def _parquet_rows(path: Path, parsed: Parsed) -> Iterator[tuple[str, Row]]:
    import polars

    try:
        frame = polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    roles = _roles(path, frame.columns, parsed)
    for number, cells in enumerate(frame.iter_rows(), 1):
        yield (
            f"row {number}",
            {role: "" if cells[at] is None else str(cells[at]).strip() for role, at in roles.items()},
        )


def _roles(path: Path, names: list[str], parsed: Parsed) -> dict[str, int]:
    roles: dict[str, int] = {}
    for at, name in enumerate(names):
        role = role_of(name)
        if role is None or role in roles:
            if name.strip():
                parsed.faults.append(
                    Fault("header", "unread-column", f"column {name!r} is not read", "rename it", kept=True)
                )
        else:
            roles[role] = at
    if "label" not in roles:
        shown = ", ".join(names)[:80]
        raise UsageError(f"{path}: header {shown!r} names no label; name columns video,start_s,end_s,label")
    return roles
