"""Whether checkpoints are here and are what they should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phar.models.catalogue import Wanted
from phar.profile import sha256_of

#: What can be said of a checkpoint. `unknown`: it is here, and nobody says which hash it should have.
STATES = ("ok", "unknown", "missing", "wrong hash")


@dataclass(frozen=True)
class Verified:
    """What was found of one checkpoint."""

    name: str
    path: Path
    state: str
    """One of `STATES`."""
    expected: str | None
    """The hash it should have, or its first digits."""
    sha256: str | None
    """The hash it has; None: it is missing."""


def verify(item: Wanted) -> Verified:
    """Hold one checkpoint against its hash; reads the whole file."""
    if not item.path.is_file():
        return Verified(item.name, item.path, "missing", item.sha256, None)
    found = sha256_of(item.path)
    if item.sha256 is None:
        return Verified(item.name, item.path, "unknown", None, found)
    state = "ok" if found.startswith(item.sha256) else "wrong hash"
    return Verified(item.name, item.path, state, item.sha256, found)
