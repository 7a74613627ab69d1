"""Stem features that are computed once and looked at many times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from phar.openmmlab import loading
from phar.openmmlab.training import FeatureSamples, FrameRecord, compute_features
from phar.openmmlab.training.weights import start_from
from phar.profile import RESOURCES
from phar.schema import ModelError

CONFIG = RESOURCES / "configs" / "rgb" / "timesformer_demo.py"


class Noise:
    """Clips of random pictures."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> FrameRecord:
        frames = np.random.default_rng(index).integers(0, 255, (8, 90, 160, 3), dtype=np.uint8)
        return FrameRecord(frames, index % 3)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return loading.build(loading.load_config(CONFIG)["model"], "mmaction", 0)


@pytest.fixture(scope="module")
def backbone(model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stem's weights under the names they have in the net they come from."""
    stem = model.backbone.patch_embed.stem.state_dict()
    path = tmp_path_factory.mktemp("weights") / "pose.safetensors"
    save_file({f"backbone.{k}": v * 0.5 if v.is_floating_point() else v for k, v in stem.items()}, path)
    return path


@pytest.fixture(scope="module")
def folder(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    compute_features(CONFIG, backbone, Noise(3), folder, seed=0, num_workers=0)
    return folder


def test_a_net_s_backbone_becomes_the_stem(backbone: Path) -> None:
    fresh = loading.build(loading.load_config(CONFIG)["model"], "mmaction", 1)
    start_from(fresh, backbone)
    given = loading.load_checkpoint(backbone)["state_dict"]
    for name, value in fresh.backbone.patch_embed.stem.state_dict().items():
        torch.testing.assert_close(value, given[f"backbone.{name}"])


def test_weights_of_which_nothing_fits_are_refused(model: torch.nn.Module, tmp_path: Path) -> None:
    save_file({"other.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="shares no weights"):
        start_from(model, tmp_path / "other.safetensors")


def test_features_and_pictures_give_the_same_patches(model: torch.nn.Module) -> None:
    patches = model.backbone.patch_embed
    frames = torch.randn(2, 3, 8, 128, 192)
    with torch.inference_mode():
        features = patches.stem(frames.transpose(1, 2).flatten(0, 1))[-1]
        features = features.unflatten(0, (2, 8)).transpose(1, 2)
        assert features.shape == (2, 128, 8, 8, 12)
        assert patches(frames).shape == (16, 24, 160)
        torch.testing.assert_close(patches(features), patches(frames))


def test_features_are_those_of_the_stem_on_the_prepared_frames(folder: Path) -> None:
    features, labels = np.load(folder / "features.npy"), np.load(folder / "labels.npy")
    assert features.shape == (3, 128, 8, 8, 12)
    assert features.dtype == np.float16
    assert labels.tolist() == [0, 1, 2]
    assert np.isfinite(features).all()
    assert not np.array_equal(features[0], features[1])


def test_computing_that_was_stopped_goes_on(folder: Path, backbone: Path) -> None:
    before = np.load(folder / "features.npy")
    changed = np.load(folder / "features.npy", mmap_mode="r+")
    changed[2] = 0
    changed.flush()
    (folder / "done.json").write_text('{"done": 2, "size": 3, "seed": 0}')
    compute_features(CONFIG, backbone, Noise(3), folder, seed=0, num_workers=0)
    np.testing.assert_array_equal(np.load(folder / "features.npy"), before)


def test_each_time_round_shows_every_clip_once(folder: Path) -> None:
    samples = FeatureSamples(folder, 12, 5, shuffled=True)
    labels = [samples[i].label for i in range(12)]
    for turn in range(4):
        assert Counter(labels[3 * turn : 3 * turn + 3]) == Counter([0, 1, 2])
    again = FeatureSamples(folder, 12, 5, shuffled=True)
    np.testing.assert_array_equal(again[7].features, samples[7].features)


def test_validation_sees_the_features_as_they_are(folder: Path) -> None:
    stored = np.load(folder / "features.npy")
    samples = FeatureSamples(folder, 3, 0, shuffled=False)
    for i in range(3):
        np.testing.assert_array_equal(samples[i].features, stored[i].astype(np.float32))
