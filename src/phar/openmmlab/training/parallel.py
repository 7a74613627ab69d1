"""Training in several processes, as torchrun starts them; together they do what one does with the batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler

from phar.schema import ModelError


def num_processes() -> int:
    """How many processes torchrun has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_number() -> int:
    """This process among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def join(batch_size: int) -> dict[str, Any]:
    """Meet the other processes; gives what the Runner is told of them, nothing without torchrun.

    Raises ModelError where they cannot share the batch evenly: their mean would not be that of the batch.
    """
    count = num_processes()
    if count == 1:
        return {}
    if batch_size % count:
        raise ModelError(
            f"a batch of {batch_size} cannot be shared by {count} processes; change --batch-size"
        )
    gpu = torch.cuda.is_available()
    if not torch.distributed.is_initialized():
        # MMEngine would ask for a GPU.
        if gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        torch.distributed.init_process_group("nccl" if gpu else "gloo")
    if gpu:
        return {"launcher": "pytorch", "cfg": {"sync_bn": "torch"}}
    # DistributedDataParallel takes no list of devices for nets on the CPU.
    wrapper = {"type": "MMDistributedDataParallel", "device_ids": None, "broadcast_buffers": False}
    return {"launcher": "pytorch", "cfg": {"model_wrapper_cfg": wrapper}}


class InOrder(Sampler[int]):
    """This process's share of each whole batch of positions, from batch `start` on.

    Samples are drawn at random already.
    """

    def __init__(self, size: int, batch_size: int) -> None:
        self._batch_size = batch_size
        self._num_batches = size // batch_size
        self._share = batch_size // num_processes()
        self._first = process_number() * self._share
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        for batch in range(self.start, self._num_batches):
            first = batch * self._batch_size + self._first
            yield from range(first, first + self._share)

    def __len__(self) -> int:
        return (self._num_batches - self.start) * self._share


def share_statistics(model: nn.Module) -> nn.Module:
    """Let batch normalization on the CPU look at all processes' samples; torch does it on GPUs only."""
    for name, child in model.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm) and child.track_running_stats:
            shared = WholeBatchNorm(child)
            setattr(model, name, shared)
        else:
            share_statistics(child)
    return model


class WholeBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization whose statistics and gradients are those of all processes' samples together.

    Takes over the parameters and buffers of `norm`. Every process has as many values as the others.
    Source: Ioffe and Szegedy, Batch Normalization, 2015, algorithm 1.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine)
        self.training = norm.training
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Normalize (N, C, ...)."""
        if not self.training:
            return super().forward(input)
        from torch.distributed.nn.functional import all_reduce

        others = [dim for dim in range(input.dim()) if dim != 1]
        x = input.float()
        own = torch.stack([x.mean(others), x.square().mean(others)])
        mean, square = all_reduce(own) / num_processes()
        variance = square - mean.square()
        count = x.numel() / x.shape[1] * num_processes()
        with torch.no_grad():
            assert self.num_batches_tracked is not None
            assert self.running_mean is not None and self.running_var is not None
            self.num_batches_tracked += 1
            share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * count / (count - 1), share)
        shape = [1, -1] + [1] * (x.dim() - 2)
        x = (x - mean.view(shape)) * torch.rsqrt(variance.view(shape) + self.eps)
        if self.affine:
            x = x * self.weight.view(shape) + self.bias.view(shape)
        return x.to(input.dtype)
