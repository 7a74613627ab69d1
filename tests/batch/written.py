"""What a batch leaves behind, in a form in which two batches can be compared."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

#: Columns that tell the time.
TIMING = ("created", "timing", "total_s")


def outputs(out: Path) -> dict[str, Any]:
    """Every file of a batch by its path, and every row of its catalogue, without what tells the time."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        if path.suffix == ".json":
            lines = path.read_text().splitlines()
            kept = [line for line in lines if not line.startswith((' "created"', ' "timing"'))]
            assert len(lines) - len(kept) in (0, 2)
            found[str(path.relative_to(out))] = kept
        elif path.is_file() and not path.name.startswith("catalogue.sqlite"):
            pytest.fail(f"{path} was left behind")
    database = sqlite3.connect(out / "catalogue.sqlite")
    database.row_factory = sqlite3.Row
    for table in ("video", "tag", "span", "vector", "label"):
        rows = [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
        found[table] = [{key: row[key] for key in row if key not in TIMING} for row in rows]
    database.close()
    return found
