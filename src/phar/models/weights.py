"""Other forms of a checkpoint: imported as safetensors, exported as a net that other programs run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.models.catalogue import Checkpoint
from phar.profile import RESOURCES, find_checkpoint, load_labels, sha256_of
from phar.schema import ModelError, OutputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from phar.openmmlab.complexity import Complexity
    from phar.openmmlab.exporting import Exported


@dataclass(frozen=True)
class Imported:
    """Weights as they were written."""

    path: Path
    num_tensors: int
    num_values: int
    size_bytes: int


def import_weights(source: Path, out: Path, config: Path | None = None) -> Imported:
    """Write the weights of any checkpoint as `.safetensors`, and nothing else of it.

    The source is read without running code in it. With `config` the net is built and must take every weight,
    none missing and none left over. An `out` that phar wrote is replaced, whole or not at all.

    Raises:
        UsageError: `out` has another ending, is the source, or was not written by phar.
        ModelError: the source is refused or does not fit the config.
        OutputError: it cannot be written.
    """
    check_weights_file(out, source)
    from phar.openmmlab import loading

    # Whatever form the source has, older releases' names of weights included, is this function's affair.
    state = loading.load_checkpoint(source)["state_dict"]
    if config is not None:
        from phar.openmmlab.bare import check_weights

        check_weights(config, source, state)
    facts = {
        "imported_from": source.name,
        "source_sha256": sha256_of(source),
        "config": None if config is None else config.name,
    }
    return save_weights(state, out, facts)


def export(checkpoint: Checkpoint, out: Path) -> Exported:
    """Write the net of a checkpoint as `.xml` (OpenVINO) or `.onnx`; nothing that exists is replaced.

    Raises UsageError, ModelError, OutputError.
    """
    from phar.openmmlab.exporting import FORMS, export_net

    if out.suffix not in FORMS:
        raise UsageError(f"{out} ends in neither {' nor '.join(FORMS)}; name the file so")
    for path in {out, out.with_suffix(".bin")} if out.suffix == ".xml" else {out}:
        if path.exists():
            raise UsageError(f"{path} exists; remove it or choose another name")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: the folder {out.parent} does not exist; create it first")
    path = find_checkpoint(checkpoint.below)
    if not path.is_file():
        raise ModelError(f"{checkpoint.name} is not here; `phar models pull {checkpoint.name}` fetches it")
    return export_net(_config(checkpoint), path, out, num_classes(checkpoint))


def measure(checkpoint: Checkpoint) -> Complexity:
    """Count a checkpoint's parameters and multiply-adds; the file need not be here. Raises ModelError."""
    from phar.openmmlab.complexity import complexity

    return complexity(_config(checkpoint), num_classes(checkpoint))


def seconds(checkpoint: Checkpoint) -> tuple[float, str]:
    """Measure how long one window, frame or person takes here: (seconds, backend).

    Weights are random where the file is not here: they change nothing about the time. Raises ModelError.
    """
    from phar.openmmlab import complexity

    path = find_checkpoint(checkpoint.below)
    return complexity.seconds(_config(checkpoint), path if path.is_file() else None, num_classes(checkpoint))


def num_classes(checkpoint: Checkpoint) -> int | None:
    """Return the length of a checkpoint's label file; None if it has none."""
    return None if checkpoint.labels is None else len(load_labels(RESOURCES / checkpoint.labels))


def _config(checkpoint: Checkpoint) -> Path:
    if checkpoint.config is None:
        raise ModelError(f"the metafile names no config for {checkpoint.name}; install phar anew")
    return RESOURCES / checkpoint.config


def check_weights_file(out: Path, source: Path | None = None) -> None:
    """Check, before any work, that weights can be written to `out` and may replace what is there.

    Raises UsageError, OutputError.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"{out} does not end in .safetensors; name it so")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: the folder {out.parent} does not exist; create it first")
    if not out.exists():
        return
    is_source = source is not None and source.exists() and out.samefile(source)
    if not out.is_file() or is_source:
        raise UsageError(f"{out} is the source, or no ordinary file; give the output another name")
    if not _is_own(out):
        raise UsageError(f"{out} exists and was not written by phar; move it away or choose another name")


def save_weights(state: Mapping[str, Tensor], out: Path, facts: Mapping[str, Any]) -> Imported:
    """Write tensors by name to `out`, whole or not at all, with `facts` about them. Raises OutputError."""
    from safetensors.torch import save_file

    # Tensors may share memory or be views, which the format does not know.
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    partial = out.with_name(f".{out.name}.part")
    try:
        save_file(plain, partial, metadata={"phar": json.dumps(facts, sort_keys=True)})
        partial.chmod(0o644)
        partial.replace(out)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}; choose another place"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return Imported(out, len(plain), sum(t.numel() for t in plain.values()), out.stat().st_size)


def _is_own(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return "phar" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False
