"""What the parity tests share: random nets that have something to say, frames, and tolerances."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from scipy.optimize import linear_sum_assignment
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from phar.openmmlab import imports, loading

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

#: Largest difference of scores, and of keypoints in pixels, between phar and OpenMMLab's own code.
SCORES = 1e-3
KEYPOINTS_PX = 0.5


def enliven(model: nn.Module, forward: Callable[[], Any] | None = None) -> None:
    """Give every weight that starts constant some noise, and BatchNorm statistics of real activations.

    A net fresh from its constructor often ignores its input: temporal projections start at zero, and
    activations shrink from layer to layer. Then any preprocessing would give the same scores.
    """
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and parameter.std() == 0:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if forward is None or not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        forward()
    for norm in norms:
        norm.eval()


def scale(layer: nn.Linear | nn.Conv2d, factor: float, bias: float | None = None) -> None:
    """Make the last layer's outputs differ by more."""
    with torch.no_grad():
        layer.weight.mul_(factor)
        if bias is not None:
            layer.bias.fill_(bias)


def overhear(estimator: Any) -> list[torch.Tensor]:
    """Keep what the net of a recognizer gives, view by view: tells whether it looks at its input at all."""
    net, heard = estimator._net, []

    class Overheard:
        backend, precision = net.backend, net.precision

        def __call__(self, batch: np.ndarray) -> Any:
            outputs = net(batch)
            heard.append(outputs[0])
            return outputs

    estimator._net = Overheard()
    return heard


def save(model: nn.Module, path: Path) -> Path:
    """Write a net's weights as a checkpoint."""
    torch.save({"state_dict": model.state_dict()}, path)
    return path


def read_frames(path: Path) -> list[np.ndarray]:
    """All frames of a clip, RGB."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, frame = capture.read()
        if not there:
            return frames
        frames.append(np.ascontiguousarray(frame[:, :, ::-1]))


def moving_pictures(num_frames: int, height_px: int, width_px: int, seed: int = 0) -> np.ndarray:
    """Smooth noise that drifts and changes: (num_frames, height_px, width_px, 3) uint8."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (num_frames // 8 + 2, height_px // 8 + 2, width_px // 8 + 2, 3))
    frames = np.empty((num_frames, height_px, width_px, 3), np.uint8)
    for i in range(num_frames):
        key, part = divmod(i / 8, 1)
        blended = (1 - part) * coarse[int(key)] + part * coarse[int(key) + 1]
        frames[i] = cv2.resize(np.roll(blended, i // 4, axis=1), (width_px, height_px))
    return frames


def their_boxes(model: Any, frame: np.ndarray, label: int = 0) -> np.ndarray:
    """What mmdet finds in an RGB frame: (n, 5) of one class, best first."""
    with imports.scope("mmdet"):
        from mmdet.apis import inference_detector

        found = inference_detector(model, np.ascontiguousarray(frame[..., ::-1])).pred_instances
    keep = found.labels == label
    boxes = torch.cat([found.bboxes[keep], found.scores[keep, None]], 1).numpy()
    return boxes[np.argsort(-boxes[:, 4], kind="stable")]


def assert_boxes_alike(got: np.ndarray, expected: np.ndarray) -> None:
    """Compare boxes (n, 5) of two detectors."""
    assert got.shape == expected.shape and got.dtype == np.float32
    np.testing.assert_allclose(got[:, 4], expected[:, 4], atol=SCORES)
    # Boxes whose scores are nearly equal may change places, so each is compared with its own.
    apart = np.abs(got[:, None, :4] - expected[None, :, :4]).max(2)
    rows, columns = linear_sum_assignment(apart)
    assert apart[rows, columns].max(initial=0) <= 0.1
    assert np.abs(got[rows, 4] - expected[columns, 4]).max(initial=0) <= SCORES


def pose_reference(config: Any) -> tuple[Any, Compose]:
    """mmpose's net and pipeline, without `mmpose.apis`, whose drawing part imports torchvision."""
    loaded = loading.load_config(config)
    with imports.scope("mmpose"):
        pipeline = loaded.get("val_pipeline") or loaded.test_dataloader.dataset.pipeline
        return loading.build(loaded.model, "mmpose", 0), Compose(pipeline[1:])


def their_joints(model: Any, pipeline: Compose, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """What mmpose finds in an RGB frame: (n, 17, 3)."""
    with imports.scope("mmpose"):
        # COCO's joints with left and right exchanged.
        meta = {"flip_indices": [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]}
        picture = np.ascontiguousarray(frame[..., ::-1])
        data = [
            pipeline(
                {
                    "img": picture,
                    "bbox": box[None].astype(np.float32),
                    "bbox_score": np.ones(1, np.float32),
                    **meta,
                }
            )
            for box in boxes
        ]
        with torch.no_grad():
            samples = model.test_step(pseudo_collate(data))
    found = [s.pred_instances for s in samples]
    return np.stack([np.concatenate([f.keypoints[0], f.keypoint_scores[0][:, None]], 1) for f in found])


def assert_joints_alike(got: np.ndarray, expected: np.ndarray) -> None:
    """Compare joints (n, 17, 3) of two pose estimators."""
    assert got.shape == expected.shape and got.dtype == np.float32
    assert np.abs(got[..., 2] - expected[..., 2]).max() <= SCORES
    assert np.abs(got[..., :2] - expected[..., :2]).max() <= KEYPOINTS_PX
