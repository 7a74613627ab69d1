"""Person detectors: frames in, boxes of persons out."""

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
from phar.openmmlab.backends import Net, TorchNet, make_net
from phar.openmmlab.clips.frames import resized
from phar.openmmlab.person_class import follow_classes, person_class
from phar.schema import FloatArray, ModelError

if TYPE_CHECKING:
    from mmengine.config import Config

_KNOWN_STEPS = frozenset({"LoadImageFromFile", "LoadAnnotations", "Resize", "Pad", "PackDetInputs"})


@dataclass(frozen=True)
class Letterbox:
    """A test pipeline's resizing and padding of one frame, as mmdet does it."""

    resize: Mapping[str, Any]
    pad: Mapping[str, Any] | None
    divisor: int
    """The data preprocessor pads both sides up to a multiple of this, after normalising."""

    def size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height of the picture after resizing."""
        return resized({"keep_ratio": False, **self.resize}, width_px, height_px)

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize (H, W, 3) and pad right and below as the `Pad` step asks."""
        size = self.size(frame.shape[1], frame.shape[0])
        if size != (frame.shape[1], frame.shape[0]):
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        if self.pad is None:
            return frame
        height, width = frame.shape[:2]
        if self.pad.get("size") is not None:
            to_width, to_height = (
                max(side, n) for side, n in zip(self.pad["size"], (width, height), strict=True)
            )
        elif self.pad.get("pad_to_square", False):
            to_width = to_height = max(width, height)
        else:
            to_width, to_height = width, height
        divisor = self.pad.get("size_divisor") or 1
        to_width, to_height = _round_up(to_width, divisor), _round_up(to_height, divisor)
        value = self.pad.get("pad_val", 0)
        value = value.get("img", 0) if isinstance(value, Mapping) else value
        value = value if isinstance(value, (list, tuple)) else (value,) * 3
        return cv2.copyMakeBorder(
            frame, 0, to_height - height, 0, to_width - width, cv2.BORDER_CONSTANT, value=value
        )


