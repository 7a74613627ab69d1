"""The entry of a stream of kind onnx: an outside net that becomes one more stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phar.profile.labels import labels_of
from phar.profile.resources import resolve
from phar.profile.spec import ModelSpec, OnnxSpec, StreamSpec
from phar.schema import ProfileError


def onnx_stream(
    name: str, entry: Mapping[str, Any], sampling: str, bases: Sequence[Path], where: str
) -> StreamSpec:
    """Read one stream's entry, whose shape has been checked. Raises ProfileError."""
    spec = _spec(entry, bases, where)
    file = resolve(entry["model"], bases)
    return StreamSpec(
        name=name,
        kind=entry["kind"],
        model=ModelSpec(file, file, entry.get("sha256")),
        labels=tuple(dict.fromkeys(spec.label_map.values())),
        weight=float(entry["weight"]),
        sampling=entry.get("sampling", sampling),
        **deciding(entry),
        rgb_topk=entry.get("gate", {}).get("rgb_topk"),
        onnx=spec,
    )


def deciding(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return how any stream's entry says that its scores take part in the fusion, beside its weight."""
    return {
        "temperature": float(entry.get("temperature", 1.0)),
        "label_weights": {label: float(value) for label, value in entry.get("label_weights", {}).items()},
        "bias": {label: float(value) for label, value in entry.get("bias", {}).items()},
    }


def _spec(entry: Mapping[str, Any], bases: Sequence[Path], where: str) -> OnnxSpec:
    outputs = labels_of(entry["labels"], bases, f"{where}.labels", foreign=True)
    label_map = entry.get("label_map")
    if label_map is None:
        label_map = {label: label for label in outputs}
    for label in label_map:
        if label not in outputs:
            raise ProfileError(
                f"{where}.label_map names {label!r}, which is none of the net's labels; correct it"
            )
    given, said = entry["input"], entry["output"]
    _check_input(given, f"{where}.input")
    if said.get("applied") and said.get("average") == "score":
        raise ProfileError(
            f"{where}.output: scores before the activation cannot be averaged, since the net has applied it;"
            " use average: prob"
        )
    fields: dict[str, Any] = {
        **{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()},
        **{"output" if key == "name" else key: value for key, value in said.items()},
    }
    return OnnxSpec(outputs=outputs, label_map=dict(label_map), **fields)


def _check_input(entry: Mapping[str, Any], where: str) -> None:
    layout = entry["layout"]
    if len(set(layout)) < len(layout) or not {"C", "H", "W"} <= set(layout):
        raise ProfileError(
            f"{where}.layout: {layout!r} does not name each axis once; use e.g. NCHW for pictures,"
            " NTCHW or NCTHW for clips"
        )
    if "T" not in layout and ("interval" in entry or "clips" in entry):
        raise ProfileError(f"{where}: interval and clips fit layouts with an axis T only; remove them")
    if "clips" in entry and "interval" not in entry:
        raise ProfileError(f"{where}: clips needs interval, the distance of a clip's frames; add it")
    if 0 in entry.get("std", ()):
        raise ProfileError(f"{where}.std: 0 divides nothing; correct it")
