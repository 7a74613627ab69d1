"""Writes a net in a form that other programs run: OpenVINO's, or ONNX where the package onnx is installed."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from phar.openmmlab.backends import NetSource, OpenVinoNet, openvino_core
from phar.openmmlab.bare import BareNet, bare_net
from phar.openmmlab.detector import TWO_STAGES, stages_of
from phar.schema import ModelError, OutputError

#: What a file is written for, by its ending.
FORMS: Mapping[str, str] = {".xml": "OpenVINO", ".onnx": "ONNX"}


@dataclass(frozen=True)
class Exported:
    """A net as it was written."""

    files: tuple[Path, ...]
    input_shape: tuple[int, ...]
    """What the net takes; the first number is 0 where it may be any."""
    input_dtype: str


def export_net(
    config: str | Path, checkpoint: str | Path | None, out: Path, num_classes: int | None = None
) -> Exported:
    """Write the net of a config to `out`: `.xml` (with a `.bin` beside it) or `.onnx`.

    The net alone: what its config does before (decoding, resizing, cropping) and after (averaging, boxes) is
    not in it. It has been read back and held against torch. Files appear whole or not at all.

    Raises:
        ModelError: the net cannot be converted, or `.onnx` is asked for and onnx is not installed.
        OutputError: it cannot be written.
    """
    if out.suffix not in FORMS:
        raise ModelError(f"{out} ends in neither {' nor '.join(FORMS)}; name the file so")
    if out.suffix == ".onnx" and importlib.util.find_spec("onnx") is None:
        raise ModelError(
            f"{out}: torch writes ONNX with the package onnx; `pip install onnx`, or name an .xml"
        )
    net = bare_net(config, checkpoint, num_classes)
    if net.kind == "detector" and stages_of(net.model) == TWO_STAGES:
        raise ModelError(f"config {config} is a two-stage detector, which is no single net; export another")
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            partial = Path(folder) / out.name
            try:
                any_batch = _WRITE[out.suffix](net, partial)
            except (OSError, ModelError):
                raise
            except Exception as error:
                reason = " ".join(str(error).split())[:300]
                raise ModelError(
                    f"config {config} cannot be converted for {FORMS[out.suffix]}: {reason}"
                ) from error
            # The .xml comes last: it is what a reader opens.
            names = sorted((path.name for path in Path(folder).iterdir()), key=lambda name: name == out.name)
            for name in names:
                (Path(folder) / name).replace(out.parent / name)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}; choose another place"
        ) from error
    shape = (0 if any_batch else 1, *net.example.shape[1:])
    return Exported(tuple(out.parent / name for name in reversed(names)), shape, str(net.example.dtype))


def _write_openvino(net: BareNet, path: Path) -> bool:
    import openvino

    model, _, any_batch = OpenVinoNet(NetSource.of(net.module), fall_back=False).converted(net.example)
    openvino.save_model(model, path, compress_to_fp16=False)
    return any_batch


def _write_onnx(net: BareNet, path: Path) -> bool:
    example = torch.from_numpy(net.example[:1])
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        # The newer exporter needs one more package and gives no more here.
        torch.onnx.export(net.module, (example,), path, input_names=["input"], dynamo=False, opset_version=17)
    compiled: Any = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    OpenVinoNet(NetSource.of(net.module), fall_back=False).check(compiled, net.example[:1])
    return False


_WRITE = {".xml": _write_openvino, ".onnx": _write_onnx}
