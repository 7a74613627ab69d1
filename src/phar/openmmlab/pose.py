"""Pose estimators: frames and boxes in, keypoints out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phar.openmmlab import imports, loading
from phar.openmmlab.backends import make_net
from phar.openmmlab.joint_names import require_coco_joints
from phar.schema import COCO_KEYPOINTS, COCO_MIRRORED, FloatArray, ModelError

if TYPE_CHECKING:
    from mmengine.config import Config

#: Crops per forward pass.
_BATCH_CROPS = 32

_KNOWN_STEPS = frozenset({"LoadImage", "GetBBoxCenterScale", "TopdownAffine", "PackPoseInputs"})


@dataclass(frozen=True)
class Cropper:
    """Cuts persons out of frames as mmpose's top-down pipeline does."""

    width_px: int
    """Width of a crop, the net's input."""
    height_px: int
    """Height of a crop."""
    padding: float
    """Boxes are enlarged by this factor before they are cut out."""
    use_udp: bool
    """Whether pixel centres, not edges, are mapped (unbiased data processing)."""

    def regions(self, boxes: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Centres (n, 2) and sizes (n, 2) of the regions to cut out for boxes (n, 4 or more), in pixels."""
        corners = boxes[:, :4].astype(np.float32)
        centre = (corners[:, :2] + corners[:, 2:]) * np.float32(0.5)
        # No box is thinner than a pixel: an empty one would map everything to infinity.
        width, height = (np.maximum(corners[:, 2:] - corners[:, :2], 1) * np.float32(self.padding)).T
        ratio = self.width_px / self.height_px
        wide = width > height * ratio
        size = np.where(wide, (width, width / ratio), (height * ratio, height)).T
        return centre, size.astype(np.float32)

    def crop(
        self, frame: NDArray[np.uint8], centre: NDArray[np.float32], size: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Cut one region out of (H, W, 3) and scale it to the net's input, black outside the frame."""
        width, height = self.width_px, self.height_px
        if self.use_udp:
            scale_x, scale_y = (width - 1) / size[0], (height - 1) / size[1]
            rows = [
                [scale_x, 0, scale_x * (0.5 * size[0] - centre[0])],
                [0, scale_y, scale_y * (0.5 * size[1] - centre[1])],
            ]
            matrix = np.array(rows, np.float32)
        else:
            # Centre, middle of the left edge, and the corner that squares them: one scale for both axes.
            corners = np.array([[0, 0], [-1, 0], [-1, 1]], np.float32)
            source = centre + corners * size[0] / 2
            target = np.array([width, height], np.float32) / 2 + corners * np.float32(width / 2)
            matrix = cv2.getAffineTransform(source.astype(np.float32), target)
        return cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR)


