"""Random cases for mmcv's operators, each a pure function of its seed, with ties and degenerate boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

NUM_CASES = 1000


def _boxes(random: np.random.Generator, num: int) -> np.ndarray:
    """(num, 4) float32 boxes; some of no area, some upside down, some twice, some on whole numbers."""
    corner = random.uniform(-20, 100, (num, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0, 60, (num, 2))], 1)
    kind = random.integers(0, 10, num)
    boxes[kind == 0, 2:] = boxes[kind == 0, :2]
    boxes[kind == 1, 2] = boxes[kind == 1, 0]
    boxes[kind == 2] = boxes[kind == 2][:, [2, 3, 0, 1]]
    boxes[kind == 3] = np.round(boxes[kind == 3])
    if num > 1:
        twice = kind == 4
        boxes[twice] = boxes[random.integers(0, num, twice.sum())]
    return boxes.astype(np.float32)


def _scores(random: np.random.Generator, num: int) -> np.ndarray:
    """(num,) float32 scores; in two of three cases on so coarse a grid that many are equal."""
    scores = random.uniform(0, 1, num)
    return (np.round(scores, int(random.integers(0, 3))) if random.integers(0, 3) else scores).astype(
        np.float32
    )


def nms_case(seed: int) -> dict[str, Any]:
    """Arguments of `mmcv.ops.nms`; up to 120 boxes, sometimes none."""
    random = np.random.default_rng([1, seed])
    num = int(random.integers(0, 121))
    return {
        "boxes": torch.from_numpy(_boxes(random, num)),
        "scores": torch.from_numpy(_scores(random, num)),
        "iou_threshold": float(random.choice([0.0, 0.3, 0.5, 0.65, 0.7, 1.0])),
        "offset": int(random.integers(0, 2)),
        "score_threshold": float(random.choice([0.0, 0.2])),
        "max_num": int(random.choice([-1, 10])),
    }


def batched_case(seed: int) -> dict[str, Any]:
    """Arguments of `mmcv.ops.batched_nms`; up to five classes, sometimes split by class inside."""
    random = np.random.default_rng([2, seed])
    num = int(random.integers(1, 121))
    config = {"type": "nms", "iou_threshold": float(random.choice([0.3, 0.5, 0.65, 0.7]))}
    if random.integers(0, 4) == 0:
        config["split_thr"] = 50
    return {
        "boxes": torch.from_numpy(_boxes(random, num)),
        "scores": torch.from_numpy(_scores(random, num)),
        "idxs": torch.from_numpy(random.integers(0, 5, num)),
        "nms_cfg": config,
        "class_agnostic": bool(random.integers(0, 2)),
    }


def roi_align_case(seed: int) -> tuple[torch.Tensor, torch.Tensor, tuple[Any, ...]]:
    """Features (2, 3, H, W), regions (N, 5) inside, outside and of no size, and the other arguments."""
    random = np.random.default_rng([3, seed])
    height, width = random.integers(1, 30, 2)
    features = random.normal(size=(2, 3, height, width)).astype(np.float32)
    num = int(random.integers(1, 9))
    corner = random.uniform(-40, 130, (num, 2))
    size = random.uniform(0, 120, (num, 2)) * random.integers(0, 2, (num, 1))
    rois = np.concatenate([random.integers(0, 2, (num, 1)), corner, corner + size], 1).astype(np.float32)
    output_size = tuple(int(n) for n in random.integers(1, 8, 2))
    arguments = (output_size, 0.25, int(random.choice([0, 2])), "avg", bool(random.integers(0, 2)))
    return torch.from_numpy(features), torch.from_numpy(rois), arguments
