"""Training through the Runner: joints as a second task, resuming, exporting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from phar.openmmlab import loading
from phar.openmmlab.bare import bare_net
from phar.openmmlab.clips import PoseClip
from phar.openmmlab.training import PoseRecord, Settings, SoundRecord, export_weights, read_plan, train
from phar.profile import RESOURCES
from phar.schema import ModelError
from phar.synth import load_world
from phar.training.samples import SAMPLES

AUDIO = """
model = dict(
    type='RecognizerAudio',
    backbone=dict(
        type='ResNetAudio', depth=50, pretrained=None, in_channels=1, base_channels=4, conv1_stride=2,
        strides=(2, 2, 2, 2), norm_eval=False),
    cls_head=dict(
        type='TSNAudioHead', num_classes=2, in_channels=128, dropout_ratio=0., average_clips='prob'))
train_pipeline = [
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, out_of_bound_opt='repeat_last'),
    dict(type='AudioFeatureSelector', fixed_length=32),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs')]
test_pipeline = [
    dict(type='LoadAudioFeature'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='AudioFeatureSelector', fixed_length=32),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs')]
training = dict(iterations=8, batch_size=4, optimizer=dict(type='AdamW', lr=1e-3), warmup=2)
"""


LABELS = ("low", "high")


class Tones:
    """Two kinds of spectrogram: energy low or high."""

    #: Positions asked for; of the class, because the Runner copies its datasets.
    asked: ClassVar[list[int]] = []

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> SoundRecord:
        self.asked.append(index)
        features = np.random.default_rng(index).uniform(0, 0.2, (40, 80)).astype(np.float32)
        features[:, :40] += 0.6 * (index % 2)
        features[:, 40:] += 0.6 * (1 - index % 2)
        return SoundRecord(features, index % 2)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(AUDIO)
    return path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return loading.load_checkpoint(folder / "iter_8.pth")["state_dict"]


def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(config: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    settings = Settings(labels=LABELS, num_workers=0, val_interval=4, checkpoint_interval=4)
    metrics = train("audio", config, Tones(32), Tones(8), whole, settings)
    assert 0 <= metrics["acc/top1"] <= 1

    train("audio", config, Tones(32), Tones(8), parts, settings)
    # Killed while the last one was being written.
    (parts / "iter_8.pth").write_bytes((parts / "iter_8.pth").read_bytes()[:1000])
    (parts / "last_checkpoint").write_text("")
    Tones.asked.clear()
    train("audio", config, Tones(32), Tones(8), parts, replace(settings, resume=True))
    assert Tones.asked[0] == 16, "samples that were seen are drawn again"
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], value, msg=name)


def test_exported_weights_load_and_are_half_as_large(config: Path, tmp_path: Path) -> None:
    train("audio", config, Tones(32), Tones(8), tmp_path / "run", Settings(labels=LABELS, num_workers=0))
    size = export_weights(tmp_path / "run", tmp_path / "net.safetensors", {"model": "tones"})
    state = loading.load_checkpoint(tmp_path / "net.safetensors")["state_dict"]
    (best,) = (tmp_path / "run").glob("best_*.pth")
    trained = loading.load_checkpoint(best)["state_dict"]
    assert set(state) == set(trained)
    assert size < 0.7 * sum(t.numel() * 4 for t in trained.values()) + 40_000
    for name, value in state.items():
        torch.testing.assert_close(value.float(), trained[name].float(), rtol=1e-3, atol=1e-3)
    model = loading.build(loading.load_config(config)["model"], "mmaction", 0)
    loading.load_weights(model, "net.safetensors", state, 2)


def test_a_folder_without_a_checkpoint_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint yet"):
        export_weights(tmp_path, tmp_path / "net.safetensors", {})


def test_a_config_without_a_plan_is_refused(config: Path, tmp_path: Path) -> None:
    config.write_text(AUDIO.partition("training =")[0])
    with pytest.raises(ModelError, match="training"):
        train("audio", config, Tones(32), Tones(8), tmp_path / "run")


@pytest.mark.parametrize(
    ("kind", "config", "labels"),
    [
        ("person", "person/rtmdet_demo.py", None),
        ("pose", "person/rtmpose_demo.py", None),
        ("scene", "rgb/stem_demo.py", None),
        ("rgb", "rgb/timesformer_demo.py", "labels"),
        ("skeleton", "skeleton/stgcnpp_demo.py", "skeleton_labels"),
        ("audio", "audio/resnet_demo.py", "audio_labels"),
    ],
)
def test_every_bundled_net_trains_in_bfloat16(
    kind: str, config: str, labels: str | None, tmp_path: Path
) -> None:
    # Regression: losses handed bfloat16 to NumPy, on every machine that trains in it of its own accord.
    world = load_world(1)
    path = RESOURCES / "configs" / config
    names = getattr(world, labels) if labels else ()
    plan = replace(read_plan(loading.load_config(path), path), batch_size=4)
    settings = Settings(labels=names, num_workers=0, precision="bf16")
    train(kind, path, SAMPLES[kind](world, "train", 0, 8), None, tmp_path, settings, plan)
    (checkpoint,) = tmp_path.glob("iter_2.pth")
    state = loading.load_checkpoint(checkpoint)["state_dict"]
    assert all(value.isfinite().all() for value in state.values())
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}


def test_blending_follows_the_labels_that_are_trained(config: Path, tmp_path: Path) -> None:
    blended = "model = dict(data_preprocessor=dict(type='ActionDataPreprocessor', blending=dict("
    config.write_text(AUDIO.replace("model = dict(", f"{blended}type='MixupBlending', num_classes=27)),", 1))
    train("audio", config, Tones(4), None, tmp_path / "run", Settings(labels=("low", "high"), num_workers=0))
    trained = loading.load_checkpoint(tmp_path / "run" / "iter_1.pth")["state_dict"]
    assert trained["cls_head.fc_cls.weight"].shape[0] == 2
    bare_net(config, num_classes=2, weights=False)


def test_poses_become_the_maps_of_the_library_itself() -> None:
    from phar.openmmlab import imports
    from phar.openmmlab.training.datasets import RecordDataset

    rng = np.random.default_rng(0)
    points = rng.uniform(0, 60, (2, 5, 17, 2)).astype(np.float32)
    scores = rng.uniform(0, 1, (2, 5, 17)).astype(np.float32)
    record = PoseRecord(PoseClip(points, scores, 64, 64), 1)
    pipeline = [
        {"type": "GeneratePoseTarget", "sigma": 0.6, "use_score": True, "with_kp": True, "with_limb": False},
        {"type": "FormatShape", "input_format": "NCTHW_Heatmap"},
        {"type": "PackActionInputs"},
    ]
    ours = RecordDataset([record], lambda picked: pipeline, "skeleton", 0, {})[0]["inputs"].numpy()
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        results = {"keypoint": points, "keypoint_score": scores, "img_shape": (64, 64), "label": 1}
        results |= {"modality": "Pose", "num_clips": 1, "clip_len": 5}
        theirs = Compose(pipeline)(results)["inputs"].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
