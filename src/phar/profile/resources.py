"""Where configs, label files and checkpoints are: in the checkout, or inside an installed package.

Downloaded checkpoints lie in a folder of their own, see `checkpoints_folder`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent.parent


def _resources() -> Path:
    checkout = _PACKAGE.parent.parent
    if (checkout / "setup.py").is_file() and (checkout / "configs").is_dir():
        return checkout
    return _PACKAGE / "_resources"


#: The folder that holds configs/, annotations/ and checkpoints/.
RESOURCES = _resources()

_CHECKPOINTS = "checkpoints"


def checkpoints_folder() -> Path:
    """Return the folder that downloaded checkpoints go to and are looked up in; it may not exist yet.

    `PHAR_CHECKPOINTS` if it is set, else `checkpoints/` of the checkout, else the user's data folder.
    """
    named = os.environ.get("PHAR_CHECKPOINTS")
    if named:
        return Path(named).expanduser().absolute()
    if RESOURCES.is_relative_to(_PACKAGE):
        # A package may lie where the user cannot write, and is replaced by the next version.
        return Path(platformdirs.user_data_dir("phar")) / _CHECKPOINTS
    return RESOURCES / _CHECKPOINTS


def metafile() -> Path:
    """Return the list of known checkpoints: addresses, hashes, licences, what they are worth."""
    return RESOURCES / _CHECKPOINTS / "metafile.yml"


def find_checkpoint(below: str) -> Path:
    """Return where `below`, a path below a checkpoints folder, is, or where a download puts it."""
    candidates = (checkpoints_folder() / below, RESOURCES / _CHECKPOINTS / below)
    return next((path for path in candidates if path.exists()), candidates[0])


def below_checkpoints(path: Path) -> str | None:
    """Return the part of a path below the checkpoints folder it lies in, with forward slashes."""
    for folder in (checkpoints_folder(), RESOURCES / _CHECKPOINTS):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return None


def resolve(text: str, bases: Sequence[Path]) -> Path:
    """Return the file that a profile names: the first that exists, else where it belongs.

    Looked up below each of `bases`; `checkpoints/...` also, before the last of them, among the downloads.
    """
    path = Path(text).expanduser()
    if path.is_absolute():
        return path
    candidates = [base / path for base in bases]
    if path.parts[:1] == (_CHECKPOINTS,):
        candidates[-1] = find_checkpoint(str(path.relative_to(_CHECKPOINTS)))
    return next((candidate for candidate in candidates if candidate.exists()), candidates[-1])
