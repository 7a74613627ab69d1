"""One ONNX net, read and run by OpenVINO on the CPU; the file is data, nothing in it is executed as code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from phar.openmmlab.backends import openvino_core, openvino_options, openvino_precision
from phar.profile import OnnxSpec
from phar.schema import FloatArray, ModelError

#: Input values per call, about: bounds memory whatever the net.
_BATCH_VALUES = 2**24

#: Kinds of numbers that an input may take.
_FLOATS = ("float16", "float32", "float64")

#: Begins the entry that names another file for a tensor's values. Source: onnx.proto, StringStringEntryProto.
_BESIDE = b"\x0a\x08location\x12"


class OnnxNet:
    """A function of views: (V, ...) as the layout says -> (V, C) numbers as the net gives them."""

    def __init__(self, path: Path, spec: OnnxSpec, precision: str | None = None) -> None:
        """Read the file and check that input and output are as the profile says.

        precision: f32 or bf16 computes in it; None in the faster one on this CPU.
        Raises ModelError.
        """
        self._path = path
        self._spec = spec
        model = _read(path)
        if len(model.inputs) != 1:
            raise ModelError(
                f"{path} has {len(model.inputs)} inputs ({_listed(model.inputs)}); a net of one is needed"
            )
        self._output = self._find_output(model)
        shape, self._batch = self._shape(model.inputs[0])
        self._dtype = self._number(model.inputs[0])
        self.precision = precision or openvino_precision()
        """Of the arithmetic: f32 or bf16."""
        try:
            model.reshape(shape)
            self._net = openvino_core().compile_model(model, "CPU", openvino_options(self.precision))
            probe = np.zeros((self._batch or 1, *shape[1:]), self._dtype)
            given = self._net(probe)[self._output].shape
        except Exception as error:
            raise ModelError(f"{path} cannot be run by OpenVINO: {_line(error)}") from error
        if given[:1] != (len(probe),) or int(np.prod(given[1:])) != len(spec.outputs):
            raise ModelError(
                f"{path} gives {_shown(given[1:])} scores a view, but {len(spec.outputs)} labels are named;"
                " name the labels it was trained with"
            )

    def __call__(self, views: FloatArray) -> FloatArray:
        """Run (V, ...) views; V may be any number."""
        size = self._batch or max(1, _BATCH_VALUES // max(1, views[0].size))
        found = []
        for start in range(0, len(views), size):
            part = views[start : start + size].astype(self._dtype)
            count = len(part)
            if self._batch is not None and count < self._batch:
                part = np.concatenate([part, np.repeat(part[-1:], self._batch - count, axis=0)])
            scores = self._net(part)[self._output][:count]
            found.append(np.array(scores, np.float32).reshape(count, -1))
        return np.concatenate(found)

    def _find_output(self, model: Any) -> int:
        """Return the position of the output to read."""
        wanted = self._spec.output
        if wanted is None and len(model.outputs) == 1:
            return 0
        for i, output in enumerate(model.outputs):
            if wanted in output.get_names():
                return i
        asked = "name one in the profile's output" if wanted is None else f"{wanted!r} is none of them"
        raise ModelError(f"{self._path} has {len(model.outputs)} outputs ({_listed(model.outputs)}); {asked}")

    def _shape(self, port: Any) -> tuple[list[int], int | None]:
        """Return the shape to run with, and its number of views where the file fixes it."""
        spec = self._spec
        sizes = {"C": 3, "W": spec.size_px[0], "H": spec.size_px[1], "T": spec.frames, "S": 1}
        wanted = [-1, *(sizes[axis] for axis in spec.layout[1:])]
        dimensions = list(port.get_partial_shape()) if port.get_partial_shape().rank.is_static else []
        fixed = [dimension.get_length() if dimension.is_static else -1 for dimension in dimensions]
        fits = len(fixed) == len(wanted) and all(
            -1 in pair or pair[0] == pair[1] for pair in zip(fixed, wanted, strict=True)
        )
        if dimensions and not fits:
            raise ModelError(
                f"{self._path} takes {_shown(fixed)}, but the profile's input is {spec.layout} of"
                f" {_shown(wanted)}; correct layout, frames or size_px"
            )
        batch = fixed[0] if fixed and fixed[0] > 0 else None
        return [batch or -1, *wanted[1:]], batch

    def _number(self, port: Any) -> np.dtype[Any]:
        """Return the kind of numbers the input takes."""
        kind: np.dtype[Any] = np.dtype(port.get_element_type().to_dtype())
        plain = self._spec.mean == (0, 0, 0) and self._spec.std == (1, 1, 1)
        if kind.name not in _FLOATS and not (kind.name == "uint8" and plain):
            hint = "leave mean and std out" if kind.name == "uint8" else "a net of float32 or uint8 is needed"
            raise ModelError(f"{self._path} takes {kind.name} values; {hint}")
        return kind


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"{path} is not there; check the path")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its rights") from None
    # One hash is to speak for all of the net.
    if _BESIDE in content:
        raise ModelError(f"{path} keeps weights in a file beside it; save it as one whole .onnx file")
    try:
        return openvino_core().read_model(content, b"")
    except Exception as error:
        raise ModelError(
            f"{path} is no ONNX net that OpenVINO can read ({_line(error)}); export it anew"
        ) from error


def _listed(ports: Any) -> str:
    return ", ".join(min(port.get_names(), default="?") for port in ports)


def _shown(sizes: Any) -> str:
    return "x".join("n" if size == -1 else str(size) for size in sizes) or "one number"


def _line(error: Exception) -> str:
    """The line of an error of OpenVINO's that says what is wrong; others name its source files and manual."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "To facilitate"))]
    return telling[-1].split(". ")[0].rstrip(".")[:200] if telling else type(error).__name__
