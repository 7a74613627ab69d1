"""A table of segments for spreadsheets and scripts.

Trap: spreadsheets run a cell that starts with =, +, - or @ as a formula. Such a text gets an apostrophe
before it.

Source: RFC 4180, https://www.rfc-editor.org/rfc/rfc4180; OWASP, CSV Injection,
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
from pathlib import Path

from phar.export.target import CSV_MARK, replacing
from phar.export.ticks import in_milliseconds
from phar.export.wording import path_text
from phar.schema import Report

#: The last column is also how phar knows the file again.
COLUMNS = ("video", "label", "start_s", "end_s", "seconds", "score", CSV_MARK)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(report: Report, path: Path) -> None:
    """Write a header and a row per segment, times to the millisecond, replacing `path` in one step."""
    video = inert(path_text(report.video.path))
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="") as stream,
    ):
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for span in in_milliseconds(report.timestamps):
            times = (span.start, span.end, span.end - span.start)
            table.writerow(
                (
                    video,
                    inert(span.label),
                    *(f"{time / 1000:.3f}" for time in times),
                    f"{span.score:.6f}",
                    report.phar_version,
                )
            )


def inert(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; `said` gives the text back."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def said(cell: str) -> str:
    """Return the text of which `inert` made a cell."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
