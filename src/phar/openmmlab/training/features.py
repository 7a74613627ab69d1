"""Training behind a stem that stays as it is: its features are computed once and looked at many times.

Drawing a clip and running the stem costs several times what a step of the transformer behind it costs, so
the same processor time shows the transformer its clips many times over.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from phar.openmmlab import loading
from phar.openmmlab.backends import NetSource, make_net
from phar.openmmlab.training.arrays import Arrays, Row, fill
from phar.openmmlab.training.datasets import RecordDataset, Samples
from phar.openmmlab.training.pipelines import training_steps
from phar.openmmlab.training.records import FeatureRecord
from phar.openmmlab.training.weights import start_from
from phar.schema import ModelError


class FeatureSamples:
    """Clips of stem features, in another order each time round."""

    def __init__(self, folder: Path, size: int, seed: int, shuffled: bool) -> None:
        self._kept = Arrays(folder, "features", "labels")
        self._size = size
        self._seed = seed
        self._shuffled = shuffled
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> FeatureRecord:
        features, labels = self._kept["features"], self._kept["labels"]
        turn, place = divmod(index, len(labels))
        if not self._shuffled:
            return FeatureRecord(features[place].astype(np.float32), int(labels[place]))
        if self._order is None or self._order[0] != turn:
            rng = np.random.default_rng([self._seed, turn])
            self._order = (turn, rng.permutation(len(labels)))
        clip = int(self._order[1][place])
        rng = np.random.default_rng([self._seed, index])
        return FeatureRecord(_varied(features[clip].astype(np.float32), rng), int(labels[clip]))


def _varied(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Frames (C, T, h, w) drawn anew with repeats, and a few patches hidden."""
    num_frames = features.shape[1]
    if rng.uniform() < 0.5:
        features = features[:, np.sort(rng.integers(0, num_frames, num_frames))]
    kept = rng.uniform(size=(1, *features.shape[1:])) >= rng.uniform(0, 0.15)
    return np.asarray(features * kept, np.float32)


class _LastMap(nn.Module):
    """A backbone that gives its last feature map alone."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, frames: Tensor) -> Tensor:
        features: Tensor = self.backbone(frames)[-1]
        return features


def compute_features(
    config: str | Path,
    source: str | Path,
    samples: Samples,
    folder: str | Path,
    seed: int,
    num_workers: int = 1,
) -> None:
    """Write the stem features of all `samples` of frames to `folder`; what is there already is kept.

    `source` holds the stem's weights: a checkpoint or a training folder. Raises ModelError.
    """
    loaded = loading.load_config(config)
    model: Any = loading.build(loaded["model"], "mmaction", seed)
    if not hasattr(model.backbone.patch_embed, "stem"):
        raise ModelError(
            f"config {config} has no stem whose features could be computed; name StemTimeSformer"
        )
    start_from(model, source)
    net = NetSource.of(_LastMap(model.backbone.patch_embed.stem).eval())
    stem = make_net(net, torch.device("cpu"), "auto")
    dataset = RecordDataset(samples, partial(training_steps, "rgb", loaded), "rgb", seed, {})

    def rows(done: int) -> Iterator[Row]:
        rest = Subset(dataset, range(done, len(samples)))
        loader = DataLoader(rest, batch_size=1, num_workers=num_workers, collate_fn=lambda items: items[0])
        for sample in loader:
            batch = model.data_preprocessor(
                {"inputs": [sample["inputs"]], "data_samples": [sample["data_samples"]]}
            )
            frames = batch["inputs"].flatten(0, 1)[0].transpose(0, 1)
            found = stem(frames.numpy())[0].transpose(0, 1).half().numpy()
            yield {"features": found, "labels": np.array(int(sample["data_samples"].gt_label))}

    fill(Path(folder), {"seed": seed, "stem": net.key}, len(samples), rows)
