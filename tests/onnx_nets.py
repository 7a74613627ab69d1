"""ONNX files that are made on the spot, small enough to know their answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def weights_for(num_values: int, num_classes: int, seed: int = 0) -> np.ndarray:
    """The matrix of `save_linear`: (num_values, num_classes), scores of some units for pixels of 0 to 255."""
    random = np.random.default_rng(seed)
    return (random.normal(size=(num_values, num_classes)) / (40 * num_values**0.5)).astype(np.float32)


def save_linear(
    path: Path,
    shape: Sequence[int | str],
    num_classes: int,
    *,
    activation: str | None = None,
    weights: np.ndarray | None = None,
    dtype: int = TensorProto.FLOAT,
    extra_output: bool = False,
    extra_input: bool = False,
    beside: bool = False,
) -> Path:
    """Write a net that flattens each view of `shape` (N first) and multiplies it by `weights_for`.

    activation: Softmax or Sigmoid at its end. beside: keep the weights in a file of their own.
    """
    num_values = int(np.prod([size for size in shape[1:] if isinstance(size, int)]))
    matrix = weights_for(num_values, num_classes) if weights is None else weights
    nodes = [
        helper.make_node("Cast", ["input"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["values"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["scores" if activation else "output"]),
    ]
    if extra_input:
        nodes.insert(1, helper.make_node("Add", ["values", "more"], ["sum"]))
        nodes[2] = helper.make_node("Flatten", ["sum"], ["flat"], axis=1)
    if activation:
        nodes.append(helper.make_node(activation, ["scores"], ["output"]))
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [shape[0], num_classes])]
    if extra_output:
        nodes.append(helper.make_node("Neg", ["output"], ["other"]))
        outputs.insert(0, helper.make_tensor_value_info("other", TensorProto.FLOAT, [shape[0], num_classes]))
    inputs = [helper.make_tensor_value_info("input", dtype, list(shape))]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("more", dtype, list(shape)))
    graph = helper.make_graph(
        nodes, "linear", inputs, outputs, [numpy_helper.from_array(matrix, name="weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options: dict[str, Any] = {}
    if beside:
        options = {"save_as_external_data": True, "location": f"{path.name}.data", "size_threshold": 0}
    onnx.save(model, path, **options)
    return path