class PoseNet(nn.Module):
    """An mmpose top-down estimator as a function of tensors: RGB crops -> what its head gives."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        preprocessor = model.data_preprocessor
        self.flip = not preprocessor._channel_conversion
        self.normalize = bool(preprocessor._enable_normalize)
        if self.normalize:
            self.register_buffer("mean", preprocessor.mean.reshape(-1, 1, 1).clone())
            self.register_buffer("std", preprocessor.std.reshape(-1, 1, 1).clone())

    def forward(self, crops: Tensor) -> Any:
        """Crops (N, H, W, 3) uint8 RGB -> heat maps (N, K, h, w), or (N, K, W'), (N, K, H') SimCC vectors."""
        # Laid out as mmpose does it: convolutions round differently on other layouts.
        x = crops.permute(0, 3, 1, 2).float().contiguous()
        if self.flip:
            # mmpose reads pictures as BGR; a net that does not ask for RGB was trained on that.
            x = x.flip(1)
        if self.normalize:
            x = (x - self.mean) / self.std
        return self.model.head(self.model.extract_feat(x))


class PoseEstimator:
    """One top-down estimator of COCO's 17 joints."""

    def __init__(
        self, model: Any, cropper: Cropper, device: torch.device, backend: str, flip_test: bool
    ) -> None:
        self._model = model
        self._cropper = cropper
        self._device = device
        self._flip_test = flip_test
        self._net = make_net(PoseNet(model).eval(), device, backend)
        self._sources: dict[str, Any] = {}
        self._score_map = (0.0, 1.0)

    @classmethod
    def load(
        cls,
        config: str | Path | Config,
        checkpoint: str | Path | None,
        device: str = "auto",
        backend: str = "auto",
        *,
        flip_test: bool | None = None,
        seed: int = 0,
    ) -> PoseEstimator:
        """Build the net of an mmpose config and load its weights, every one accounted for.

        `flip_test`: whether to average with the mirrored crop; None does as the config's test_cfg says.
        Heads that give heat maps or SimCC vectors are known. A `score_map` in the config names the scores
        that count as 0 and as 1. Raises ModelError.
        """
        loaded = loading.load_config(config)
        description = deepcopy(loaded["model"])
        cropper = read_cropper(loaded)
        model: Any = loading.build(description, "mmpose", seed)
        head = type(model.head).__name__ if hasattr(model, "head") else "no"
        if head not in ("HeatmapHead", "RTMCCHead", "SimCCHead", "ViPNASHead"):
            raise ModelError(
                f"pose head {head} is not known; name a top-down HeatmapHead, RTMCCHead or SimCCHead"
            )
        content = None if checkpoint is None else loading.load_checkpoint(checkpoint)
        require_coco_joints(model.head.out_channels, loaded, content)
        if content is not None:
            loading.load_weights(model, str(checkpoint), content["state_dict"])
        if flip_test is None:
            flip_test = bool((model.test_cfg or {}).get("flip_test", False))
        estimator = cls(model, cropper, loading.pick_device(device), backend, flip_test)
        estimator._sources = loading.sources(config, checkpoint)
        bounds = loaded.get("score_map", {})
        low, high = float(bounds.get("low", 0)), float(bounds.get("high", 1))
        if not low < high:
            raise ModelError(f"score_map of {config} runs from {low:g} to {high:g}; low must be below high")
        estimator._score_map = (low, high)
        return estimator

    def predict(self, frames: Sequence[NDArray[np.uint8]], boxes: Sequence[NDArray[Any]]) -> list[FloatArray]:
        """Estimate the joints of every box in every (H, W, 3) uint8 RGB frame.

        `boxes` holds per frame (n, 4 or more): x1, y1, x2, y2 in pixels. Gives per frame (n, 17, 3)
        float32: x, y in pixels and the score the net's kind has (heat-map or SimCC maximum), which
        `confident` makes comparable.
        """
        crops, centres, sizes = [], [], []
        for frame, frame_boxes in zip(frames, boxes, strict=True):
            if not len(frame_boxes):
                continue
            for centre, size in zip(*self._cropper.regions(np.asarray(frame_boxes)), strict=True):
                crops.append(self._cropper.crop(frame, centre, size))
                centres.append(centre)
                sizes.append(size)
        keypoints = np.zeros((len(crops), len(COCO_KEYPOINTS), 3), np.float32)
        for start in range(0, len(crops), _BATCH_CROPS):
            part = np.stack(crops[start : start + _BATCH_CROPS])
            keypoints[start : start + len(part)] = self._estimate(part)
        if crops:
            # As mmpose maps back, whatever the crop's own mapping was.
            scale = np.stack(sizes) / np.array([self._cropper.width_px, self._cropper.height_px], np.float32)
            origin = np.stack(centres) - np.stack(sizes) / 2
            keypoints[..., :2] = keypoints[..., :2] * scale[:, None] + origin[:, None]
        return np.split(keypoints, np.cumsum([len(b) for b in boxes])[:-1]) if len(boxes) else []

    def confident(self, keypoints: FloatArray) -> FloatArray:
        """Keypoints (n, 17, 3) with their scores as confidences in [0, 1], by the config's `score_map`."""
        low, high = self._score_map
        confidence = np.clip((keypoints[..., 2:] - low) / (high - low), 0, 1)
        return np.concatenate([keypoints[..., :2], confidence], axis=-1).astype(np.float32)

    def _estimate(self, crops: NDArray[np.uint8]) -> FloatArray:
        """Joints (N, 17, 3) in crop pixels."""
        outputs = self._net(crops)
        if self._flip_test:
            outputs = self._average(outputs, self._net(np.ascontiguousarray(crops[:, :, ::-1])))
        if len(outputs) == 2 and not self._model.head.decoder.use_dark:
            return simcc_joints(*outputs, split=self._model.head.decoder.simcc_split_ratio)
        with imports.scope("mmpose"):
            encoded = outputs[0] if len(outputs) == 1 else tuple(outputs)
            instances = self._model.head.decode(encoded)
        return np.stack(
            [np.concatenate([i.keypoints[0], i.keypoint_scores[0][:, None]], 1) for i in instances]
        ).astype(np.float32)

    def _average(self, outputs: Sequence[Tensor], mirrored: Sequence[Tensor]) -> Sequence[Tensor]:
        if len(outputs) == 2:
            back = [mirrored[0].flip(-1)[:, COCO_MIRRORED], mirrored[1][:, COCO_MIRRORED]]
        else:
            from mmpose.models.utils.tta import flip_heatmaps

            test_cfg = self._model.test_cfg or {}
            back = [
                flip_heatmaps(
                    mirrored[0],
                    flip_mode=test_cfg.get("flip_mode", "heatmap"),
                    flip_indices=list(COCO_MIRRORED),
                    shift_heatmap=test_cfg.get("shift_heatmap", False),
                )
            ]
        return [(one + other) * 0.5 for one, other in zip(outputs, back, strict=True)]

    @property
    def backend(self) -> str:
        """What runs the net: torch or openvino."""
        return self._net.backend

    def describe(self) -> dict[str, Any]:
        """What the report says of this net: config, checkpoint, sha256, backend, device, precision."""
        return {
            **self._sources,
            "backend": self._net.backend,
            "device": str(self._device),
            "precision": self._net.precision,
        }


