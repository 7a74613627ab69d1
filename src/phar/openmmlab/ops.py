"""Stand-in for mmcv's compiled extension `mmcv._ext`: the few operators run here, without a compiler.

Only `nms` and `roi_align_forward` exist; any other name is there (mmcv looks for all of them at import)
but raises when called. `phar.openmmlab.imports` puts it in place where no compiled mmcv is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from phar.schema import ModelError


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Greedy non-maximum suppression.

    `boxes` (N, 4) x1, y1, x2, y2; `scores` (N,); returns (K,) int64 indices, best score first. A box
    falls to a better one when their IoU is strictly greater than the threshold; sides measure
    x2 - x1 + offset. Arithmetic is float32 in the order of the compiled operator, so that borderline
    cases fall alike.
    Source: mmcv 2.1.0, `nms_cpu`.
    """
    order = best_first(scores)
    x1, y1, x2, y2 = boxes[order].detach().cpu().numpy().astype(np.float32).T
    side = np.float32(offset)
    area = (x2 - x1 + side) * (y2 - y1 + side)
    threshold = np.float32(iou_threshold)
    remaining = np.arange(len(order))
    kept = []
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        while remaining.size:
            best, rest = remaining[0], remaining[1:]
            kept.append(int(best))
            width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + side
            height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + side
            shared = np.maximum(np.float32(0), width) * np.maximum(np.float32(0), height)
            # Two boxes of no area give 0/0: not a number is not greater, both stay.
            remaining = rest[~(shared / (area[best] + area[rest] - shared) > threshold)]
    return order[torch.tensor(kept, dtype=torch.int64, device=order.device)]


def best_first(scores: Tensor) -> Tensor:
    """Indices of (N,) scores, highest first.

    The compiled operator sorts with this very call; it is not stable, so the order of equal scores is
    torch's and may differ from CPU to CPU, but never between the two operators on one machine.
    """
    return scores.sort(dim=0, descending=True)[1]


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average of bilinear samples inside each bin of each region, written into `output`.

    `input` (B, C, H, W); `rois` (N, 5) batch index, x1, y1, x2, y2 in image pixels; `output`
    (N, C, aligned_height, aligned_width). Every bin is a weighted sum of feature-map cells, done as
    one `embedding_bag` per sampling grid. Only average pooling (`pool_mode` 1) is there.
    Source: He et al., Mask R-CNN, 2017, section 3; sampling as in mmcv 2.1.0's `roi_align`.
    """
    if pool_mode != 1:
        _needs_compiled("roi_align_forward with pool_mode='max'")
    _, channels, height, width = input.shape
    table = input.permute(0, 2, 3, 1).reshape(-1, channels).contiguous()
    shift = 0.5 if aligned else 0.0
    start_x, start_y, end_x, end_y = (rois[:, 1:] * spatial_scale - shift).unbind(1)
    roi_width, roi_height = end_x - start_x, end_y - start_y
    if not aligned:
        roi_width, roi_height = roi_width.clamp(min=1), roi_height.clamp(min=1)
    output.zero_()
    rows = _grid(roi_height, aligned_height, sampling_ratio)
    columns = _grid(roi_width, aligned_width, sampling_ratio)
    for num_y, num_x in torch.stack([rows, columns], 1).unique(dim=0).tolist():
        if num_y == 0 or num_x == 0:
            continue
        chosen = ((rows == num_y) & (columns == num_x)).nonzero()[:, 0]
        y_cells, y_weights = _taps(start_y[chosen], roi_height[chosen], aligned_height, num_y, height)
        x_cells, x_weights = _taps(start_x[chosen], roi_width[chosen], aligned_width, num_x, width)
        first = rois[chosen, 0].long() * (height * width)
        cells = y_cells[:, :, None, :, None] * width + x_cells[:, None, :, None, :]
        weights = y_weights[:, :, None, :, None] * x_weights[:, None, :, None, :]
        num_bins = len(chosen) * aligned_height * aligned_width
        pooled = functional.embedding_bag(
            (cells + first[:, None, None, None, None]).reshape(num_bins, -1),
            table,
            per_sample_weights=weights.reshape(num_bins, -1).to(table.dtype),
            mode="sum",
        )
        pooled = pooled.reshape(len(chosen), aligned_height, aligned_width, channels)
        output[chosen] = pooled.permute(0, 3, 1, 2)


def _grid(size: Tensor, num_bins: int, sampling_ratio: int) -> Tensor:
    """Samples per bin along one axis, (N,) int64; 0 for a region of no size."""
    if sampling_ratio > 0:
        return torch.full_like(size, sampling_ratio, dtype=torch.int64)
    return (size / num_bins).ceil().long().clamp(min=0)


def _taps(start: Tensor, size: Tensor, num_bins: int, num_samples: int, length: int) -> tuple[Tensor, Tensor]:
    """Cells and weights of each bin along one axis: two of each per sample, (N, num_bins, 2 * num_samples).

    Samples more than one cell outside the map weigh nothing; the others are moved to its edge.
    """
    steps = (torch.arange(num_samples, device=size.device, dtype=size.dtype) + 0.5) / num_samples
    bins = torch.arange(num_bins, device=size.device, dtype=size.dtype)
    bin_size = (size / num_bins)[:, None, None]
    position = start[:, None, None] + bins[:, None] * bin_size + steps * bin_size
    inside = (position >= -1.0) & (position <= length)
    position = position.clamp(0, length - 1)
    low = position.long()
    high = (low + 1).clamp(max=length - 1)
    part = position - low
    scale = inside / num_samples
    return torch.cat([low, high], 2), torch.cat([(1 - part) * scale, part * scale], 2)


def _needs_compiled(name: str) -> NoReturn:
    raise ModelError(
        f"the operator {name} needs mmcv with compiled ops, but mmcv-lite is installed;"
        " replace it by `pip install mmcv==2.1.0` or choose a model without this operator"
    )


def missing_operator(name: str) -> Callable[..., Any]:
    """A function that raises ModelError when called, in the place of operator `name`."""

    def operator(*_args: Any, **_kwargs: Any) -> NoReturn:
        _needs_compiled(name)

    operator.__name__ = name
    return operator
