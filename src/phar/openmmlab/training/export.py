"""From a training checkpoint to the file that is shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from phar.openmmlab import loading
from phar.schema import ModelError, OutputError


def latest_checkpoint(folder: Path) -> Path:
    """Return the latest checkpoint of a training folder. Raises ModelError where there is none."""
    latest = folder / "last_checkpoint"
    if not latest.is_file():
        raise ModelError(f"{folder} holds no checkpoint yet; train first, or wait for the first one")
    return folder / Path(latest.read_text().strip()).name


def export_weights(checkpoint: str | Path, out: str | Path, metadata: Mapping[str, str]) -> int:
    """Write the averaged weights of a training checkpoint as safetensors in half precision.

    Loading such a file into a net converts back to float32. `checkpoint` may be a training folder: its
    latest checkpoint is taken. Gives the size in bytes. Raises ModelError, OutputError.
    """
    source, target = Path(checkpoint), Path(out)
    if source.is_dir():
        source = latest_checkpoint(source)
    state = loading.load_checkpoint(source)["state_dict"]
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in state.items()
        if not name.startswith("data_preprocessor.")
    }
    if not all(bool(torch.isfinite(tensor).all()) for tensor in halves.values()):
        raise ModelError(f"checkpoint {source} holds weights beyond half precision; train it again")
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # One entry only: several would be written in an order that changes from run to run.
        save_file(halves, partial, metadata={"phar": json.dumps(dict(metadata), sort_keys=True)})
        partial.chmod(0o644)
        partial.replace(target)
    except OSError as error:
        raise OutputError(f"weights cannot be written to {target}: {error}") from error
    return target.stat().st_size
