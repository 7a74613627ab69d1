"""Where configs, label files and checkpoints are: in the checkout, or inside an installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _resources() -> Path:
    checkout = _PACKAGE.parent.parent
    if (checkout / "setup.py").is_file() and (checkout / "configs").is_dir():
        return checkout
    return _PACKAGE / "_resources"


#: The folder that holds configs/, annotations/ and checkpoints/.
RESOURCES = _resources()
