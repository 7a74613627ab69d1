"""Action recognizers: windows in, probabilities out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phar.openmmlab import loading
from phar.openmmlab.backends import Net, NetSource, make_net
from phar.openmmlab.clips import ClipSpec, PoseClip, read_clip
from phar.openmmlab.folding import fold
from phar.schema import FloatArray, ModelError

if TYPE_CHECKING:
    from mmengine.config import Config

#: Input values per forward pass, about: bounds memory whatever the net.
_BATCH_VALUES = 2**24
_MAX_BATCH_VIEWS = 64


class RecognizerNet(nn.Module):
    """An MMAction2 recognizer as a function of tensors: views -> class scores before averaging."""

    def __init__(self, model: Any, channels_last: bool, stacked_2d: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_last = channels_last
        self.stacked_2d = stacked_2d
        preprocessor = model.data_preprocessor
        self.normalize = bool(getattr(preprocessor, "_enable_normalize", False))
        self.to_rgb = bool(getattr(preprocessor, "to_rgb", False))
        if self.normalize:
            self.register_buffer("mean", preprocessor.mean.reshape(-1).clone())
            self.register_buffer("std", preprocessor.std.reshape(-1).clone())

    def forward(self, views: Tensor) -> Tensor:
        """Views (B, ...) -> scores (B, C) or, where a head keeps several per window, (B * k, C)."""
        x = views.float()
        pictures = self.channels_last or self.normalize
        if pictures and not self.channels_last:
            x = x.movedim(2 if self.stacked_2d else 1, -1)
        if self.to_rgb and pictures:
            x = x.flip(-1)
        if self.normalize:
            x = (x - self.mean) / self.std
        if pictures:
            # Laid out as MMAction2 does it: convolutions round differently on other layouts.
            x = x.movedim(-1, 2 if self.stacked_2d else 1).contiguous()
        inputs = x if self.stacked_2d else x[:, None]
        features, arguments = self.model.extract_feat(inputs, test_mode=True)
        if isinstance(self.model.cls_head, nn.Module):
            return self.model.cls_head(features, **arguments)
        return features


class Recognizer:
    """One action recognizer with the clip reader that its config describes."""

    def __init__(self, net: Net, clip: ClipSpec, num_classes: int, head: Mapping[str, Any]) -> None:
        self.clip = clip
        """How a window becomes the net's input; its `frame_indices` say which frames to hand over."""
        self.num_classes = num_classes
        self._net = net
        self._multi_class = bool(head.get("multi_class", False))
        self._average = head.get("average_clips") or "prob"
        self._sources: dict[str, Any] = {}
        self._device = "cpu"

    @classmethod
    def load(
        cls,
        config: str | Path | Config,
        checkpoint: str | Path | None,
        num_classes: int,
        device: str = "auto",
        backend: str = "auto",
        *,
        sampling: str = "frames-1.x",
        seed: int = 0,
    ) -> Recognizer:
        """Build the net of an MMAction2 config and load its weights, every one accounted for.

        `num_classes` is the length of the label file; `checkpoint` None leaves the weights random, drawn
        from `seed`; `sampling` is one of `phar.openmmlab.sampling.RULES`. Raises ModelError.
        """
        loaded = loading.load_config(config)
        description = deepcopy(loaded["model"])
        head = description.get("cls_head")
        if head is None:
            raise ModelError(f"config {config} has no cls_head; name an MMAction2 1.x recognizer")
        head["num_classes"] = num_classes
        clip = read_clip(loaded, sampling)
        stacked_2d = not clip.views_are_independent

        def build() -> nn.Module:
            model: Any = loading.build(description, "mmaction", seed)
            if checkpoint is not None:
                state = loading.load_checkpoint(checkpoint)["state_dict"]
                loading.load_weights(model, checkpoint, state, num_classes)
            fold(model)
            if model.test_cfg is not None:
                # Views are batched here, under a bound of its own.
                model.test_cfg.pop("max_testing_views", None)
            return RecognizerNet(model, clip.channels_last, stacked_2d).eval()

        where = loading.pick_device(device)
        key = loading.net_key(description, checkpoint, seed, clip.channels_last, stacked_2d)
        net = make_net(NetSource(key, build), where, backend)
        recognizer = cls(net, clip, num_classes, head)
        recognizer._device = str(where)
        recognizer._sources = loading.sources(config, checkpoint)
        return recognizer

    def predict(self, batch: Sequence[NDArray[Any] | PoseClip]) -> FloatArray:
        """Score windows: (N, C) float32 probabilities, clips and crops averaged.

        Each window is, for RGB, (T, H, W, 3) uint8 frames in the order of `clip.frame_indices`; for
        skeletons a PoseClip of those frames; for audio (rows, 80) float32 features. Raises ModelError.
        """
        if not len(batch):
            return np.zeros((0, self.num_classes), np.float32)
        scores: list[list[Tensor]] = [[] for _ in batch]
        waiting: list[NDArray[Any]] = []
        owners: list[int] = []

        def run() -> None:
            if not waiting:
                return
            (output,) = self._net(np.stack(waiting) if len(waiting) > 1 else waiting[0][None])
            for owner, rows in zip(owners, output.chunk(len(owners)), strict=True):
                scores[owner].append(rows)
            waiting.clear()
            owners.clear()

        for i, window in enumerate(batch):
            for view in self.clip.views(window):
                if waiting and (
                    waiting[0].shape != view.shape
                    or len(waiting) >= min(_MAX_BATCH_VIEWS, max(1, _BATCH_VALUES // view.size))
                ):
                    run()
                waiting.append(view)
                owners.append(i)
        run()
        return np.stack([self._average_views(torch.cat(rows)) for rows in scores])

    def _average_views(self, rows: Tensor) -> FloatArray:
        if rows.shape[1] != self.num_classes:
            raise ModelError(f"the net gives {rows.shape[1]} classes, {self.num_classes} were asked for")
        if self._average == "score":
            rows = rows.mean(0, keepdim=True)
        probs = rows.sigmoid() if self._multi_class else rows.softmax(1)
        return probs.mean(0).numpy().astype(np.float32)

    @property
    def backend(self) -> str:
        """What runs the net: torch or openvino."""
        return self._net.backend

    def describe(self) -> dict[str, Any]:
        """What the report says of this net: config, checkpoint, sha256, backend, device, precision."""
        return {
            **self._sources,
            "backend": self._net.backend,
            "device": self._device,
            "precision": self._net.precision,
        }
