"""In which arithmetic a net is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from phar.openmmlab.backends import openvino_precision
from phar.schema import ModelError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def pick_precision(asked: str) -> str:
    """Return fp32, bf16 or fp16.

    `auto`: bf16 on a GPU that has it or a CPU that is faster in it, fp16 on other GPUs, fp32 on other CPUs.
    Raises ModelError where the asked one cannot be had.
    """
    gpu = torch.cuda.is_available()
    if asked == "auto":
        if gpu:
            return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        return "bf16" if openvino_precision() == "bf16" else "fp32"
    if asked not in PRECISIONS:
        raise ModelError(f"precision {asked!r} is not one of {', '.join(PRECISIONS)}")
    if asked == "fp16" and not gpu:
        raise ModelError("precision fp16 needs a GPU; use bf16, or fp32")
    return asked


def optim_wrapper(precision: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of an MMEngine optimizer wrapper; `settings` are those of a plain one."""
    if precision == "fp16":
        # Losses are scaled so that small gradients stay above half precision's least number.
        return {"type": "AmpOptimWrapper", "dtype": "float16", **settings}
    if precision == "bf16":
        _register()
        return {"type": "Bfloat16OptimWrapper", **settings}
    return {"type": "OptimWrapper", **settings}


def widen_head(model: Any) -> None:
    """Let the head of a recognizer or pose net give float32, for bf16: losses use NumPy, which has none."""
    head = getattr(model, "cls_head", None) or getattr(model, "head", None)
    if head is None:
        return
    kind = type(head)

    class Widened(kind):  # type: ignore[misc, valid-type]
        def forward(self, *inputs: Any, **settings: Any) -> Any:
            found = super().forward(*inputs, **settings)
            return found.float() if isinstance(found, torch.Tensor) else tuple(each.float() for each in found)

    # The class, not the function: a copy of the net must not call this one's head.
    head.__class__ = Widened


def _register() -> None:
    from mmengine.optim import OptimWrapper
    from mmengine.registry import OPTIM_WRAPPERS

    if "Bfloat16OptimWrapper" in OPTIM_WRAPPERS.module_dict:
        return

    class Bfloat16OptimWrapper(OptimWrapper):
        """bfloat16 where autocast allows it, on CPUs too; its range is float32's, so nothing is scaled."""

        @contextmanager
        def optim_context(self, model: Any) -> Iterator[None]:
            device = next(model.parameters()).device.type
            with super().optim_context(model), torch.autocast(device, torch.bfloat16):
                yield

    OPTIM_WRAPPERS.register_module(module=Bfloat16OptimWrapper)
