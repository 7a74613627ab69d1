"""phar models import, export and info: other forms of a checkpoint, and how large its net is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from phar.cli import main as phar
from phar.models import find
from phar.models.weights import measure
from phar.openmmlab.complexity import complexity
from phar.openmmlab.loading import load_checkpoint
from phar.profile import RESOURCES

SKELETON = RESOURCES / "checkpoints" / "demo" / "skeleton.safetensors"
CONFIG = RESOURCES / "configs" / "skeleton" / "stgcnpp_demo.py"


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What a training run leaves: weights, two of them sharing memory, optimizer and log."""
    shared = torch.arange(6.0).reshape(2, 3)
    content = {
        "state_dict": {"a.weight": shared, "b.weight": shared.T, "c": torch.tensor(7)},
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}},
        "meta": {"epoch": 3},
    }
    path = tmp_path / "old.pth"
    torch.save(content, path)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_import_keeps_the_weights_and_nothing_else(source: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "new.safetensors"
    assert phar.main(["models", "import", str(source), "--out", str(out)]) == 0
    size_kb = out.stat().st_size / 1e3
    assert capsys.readouterr().out == f"{out}: 3 tensors, 13 values, {size_kb:.1f} kB\n"
    state = load_file(out)
    assert sorted(state) == ["a.weight", "b.weight", "c"]
    assert state["b.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert (state["c"].item(), state["c"].dtype) == (7, torch.int64)
    with safe_open(out, framework="pt") as file:
        assert json.loads(file.metadata()["phar"])["imported_from"] == "old.pth"
    assert names(tmp_path) == ["new.safetensors", "old.pth"]


def test_import_replaces_its_own_file_and_no_other(source: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "new.safetensors"
    command = ["models", "import", str(source), "--out", str(out)]
    assert (phar.main(command), phar.main(command)) == (0, 0)
    save_file({"a": torch.zeros(1)}, out)
    before = out.read_bytes()
    assert phar.main(command) == 2
    assert "exists and was not written by phar" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert phar.main(["models", "import", str(out), "--out", str(out)]) == 2
    assert phar.main([*command[:-1], str(tmp_path / "new.pth")]) == 2
    assert phar.main([*command[:-1], str(tmp_path / "none" / "new.safetensors")]) == 5


def test_import_runs_nothing(tmp_path: Path, capsys) -> None:
    made, source, out = tmp_path / "made", tmp_path / "bad.pth", tmp_path / "new.safetensors"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "meta": Harmful(made)}, source)
    assert phar.main(["models", "import", str(source), "--out", str(out)]) == 4
    assert "is refused: it holds more than tensors" in capsys.readouterr().err
    assert names(tmp_path) == ["bad.pth"]


def test_import_with_a_config_takes_only_what_fits(tmp_path: Path, capsys) -> None:
    state = load_checkpoint(SKELETON)["state_dict"]
    good, bad, out = tmp_path / "good.pth", tmp_path / "bad.pth", tmp_path / "new.safetensors"
    torch.save({"state_dict": state}, good)
    (lost, *_) = state
    torch.save({"state_dict": {name: state[name] for name in state if name != lost}}, bad)
    command = ["models", "import", "--config", str(CONFIG), "--out", str(out)]
    assert phar.main([*command, str(bad)]) == 4
    assert f"does not fit its config; 1 missing: {lost}" in capsys.readouterr().err
    assert not out.exists()
    assert phar.main([*command, str(good)]) == 0
    written = load_file(out)
    assert all(torch.equal(written[name], state[name]) for name in state)


def test_export_writes_a_net_that_openvino_runs(tmp_path: Path, capsys) -> None:
    import openvino

    out = tmp_path / "net.xml"
    assert phar.main(["models", "export", "skeleton", str(out)]) == 0
    said = capsys.readouterr().out
    assert "takes Nx2x48x17x9 float32" in said
    assert names(tmp_path) == ["net.bin", "net.xml"]
    compiled = openvino.Core().compile_model(out, "CPU")
    (scores,) = compiled(np.zeros((3, 2, 48, 17, 9), np.float32)).values()
    assert scores.shape == (3, 6)
    assert phar.main(["models", "export", "skeleton", str(out)]) == 2
    assert "exists; remove it or choose another name" in capsys.readouterr().err


def test_export_names_what_it_needs(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert phar.main(["models", "export", "skeleton", str(tmp_path / "net.onnx")]) == 4
    assert "`pip install onnx`, or name an .xml" in capsys.readouterr().err
    assert phar.main(["models", "export", "skeleton", str(tmp_path / "net.txt")]) == 2
    assert "ends in neither .xml nor .onnx" in capsys.readouterr().err
    monkeypatch.setenv("PHAR_CHECKPOINTS", str(tmp_path))
    assert phar.main(["models", "export", "phar17-audio", str(tmp_path / "net.xml")]) == 4
    assert "`phar models pull phar17-audio` fetches it" in capsys.readouterr().err
    assert names(tmp_path) == []


def test_export_to_onnx_is_read_back(tmp_path: Path, capsys) -> None:
    assert phar.main(["models", "export", "skeleton", str(tmp_path / "net.onnx")]) == 0
    assert "takes 1x2x48x17x9 float32" in capsys.readouterr().out
    assert names(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize(
    ("config", "parameters_m", "gflops", "unit"),
    [
        # Source: mmdet 3.3.0, configs/rtmdet/README.md.
        ("person/rtmdet_tiny_8xb32-300e_coco.py", 4.8, 8.1, "frame"),
        # Source: mmpose 1.3.2, projects/rtmpose/README.md.
        ("person/rtmpose-s_8xb256-420e_coco-256x192.py", 5.47, 0.68, "person"),
    ],
)
def test_nets_are_as_large_as_published(config: str, parameters_m: float, gflops: float, unit: str) -> None:
    found = complexity(RESOURCES / "configs" / config)
    assert found.parameters / 1e6 == pytest.approx(parameters_m, rel=0.03)
    assert found.gflops == pytest.approx(gflops, rel=0.02)
    assert found.unit == unit


def test_a_detector_of_two_stages_is_counted_whole() -> None:
    found = complexity(RESOURCES / "configs" / "person" / "faster-rcnn_r50_fpn_2x_coco.py")
    # Source: torchvision's fasterrcnn_resnet50_fpn, 41,755,286; it has 91 for 81 classes and boxes for 91 for
    # 80, at 1025 each, and does not count its 53,120 frozen numbers of batch norms.
    assert found.parameters == 41_755_286 - (10 + 4 * 11) * 1025 + 53_120
    # The second stage alone, 1000 proposals: 7x7x256 -> 1024 -> 1024 -> 81 + 320.
    assert found.gflops > 1000 * (12544 * 1024 + 1024 * 1024 + 1024 * 401) / 1e9
    assert found.unit == "frame"


def test_a_net_is_counted_with_the_classes_of_its_labels() -> None:
    found = measure(find("phar17-skeleton"))
    # Source: the original project's README: 2.0 M.
    assert found.parameters == 1_997_158
    assert found.input_shape == (1, 17, 54, 64, 64)


def test_info_says_what_is_known_and_measured(capsys) -> None:
    assert phar.main(["models", "info", "skeleton", "--json", "--time"]) == 0
    found = json.loads(capsys.readouterr().out)
    weights = sum(tensor.numel() for tensor in load_checkpoint(SKELETON)["state_dict"].values())
    assert 0 < found["parameters"] <= weights
    assert found["licence"] == "Apache-2.0"
    assert found["here"] is True
    assert found["gflops_per_window"] == pytest.approx(0.014, abs=0.0005)
    assert 0 < found["seconds_per_window"] < 60
    assert found["backend"] in ("openvino", "torch")
