"""Weights to start a training from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phar.openmmlab import loading, stem
from phar.openmmlab.training.export import latest_checkpoint
from phar.schema import ModelError


def start_from(model: Any, source: str | Path) -> None:
    """Load what fits of a checkpoint, or of a training folder's latest one.

    Where the net has a convolutional stem and the checkpoint's has not, its backbone becomes the stem.
    Raises ModelError where nothing fits.
    """
    path = Path(source)
    if path.is_dir():
        path = latest_checkpoint(path)
    state = loading.load_checkpoint(path)["state_dict"]
    wanted = model.state_dict()
    if any(key.startswith(stem.PREFIX) for key in wanted.keys() - state.keys()):
        state |= {
            stem.PREFIX + key.removeprefix("backbone."): value
            for key, value in state.items()
            if key.startswith("backbone.")
        }
    fitting = {k: v for k, v in state.items() if k in wanted and wanted[k].shape == v.shape}
    if not fitting:
        raise ModelError(f"checkpoint {path} shares no weights with the config's net; name another")
    model.load_state_dict(fitting, strict=False)
