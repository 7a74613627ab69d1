"""A first layer that begins with rhythms.

Filters drawn at random see mostly what stands still, which is nearly all of a picture, and a net that
starts from them has to find out first that time matters. Here the first convolution begins as a bank of
rhythms: each of a few random patterns in space is multiplied with every cosine and sine that fits into the
kernel's length. A pair of these says how strongly something moves at that rate, whatever its phase; layers
behind need only say where. All of it is trained like any other weight.

Source: Adelson and Bergen, Spatiotemporal energy models for the perception of motion, 1985.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from phar.schema import ModelError


def rhythms(length: int) -> Tensor:
    """Return the real Fourier basis, (length, length): a constant, then cosine and sine of each frequency."""
    t = torch.arange(length) - length // 2
    rows = [torch.full((length,), length**-0.5)]
    for k in range(1, length // 2 + 1):
        angle = 2 * math.pi * k * t / length
        # The fastest of an even length has no sine, which is cut off below.
        gain = ((1 if 2 * k == length else 2) / length) ** 0.5
        rows += [torch.cos(angle) * gain, torch.sin(angle) * gain]
    return torch.stack(rows)[:length]


def start_with_rhythms(model: Any, seed: int) -> None:
    """Set the weights of a 3D ResNet's first convolution. Raises ModelError where the net has none."""
    try:
        weight = model.backbone.conv1.conv.weight
    except AttributeError:
        raise ModelError("the config's net has no first 3D convolution; leave training.rhythms out") from None
    filters, channels, length, height, width = weight.shape
    random = torch.Generator().manual_seed(seed)
    basis = rhythms(length)
    gain = math.sqrt(2 / (channels * height * width))
    with torch.no_grad():
        for first in range(0, filters, length):
            # What moves is mostly lighter or darker than what is behind it, in all colours alike.
            pattern = torch.randn(channels, 1, height, width, generator=random)
            pattern = (pattern + torch.randn((), generator=random)) * gain
            held = basis[: filters - first]
            weight[first : first + length] = pattern[None] * held[:, None, :, None, None]
