"""phar models random and quantize: nets for measuring, and int8 copies of nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from phar.cli import main as phar
from phar.openmmlab import Recognizer
from phar.openmmlab.quantizing import listening, quantize
from phar.profile import RESOURCES, load_profile, with_preset
from phar.schema import ModelError

CONFIG = RESOURCES / "configs" / "rgb" / "timesformer_demo.py"
CHECKPOINT = RESOURCES / "checkpoints" / "demo" / "rgb.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    assert phar.main(["models", "random", "demo", "--out", str(folder), "--seed", "3"]) == 0
    return folder


def test_every_net_is_written_and_a_profile_that_names_them(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "audio.safetensors",
        "demo-random.yaml",
        "detector.safetensors",
        "pose.safetensors",
        "rgb.safetensors",
        "skeleton.safetensors",
    ]
    profile = load_profile(folder / "demo-random.yaml")
    assert profile.name == "demo-random"
    for preset in (None, *profile.presets):
        for model in with_preset(profile, preset).models().values():
            assert model.checkpoint is not None
            assert model.checkpoint.parent == folder and model.checkpoint.is_file()


def test_weights_follow_the_seed_and_fit_strictly(folder: Path, tmp_path: Path) -> None:
    assert phar.main(["models", "random", "demo", "--out", str(tmp_path), "--seed", "3"]) == 0
    one, other = (load_file(where / "rgb.safetensors") for where in (folder, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert phar.main(["models", "random", "demo", "--out", str(tmp_path), "--seed", "4"]) == 0
    other = load_file(tmp_path / "rgb.safetensors")
    assert any(not torch.equal(one[name], other[name]) for name in one)
    trained = load_file(CHECKPOINT)
    assert {n: t.shape for n, t in one.items()} == {n: t.shape for n, t in trained.items()}


def test_files_of_others_stay(tmp_path: Path, capsys) -> None:
    (tmp_path / "demo-random.yaml").write_text("name: mine\n")
    assert phar.main(["models", "random", "demo", "--out", str(tmp_path)]) == 2
    assert "was not written by phar" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["demo-random.yaml"]
    assert yaml.safe_load((tmp_path / "demo-random.yaml").read_text()) == {"name": "mine"}


def test_an_unknown_profile_is_refused(tmp_path: Path, capsys) -> None:
    assert phar.main(["models", "random", "phar99", "--out", str(tmp_path)]) == 2
    assert "profile 'phar99' is not bundled; use one of demo, moderation, phar17" in capsys.readouterr().err


def recognizer(backend: str) -> Recognizer:
    return Recognizer.load(CONFIG, CHECKPOINT, 13, device="cpu", backend=backend, sampling="seconds")


def windows(count: int, seed: int) -> list[np.ndarray]:
    """Soft random pictures: noise alone looks like nothing the net has seen."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (count, 8, 8, 12, 3), np.uint8)
    return list(coarse.repeat(16, axis=2).repeat(16, axis=3))


def test_an_int8_copy_says_nearly_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf")
    monkeypatch.setenv("PHAR_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"no int8 copy.*phar models quantize PROFILE"):
        recognizer("openvino-int8")
    exact = recognizer("openvino")
    with listening() as heard:
        exact.predict(windows(12, 0))
    ((net, shapes),) = heard.items()
    ((shape, inputs),) = shapes.items()
    assert shape == (8, 128, 192, 3, "uint8") and len(inputs) == 12
    assert quantize(net, shape, inputs)[0] == 12
    small = recognizer("openvino-int8")
    assert small.describe()["precision"] == "int8"
    fresh = windows(6, 1)
    one, other = exact.predict(fresh), small.predict(fresh)
    assert not np.array_equal(one, other)
    assert np.abs(one - other).max() < 0.25
    assert small.describe()["backend"] == "openvino"
