"""Weights to start a training from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from phar.openmmlab import loading, stem
from phar.openmmlab.training.export import LABELS, best_checkpoint
from phar.schema import ModelError

#: What the names of the weights that give a score for each label begin with.
_HEADS = ("cls_head.", "bbox_head.")


def start_from(
    model: Any, source: str | Path, labels: Sequence[str] = (), known: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Load what fits of a checkpoint, or of a training folder's best one.

    Where the net has a convolutional stem and the checkpoint's has not, its backbone becomes the stem. With
    `labels` given, those of the net, the rows of the head are taken over by label; `known` are the
    checkpoint's own labels, None for those it states itself. Gives the labels whose rows were taken over.
    Raises ModelError where nothing fits, or where the checkpoint's labels are not known but needed.
    """
    path = Path(source)
    if path.is_dir():
        known = known or _labels_of_folder(path)
        path = best_checkpoint(path)
    content = loading.load_checkpoint(path)
    state = content["state_dict"]
    wanted = model.state_dict()
    if any(key.startswith(stem.PREFIX) for key in wanted.keys() - state.keys()):
        state |= {
            stem.PREFIX + key.removeprefix("backbone."): value
            for key, value in state.items()
            if key.startswith("backbone.")
        }
    taken: tuple[str, ...] = ()
    if labels:
        known = known or _labels_of_metadata(content["meta"])
        taken = _take_rows(path, state, wanted, labels, known)
    fitting = {k: v for k, v in state.items() if k in wanted and wanted[k].shape == v.shape}
    if not fitting:
        raise ModelError(f"checkpoint {path} shares no weights with the config's net; name another")
    model.load_state_dict(fitting, strict=False)
    return taken


def _take_rows(
    path: Path,
    state: dict[str, Tensor],
    wanted: Mapping[str, Tensor],
    labels: Sequence[str],
    known: Sequence[str] | None,
) -> tuple[str, ...]:
    """Put the rows of the checkpoint's head in the order of the net's; new labels keep the net's own."""
    rows = [key for key in _head_rows(state, wanted) if len(wanted[key]) == len(labels)]
    if not rows:
        return ()
    if known is None and ".rtm_cls." in rows[0]:
        # Of COCO's classes, and of those of a detector of one class, person is the first.
        known = ("person", *[""] * (len(state[rows[0]]) - 1))
    if known is None:
        raise ModelError(
            f"checkpoint {path} does not say which labels it knows; name its label file by --from-labels"
        )
    if any(len(state[key]) != len(known) for key in rows):
        raise ModelError(
            f"checkpoint {path} knows {len(state[rows[0]])} labels, {len(known)} are named; give the label"
            " file it was trained with"
        )
    number = {label: position for position, label in enumerate(known)}
    shared = [(here, number[label]) for here, label in enumerate(labels) if label in number]
    for key in rows:
        merged = wanted[key].clone()
        for here, there in shared:
            merged[here] = state[key][there].to(merged.dtype)
        state[key] = merged
    return tuple(labels[here] for here, _ in shared)


def _head_rows(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """Weights and biases of the last layer: those of a head that may differ in the number of rows alone."""
    heads = [
        key
        for key in wanted
        if key.startswith(_HEADS) and key in state and state[key].shape[1:] == wanted[key].shape[1:]
    ]
    last = [key for key in heads if key.rpartition(".")[0].rpartition(".")[2] in ("fc", "fc_cls")]
    scores = [key for key in heads if ".rtm_cls." in key]
    return last or scores


def _labels_of_metadata(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The labels that an exported checkpoint states."""
    try:
        found = json.loads(meta.get("phar", "{}")).get(LABELS)
    except (TypeError, ValueError, AttributeError):
        return None
    return tuple(map(str, found)) if isinstance(found, list) else None


def _labels_of_folder(folder: Path) -> tuple[str, ...] | None:
    path = folder / "labels.txt"
    if not path.is_file():
        return None
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
