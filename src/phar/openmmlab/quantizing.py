"""Nets in 8-bit whole numbers: faster on processors without bf16, and a little less exact.

Weights and activations are quantized after training by NNCF, with ranges taken from what the nets are asked
while `listening`. Source: Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, 2018; for transformers SmoothQuant, Xiao et al., 2023, as NNCF does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab import backends
from phar.schema import ModelError

#: Operations by which a transformer is known.
_ATTENTION = frozenset({"Softmax", "ScaledDotProductAttention"})

Heard = Mapping[backends.OpenVinoNet, Mapping[tuple[Any, ...], list[NDArray[Any]]]]


@contextmanager
def listening() -> Iterator[Heard]:
    """Collect what every OpenVINO net is asked inside the block: per net and shape of input, (...) each."""
    backends.heard = {}
    try:
        yield backends.heard
    finally:
        backends.heard = None


def quantize(
    net: backends.OpenVinoNet, shape: tuple[Any, ...], inputs: Sequence[NDArray[Any]]
) -> tuple[int, float]:
    """Write the int8 copy of a net for inputs of one shape.

    shape: the sides and the dtype's name, as `listening` gives them. inputs: what ranges are taken from.
    Returns how many inputs were used and the largest difference of outputs on some of them, relative to the
    largest output.
    Raises ModelError where NNCF is not installed or the net has not been converted.
    """
    try:
        import nncf
    except ImportError as error:
        raise ModelError("quantizing needs NNCF; install it with `pip install nncf==3.4.0`") from error
    *sides, dtype = shape
    paths = {a: net.path_of(sides, dtype, any_batch=a, int8=False) for a in (True, False)}
    any_batch = next((a for a, path in paths.items() if path.is_file()), None)
    if any_batch is None:
        raise ModelError(f"the net is not converted for inputs of {sides}; run it with --backend openvino")
    core = backends.openvino_core()
    model = core.read_model(paths[any_batch])
    rows = [row[None] for row in inputs]
    transformer = any(op.get_type_name() in _ATTENTION for op in model.get_ops())
    quantized = nncf.quantize(
        model,
        nncf.Dataset(rows),
        subset_size=len(rows),
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
    )
    difference = _difference(core, core.read_model(paths[any_batch]), quantized, rows[:4])
    backends.save(quantized, net.path_of(sides, dtype, any_batch=any_batch, int8=True))
    return len(rows), difference


def _difference(core: Any, exact: Any, quantized: Any, rows: Sequence[NDArray[Any]]) -> float:
    options = backends.openvino_options()
    nets = [core.compile_model(model, "CPU", options) for model in (exact, quantized)]
    worst = 0.0
    for row in rows:
        wanted, got = (list(net(row).values()) for net in nets)
        for one, other in zip(wanted, got, strict=True):
            worst = max(worst, float(np.abs(one - other).max() / max(float(np.abs(one).max()), 1e-9)))
    return worst
