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
from phar.openmmlab.backends import make_net
from phar.openmmlab.clips.frames import resized
from phar.schema import FloatArray, ModelError

if TYPE_CHECKING:
    from mmengine.config import Config

#: By which layer of which head a checkpoint tells its number of classes, and outputs beyond the classes.
_CLASS_LAYERS = (("roi_head.bbox_head", "fc_cls.weight", 1), ("bbox_head", "rtm_cls.0.weight", 0))

#: Classes of COCO, of which person is the first.
_COCO_CLASSES = 80

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


class DetectorNet(nn.Module):
    """An mmdet detector as a function of tensors: RGB pictures -> what its head or backbone gives, flat."""

    def __init__(self, model: Any, head: bool) -> None:
        super().__init__()
        self.model = model
        self.head = head
        preprocessor = model.data_preprocessor
        self.flip = not preprocessor._channel_conversion
        self.normalize = bool(preprocessor._enable_normalize)
        self.divisor = int(preprocessor.pad_size_divisor)
        self.pad_value = float(preprocessor.pad_value)
        if self.normalize:
            self.register_buffer("mean", preprocessor.mean.reshape(-1, 1, 1).clone())
            self.register_buffer("std", preprocessor.std.reshape(-1, 1, 1).clone())

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Pictures (N, H, W, 3) uint8 RGB -> feature maps, or class scores and boxes of every level."""
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
        features = self.model.extract_feat(x)
        if not self.head:
            return tuple(features)
        return tuple(level for output in self.model.bbox_head(features) for level in output)


class Detector:
    """One detector; of all it knows, only persons are given back."""

    def __init__(
        self, model: Any, letterbox: Letterbox, person: int, device: torch.device, backend: str
    ) -> None:
        self._model = model
        self._letterbox = letterbox
        self._person = person
        self._single_stage = hasattr(model, "bbox_head")
        self._device = device
        self._net = make_net(DetectorNet(model, self._single_stage).eval(), device, backend)
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

        The number of classes follows the checkpoint where it tells; of COCO's 80 classes person is the
        first, a net of one class knows persons only. `score_thr`: lower-scored boxes are not wanted. To
        leave them out before overlaps are removed gives the same boxes above it, sooner. Raises ModelError.
        """
        loaded = loading.load_config(config)
        description = deepcopy(loaded["model"])
        content = None if checkpoint is None else loading.load_checkpoint(checkpoint)
        if content is not None:
            follow_classes(description, content["state_dict"])
        letterbox = read_letterbox(loaded)
        person = _person_class(description, loaded, content)
        _raise_threshold(description, score_thr)
        model = loading.build(description, "mmdet", seed)
        if content is not None:
            loading.load_weights(model, str(checkpoint), content["state_dict"])
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
            if self._single_stage:
                levels = len(self._model.bbox_head.prior_generator.strides)
                per_output = [outputs[i : i + levels] for i in range(0, len(outputs), levels)]
                instances = self._model.bbox_head.predict_by_feat(
                    *per_output, batch_img_metas=metas, rescale=True
                )
            else:
                instances = self._second_stage(tuple(outputs), metas)
        return [self._persons(each) for each in instances]

    def _second_stage(self, features: tuple[Tensor, ...], metas: list[dict[str, Any]]) -> Any:
        from mmdet.structures import DetDataSample

        samples = [DetDataSample(metainfo=meta) for meta in metas]
        proposals = self._model.rpn_head.predict(features, samples, rescale=False)
        return self._model.roi_head.predict(features, proposals, samples, rescale=True)

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


def _round_up(number: int, divisor: int) -> int:
    return -(-number // divisor) * divisor


def _raise_threshold(model: dict[str, Any], score_thr: float) -> None:
    """Set the test score threshold of the last stage, where it has one, to `score_thr` at least."""
    test_cfg = model.get("test_cfg") or {}
    last = test_cfg.get("rcnn", test_cfg)
    if "score_thr" in last:
        last["score_thr"] = max(last["score_thr"], score_thr)


def follow_classes(model: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Set the config's number of classes to the checkpoint's, where its layers tell."""
    for path, layer, background in _CLASS_LAYERS:
        head: Any = model
        for part in path.split("."):
            head = head.get(part) if isinstance(head, Mapping) else None
        weight = state.get(f"{path}.{layer}")
        if weight is not None and isinstance(head, dict):
            head["num_classes"] = weight.shape[0] - background
            return


def _num_classes(model: Mapping[str, Any]) -> int:
    head = model.get("bbox_head") or model.get("roi_head", {}).get("bbox_head") or {}
    head = head[0] if isinstance(head, (list, tuple)) else head
    if "num_classes" not in head:
        raise ModelError("the config's detector names no num_classes; name an mmdet 3.x config")
    return int(head["num_classes"])


def _person_class(
    model: Mapping[str, Any], config: Mapping[str, Any], content: Mapping[str, Any] | None
) -> int:
    count = _num_classes(model)
    if count == 1:
        return 0
    meta = (content or {}).get("meta", {})
    trained = meta.get("dataset_meta", {})
    names = trained.get("classes") or trained.get("CLASSES") or meta.get("CLASSES")
    names = names or config.get("metainfo", {}).get("classes")
    if names and "person" in names and len(names) == count:
        return list(names).index("person")
    if count == _COCO_CLASSES:
        return 0
    raise ModelError(
        f"the detector knows {count} classes and none is named person;"
        " give the config metainfo=dict(classes=(...)) with person among them"
    )


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