class PicturesNet(nn.Module):
    """An mmdet data preprocessor as a function of tensors: RGB pictures -> the detector's input."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        self.flip = not preprocessor._channel_conversion
        self.normalize = bool(preprocessor._enable_normalize)
        self.divisor = int(preprocessor.pad_size_divisor)
        self.pad_value = float(preprocessor.pad_value)
        if self.normalize:
            self.register_buffer("mean", preprocessor.mean.reshape(-1, 1, 1).clone())
            self.register_buffer("std", preprocessor.std.reshape(-1, 1, 1).clone())

    def forward(self, frames: Tensor) -> Tensor:
        """Pictures (N, H, W, 3) uint8 RGB -> (N, 3, h, w), normalised and padded."""
        # Laid out as mmdet does it: convolutions round differently on other layouts.
        x = frames.permute(0, 3, 1, 2).float().contiguous()
        if self.flip:
            # mmdet reads pictures as BGR; a net that does not ask for RGB was trained on that.
            x = x.flip(1)
        if self.normalize:
            x = (x - self.mean) / self.std
        height, width = frames.shape[1:3]
        below, right = _round_up(height, self.divisor) - height, _round_up(width, self.divisor) - width
        if below or right:
            x = nn.functional.pad(x, (0, right, 0, below), value=self.pad_value)
        return x


class DetectorNet(nn.Module):
    """An mmdet detector as a function of tensors: RGB pictures -> what its head or backbone gives, flat."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.pictures = PicturesNet(model)
        self.stages = stages_of(model)

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Pictures (N, H, W, 3) uint8 RGB -> class scores, boxes, ... of every level; or feature maps."""
        features = self.model.extract_feat(self.pictures(frames))
        if self.stages == TWO_STAGES:
            return tuple(features)
        return tuple(level for output in self.model.bbox_head(features) for level in output)


#: A head that looks at feature maps, and an arithmetic that makes boxes of what it gives.
ONE_STAGE = "one"
#: Feature maps, of which proposals are cut out and looked at again.
TWO_STAGES = "two"
#: Anything else, such as transformers: the model's own `predict` from the pictures on, always by torch.
WHOLE = "whole"


def stages_of(model: Any) -> str:
    """Return how much of a detector is one net that a backend can run: ONE_STAGE, TWO_STAGES or WHOLE."""
    from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
    from mmdet.models.detectors import SingleStageDetector, TwoStageDetector

    predict = type(model).predict
    if predict is TwoStageDetector.predict and hasattr(model, "rpn_head"):
        return TWO_STAGES
    head = getattr(model, "bbox_head", None)
    plain = (
        predict is SingleStageDetector.predict
        and getattr(type(head), "predict", None) is BaseDenseHead.predict
    )
    # Heads with masks give more than levels of maps.
    return (
        ONE_STAGE if plain and hasattr(head, "prior_generator") and not hasattr(head, "mask_head") else WHOLE
    )


class Detector:
    """One detector; of all it knows, only persons are given back."""

    def __init__(
        self, model: Any, letterbox: Letterbox, person: int, device: torch.device, backend: str
    ) -> None:
        self._model = model
        self._letterbox = letterbox
        self._person = person
        self._stages = stages_of(model)
        self._device = device
        self._net: Net = (
            TorchNet(PicturesNet(model).eval(), device)
            if self._stages == WHOLE
            else make_net(DetectorNet(model).eval(), device, backend)
        )
        self._sources: dict[str, Any] = {}
        model.to(device)

    @classmethod
    def load(
        cls,
        config: str | Path | Config,
        checkpoint: str | Path | None,
        device: str = "auto",
        backend: str = "auto",
        *,
        score_thr: float = 0.0,
        seed: int = 0,
    ) -> Detector:
        """Build the net of an mmdet config and load its weights, every one accounted for.

        The number of classes follows the checkpoint where it tells; `person_class` says which is persons.
        `score_thr`: lower-scored boxes are not wanted. To leave them out before overlaps are removed gives
        the same boxes above it, sooner. Raises ModelError.
        """
        loaded = loading.load_config(config)
        description = deepcopy(loaded["model"])
        content = None if checkpoint is None else loading.load_checkpoint(checkpoint)
        if content is not None:
            follow_classes(description, content["state_dict"])
        letterbox = read_letterbox(loaded)
        person = person_class(description, loaded, content)
        _raise_threshold(description, score_thr)
        model: Any = loading.build(description, "mmdet", seed)
        if content is not None:
            loading.load_weights(model, str(checkpoint), content["state_dict"])
        if getattr(getattr(model, "roi_head", None), "with_mask", False):
            # Nobody asks for masks, which cost more than the boxes.
            model.roi_head.mask_head = None
        detector = cls(model, letterbox, person, loading.pick_device(device), backend)
        detector._sources = loading.sources(config, checkpoint)
        return detector

    def predict(self, frames: Sequence[NDArray[np.uint8]]) -> list[FloatArray]:
        """Find persons in (H, W, 3) uint8 RGB frames, of one size or several.

        Gives per frame (n, 5) float32: x1, y1, x2, y2 in its pixels and the score in [0, 1], best first.
        """
        found: list[FloatArray] = [np.zeros((0, 5), np.float32)] * len(frames)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, frame in enumerate(frames):
            by_shape.setdefault(frame.shape, []).append(i)
        for positions in by_shape.values():
            for i, boxes in zip(positions, self._predict([frames[i] for i in positions]), strict=True):
                found[i] = boxes
        return found

    def _predict(self, frames: list[NDArray[np.uint8]]) -> list[FloatArray]:
        batch = np.stack([self._letterbox(frame) for frame in frames])
        metas = [self._meta(frame, batch.shape[1:3]) for frame in frames]
        outputs = [output.to(self._device) for output in self._net(batch)]
        with imports.scope("mmdet"), torch.inference_mode():
            instances = _INSTANCES[self._stages](self._model, outputs, metas)
        return [self._persons(each) for each in instances]

    def _meta(self, frame: NDArray[np.uint8], padded: tuple[int, ...]) -> dict[str, Any]:
        height, width = frame.shape[:2]
        new_width, new_height = self._letterbox.size(width, height)
        shape = tuple(_round_up(side, self._letterbox.divisor) for side in padded)
        return {
            "ori_shape": (height, width),
            # A padded picture counts as all picture, as in mmdet: its Pad step sets img_shape anew.
            "img_shape": tuple(padded),
            "pad_shape": shape,
            "batch_input_shape": shape,
            "scale_factor": (new_width / width, new_height / height),
        }

    def _persons(self, instances: Any) -> FloatArray:
        keep = instances.labels == self._person
        boxes = torch.cat([instances.bboxes[keep], instances.scores[keep, None]], 1).float().cpu().numpy()
        ordered: FloatArray = boxes[np.argsort(-boxes[:, 4], kind="stable")]
        return ordered

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


def _one_stage(model: Any, outputs: list[Tensor], metas: list[dict[str, Any]]) -> Any:
    levels = model.bbox_head.prior_generator.num_levels
    per_output = [outputs[i : i + levels] for i in range(0, len(outputs), levels)]
    return model.bbox_head.predict_by_feat(*per_output, batch_img_metas=metas, rescale=True)


def _two_stages(model: Any, features: list[Tensor], metas: list[dict[str, Any]]) -> Any:
    samples = _samples(metas)
    proposals = model.rpn_head.predict(tuple(features), samples, rescale=False)
    return model.roi_head.predict(tuple(features), proposals, samples, rescale=True)


def _whole(model: Any, pictures: list[Tensor], metas: list[dict[str, Any]]) -> Any:
    return [sample.pred_instances for sample in model.predict(pictures[0], _samples(metas), rescale=True)]


def _samples(metas: list[dict[str, Any]]) -> list[Any]:
    from mmdet.structures import DetDataSample

    return [DetDataSample(metainfo=meta) for meta in metas]


#: From what the net gives to mmdet's instances of each picture.
_INSTANCES = {ONE_STAGE: _one_stage, TWO_STAGES: _two_stages, WHOLE: _whole}


def _round_up(number: int, divisor: int) -> int:
    return -(-number // divisor) * divisor


def _raise_threshold(model: dict[str, Any], score_thr: float) -> None:
    """Set the test score threshold of the last stage, where it has one, to `score_thr` at least."""
    test_cfg = model.get("test_cfg") or {}
    last = test_cfg.get("rcnn", test_cfg)
    if "score_thr" in last:
        last["score_thr"] = max(last["score_thr"], score_thr)


def read_letterbox(config: Mapping[str, Any]) -> Letterbox:
    """Read what a detector's test pipeline does to a frame. Raises ModelError."""
    dataset = config.get("test_dataloader", {}).get("dataset", {})
    pipeline = dataset.get("pipeline") or config.get("test_pipeline")
    if not pipeline:
        raise ModelError("the detector's config has no test_pipeline; name an mmdet 3.x config")
    steps = {str(step["type"]).rsplit(".", 1)[-1]: step for step in pipeline}
    unknown = [name for name in steps if name not in _KNOWN_STEPS]
    if unknown or "Resize" not in steps:
        raise ModelError(
            f"the detector's test pipeline ({', '.join(steps)}) is not one of Resize and Pad;"
            " rewrite it with these two steps"
        )
    divisor = config["model"].get("data_preprocessor", {}).get("pad_size_divisor", 1)
    return Letterbox(steps["Resize"], steps.get("Pad"), divisor)
