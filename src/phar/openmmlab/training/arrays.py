"""What costs more to make than a step of training: made once, row by row, and then read from the disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows between two notes of how far the making has come.
_NOTE_EVERY = 50

Row = Mapping[str, NDArray[Any]]
"""A value for each array, by its name; every row has the same shapes and types."""


def fill(folder: Path, identity: Mapping[str, Any], size: int, rows: Callable[[int], Iterable[Row]]) -> None:
    """Write arrays of `size` rows to `folder`, one file for each name.

    identity: what decides the rows, of JSON values. Rows of the same identity that lie there already are
    kept, so a filling that was stopped goes on. rows: gives those from a number on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identity = {**identity, "size": size}
    note, done = folder / "done.json", 0
    state = json.loads(note.read_text()) if note.is_file() else {}
    if {key: state.get(key) for key in identity} == identity:
        done = state["done"]
    else:
        # It would speak of rows that are about to be written over.
        note.unlink(missing_ok=True)
    mode = "r+" if done else "w+"
    files: dict[str, Any] = {}
    for index, row in enumerate(rows(done), start=done):
        if not files:
            for name, value in row.items():
                path, shape = folder / f"{name}.npy", (size, *value.shape)
                files[name] = np.lib.format.open_memmap(path, mode, value.dtype, shape)
        for name, value in row.items():
            files[name][index] = value
        if (index + 1) % _NOTE_EVERY == 0 or index + 1 == size:
            for file in files.values():
                file.flush()
            note.write_text(json.dumps({**identity, "done": index + 1}))


class Arrays:
    """What `fill` wrote to a folder, by name; a copy, also in another process, reads the same files."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._folder = folder
        self._names = names
        self._files = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._files[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return Arrays, (self._folder, *self._names)
