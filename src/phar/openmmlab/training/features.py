"""Training behind a stem that stays as it is: its features are computed once and looked at many times.

Drawing a clip and running the stem costs several times what a step of the transformer behind it costs, so
the same processor time shows the transformer its clips many times over.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from phar.openmmlab import loading
from phar.openmmlab.backends import make_net
from phar.openmmlab.training.datasets import RecordDataset, Samples
from phar.openmmlab.training.pipelines import training_steps
from phar.openmmlab.training.records import FeatureRecord
from phar.openmmlab.training.weights import start_from
from phar.schema import ModelError

#: Clips between two notes of how far the computing has come.
_NOTE_EVERY = 50


class FeatureSamples:
    """Clips of stem features, in another order each time round."""

    def __init__(self, folder: Path, size: int, seed: int, shuffled: bool) -> None:
        self._folder = folder
        self._size = size
        self._seed = seed
        self._shuffled = shuffled
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._open()

    def _open(self) -> None:
        self._features = np.load(self._folder / "features.npy", mmap_mode="r")
        self._labels = np.load(self._folder / "labels.npy")

    def __getstate__(self) -> dict[str, Any]:
        # The Runner copies its datasets; the features stay on the disk.
        return {k: v for k, v in self.__dict__.items() if k not in ("_features", "_labels")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> FeatureRecord:
        turn, place = divmod(index, len(self._labels))
        if not self._shuffled:
            return FeatureRecord(self._features[place].astype(np.float32), int(self._labels[place]))
        if self._order is None or self._order[0] != turn:
            rng = np.random.default_rng([self._seed, turn])
            self._order = (turn, rng.permutation(len(self._labels)))
        clip = int(self._order[1][place])
        features = self._features[clip].astype(np.float32)
        return FeatureRecord(
            _varied(features, np.random.default_rng([self._seed, index])), int(self._labels[clip])
        )


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
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    loaded = loading.load_config(config)
    model: Any = loading.build(loaded["model"], "mmaction", seed)
    if not hasattr(model.backbone.patch_embed, "stem"):
        raise ModelError(
            f"config {config} has no stem whose features could be computed; name StemTimeSformer"
        )
    start_from(model, source)
    stem = make_net(_LastMap(model.backbone.patch_embed.stem).eval(), torch.device("cpu"), "auto")
    dataset = RecordDataset(samples, partial(training_steps, "rgb", loaded), "rgb", seed, {})
    note, done, features, labels = folder / "done.json", 0, None, np.zeros(len(samples), np.int64)
    if note.is_file():
        state = json.loads(note.read_text())
        if state["size"] == len(samples) and state["seed"] == seed:
            done = state["done"]
            features = np.load(folder / "features.npy", mmap_mode="r+")
            labels = np.load(folder / "labels.npy")
    rest = torch.utils.data.Subset(dataset, range(done, len(samples)))
    loader = DataLoader(rest, batch_size=1, num_workers=num_workers, collate_fn=lambda items: items[0])
    for index, sample in enumerate(loader, start=done):
        batch = model.data_preprocessor(
            {"inputs": [sample["inputs"]], "data_samples": [sample["data_samples"]]}
        )
        frames = batch["inputs"].flatten(0, 1)[0].transpose(0, 1)
        found = stem(frames.numpy())[0].transpose(0, 1).half().numpy()
        if features is None:
            shape = (len(samples), *found.shape)
            features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, shape)
        features[index], labels[index] = found, int(sample["data_samples"].gt_label)
        if (index + 1) % _NOTE_EVERY == 0 or index + 1 == len(samples):
            features.flush()
            np.save(folder / "labels.npy", labels)
            note.write_text(json.dumps({"done": index + 1, "size": len(samples), "seed": seed}))
