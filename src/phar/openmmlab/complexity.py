"""How large a net is and how long it takes, for the input its own config describes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from phar.openmmlab import loading
from phar.openmmlab.bare import HEIGHT_PX, WIDTH_PX, bare_net, example_window, kind_of
from phar.openmmlab.detector import TWO_STAGES, Detector, stages_of
from phar.openmmlab.pose import PoseEstimator
from phar.openmmlab.recognizer import Recognizer

_REPEATS = 3
#: Persons in the picture that a pose net is timed on.
_PERSONS = 8


@dataclass(frozen=True)
class Complexity:
    """The size of one net."""

    parameters: int
    gflops: float
    """Multiply-adds of convolutions, matrix products and attention, in 10^9, for one `unit`."""
    unit: str
    """What the net is asked at once: window, frame or person."""
    input_shape: tuple[int, ...]
    """The net's input for it, views first."""


def complexity(config: str | Path, num_classes: int | None = None) -> Complexity:
    """Count a net's parameters and multiply-adds without making its weights.

    `num_classes` is the length of the label file; None takes the config's. Raises ModelError.
    """
    net = bare_net(config, None, num_classes, weights=False)
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode(), torch.device("meta"):
        outputs = net.module(torch.zeros(net.example.shape))
        if net.kind == "detector" and stages_of(net.model) == TWO_STAGES:
            _second_stage(net.model, outputs)
    # The counter takes a multiplication and the addition to its sum as two.
    gflops = counter.get_total_flops() / 2e9
    parameters = sum(parameter.numel() for parameter in net.model.parameters())
    return Complexity(parameters, gflops, net.unit, tuple(net.example.shape))


def seconds(
    config: str | Path,
    checkpoint: str | Path | None,
    num_classes: int | None = None,
    device: str = "auto",
    backend: str = "auto",
) -> tuple[float, str]:
    """Measure how long one window, frame or person takes here, and by which backend: (seconds, backend).

    The median of three runs after one that does not count, the input's preparation included; `checkpoint`
    None leaves the weights random. Raises ModelError.
    """
    loaded = loading.load_config(config)
    kind = kind_of(loaded)
    if kind == "recognizer":
        classes = num_classes or int(loaded["model"]["cls_head"]["num_classes"])
        recognizer = Recognizer.load(config, checkpoint, classes, device, backend)
        window = example_window(recognizer.clip)
        return _median_s(lambda: recognizer.predict([window])), recognizer.backend
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    if kind == "pose":
        pose = PoseEstimator.load(config, checkpoint, device, backend)
        boxes = np.array([[400, 100, 700, 700]] * _PERSONS, np.float32)
        return _median_s(lambda: pose.predict([frame], [boxes])) / _PERSONS, pose.backend
    detector = Detector.load(config, checkpoint, device, backend)
    return _median_s(lambda: detector.predict([frame])), detector.backend


def _second_stage(model: Any, features: tuple[torch.Tensor, ...]) -> None:
    """Run what a two-stage detector does with its features, with as many proposals as it may have."""
    model.rpn_head(features)
    head: nn.Module = model.roi_head.bbox_head
    sides = model.roi_head.bbox_roi_extractor.roi_layers[0].output_size
    count = int(model.test_cfg["rpn"]["max_per_img"])
    head(torch.zeros(count, features[0].shape[1], *sides))


def _median_s(call: Callable[[], object]) -> float:
    call()
    taken = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)
