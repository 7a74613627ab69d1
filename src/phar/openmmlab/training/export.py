"""From a training checkpoint to the file that is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from phar.openmmlab import loading
from phar.openmmlab.training.joints import PREFIX
from phar.schema import ModelError, OutputError


def export_weights(checkpoint: str | Path, out: str | Path, metadata: Mapping[str, str]) -> int:
    """Write the averaged weights of a training checkpoint as safetensors in half precision.

    Loading such a file into a net converts back to float32. `checkpoint` may be a training folder: its
    latest checkpoint is taken. Gives the size in bytes. Raises ModelError, OutputError.
    """
    source, target = Path(checkpoint), Path(out)
    if source.is_dir():
        latest = source / "last_checkpoint"
        if not latest.is_file():
            raise ModelError(f"{source} holds no checkpoint yet; train first, or wait for the first one")
        source = source / Path(latest.read_text().strip()).name
    state = loading.load_checkpoint(source)["state_dict"]
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in state.items()
        if not name.startswith((PREFIX, "data_preprocessor."))
    }
    if not all(bool(torch.isfinite(tensor).all()) for tensor in halves.values()):
        raise ModelError(f"checkpoint {source} holds weights beyond half precision; train it again")
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file(halves, partial, metadata=dict(metadata))
        partial.replace(target)
    except OSError as error:
        raise OutputError(f"weights cannot be written to {target}: {error}") from error
    return target.stat().st_size
