"""From a training checkpoint to the file that is shipped."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from phar.openmmlab import loading
from phar.schema import ModelError, OutputError

#: Key of the labels in an exported file's metadata.
LABELS = "labels"


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a training folder holds a checkpoint."""
    return bool(_whole(folder.glob("iter_*.pth")))


def latest_checkpoint(folder: Path) -> Path:
    """Return the latest checkpoint of a training folder. Raises ModelError where there is none."""
    found = _whole(folder.glob("iter_*.pth"))
    if not found:
        raise ModelError(f"{folder} holds no checkpoint yet; train first, or wait for the first one")
    return found[-1]


def best_checkpoint(folder: Path) -> Path:
    """Return the checkpoint of a training folder that validated best, the latest one where none did.

    Raises ModelError where there is none.
    """
    best = _whole(folder.glob("best_*.pth"))
    return best[-1] if best else latest_checkpoint(folder)


def _whole(paths: Iterable[Path]) -> list[Path]:
    """Checkpoints in the order of their iterations, without those that were being written at a kill."""

    def iteration(path: Path) -> int:
        number = path.stem.rpartition("_")[2]
        return int(number) if number.isdecimal() else -1

    # A checkpoint is an archive whose directory stands at its end.
    return sorted((path for path in paths if zipfile.is_zipfile(path)), key=iteration)


def export_weights(checkpoint: str | Path, out: str | Path, metadata: Mapping[str, Any]) -> int:
    """Write the averaged weights of a training checkpoint as safetensors in half precision.

    Loading such a file into a net converts back to float32. `checkpoint` may be a training folder: its
    best checkpoint is taken. `metadata` is plain; under `LABELS` it lists what the net tells apart. Gives
    the size in bytes. Raises ModelError, OutputError.
    """
    source, target = Path(checkpoint), Path(out)
    if source.is_dir():
        source = best_checkpoint(source)
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
