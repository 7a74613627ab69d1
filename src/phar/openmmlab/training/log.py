"""The log of a training folder: a row every few iterations, and one for each validation."""

from __future__ import annotations

import csv
from pathlib import Path

#: Its name.
LOG = "log.csv"
#: Columns that every training has; those of its validation follow.
COLUMNS = ("iteration", "loss", "train_top1", "grad_norm", "lr", "seconds_per_iteration")


def read_log(folder: Path) -> list[dict[str, float]]:
    """Return the rows of a folder's log, without the cells that are empty; none where there is no log."""
    path = folder / LOG
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(stream)]