def simcc_joints(across: Tensor, down: Tensor, split: float) -> FloatArray:
    """Joints (N, K, 3) in crop pixels from SimCC vectors (N, K, W') and (N, K, H').

    Each coordinate is its vector's best place over `split`; the score is the lower of the two maxima.
    Where it is not above 0 the joint lies at -1 before dividing. Source: Li et al., SimCC, 2022; mmpose
    1.3.2, `get_simcc_maximum`.
    """
    best_x, x = across.max(-1)
    best_y, y = down.max(-1)
    score = torch.minimum(best_x, best_y)
    place = torch.stack([x, y], -1).float()
    place[score <= 0] = -1
    joints: FloatArray = torch.cat([place / split, score[..., None]], -1).numpy()
    return joints


def read_cropper(config: Mapping[str, Any]) -> Cropper:
    """Read how a pose net's test pipeline cuts persons out. Raises ModelError."""
    dataset = config.get("test_dataloader", {}).get("dataset", {})
    pipeline = dataset.get("pipeline") or config.get("test_pipeline") or config.get("val_pipeline")
    if not pipeline:
        raise ModelError("the pose config has no test pipeline; name an mmpose 1.x top-down config")
    steps = {str(step["type"]).rsplit(".", 1)[-1]: step for step in pipeline}
    unknown = [name for name in steps if name not in _KNOWN_STEPS]
    if unknown or "TopdownAffine" not in steps:
        raise ModelError(
            f"the pose net's test pipeline ({', '.join(steps)}) is not the top-down one of"
            " GetBBoxCenterScale and TopdownAffine; name a top-down config"
        )
    width, height = steps["TopdownAffine"]["input_size"]
    padding = steps.get("GetBBoxCenterScale", {}).get("padding", 1.25)
    return Cropper(int(width), int(height), padding, bool(steps["TopdownAffine"].get("use_udp", False)))
