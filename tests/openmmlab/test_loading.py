"""Loading checkpoints: nothing runs, every weight is accounted for, and errors fit on a line."""

import builtins
import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from phar.cli import main as phar
from phar.openmmlab import Recognizer, imports, loading
from phar.schema import ModelError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


class Payload:
    """Runs a function when unpickled the usual way."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def _legacy_tar(path: Path, marker: Path) -> None:
    """A file in the tar form of torch 0.1, whose pickles torch once read without asking."""
    with tarfile.open(path, "w") as tar:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(Payload(os.system, f"touch {marker}"))
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def malicious(kind: str, folder: Path) -> tuple[Path, Path]:
    """A file that asks for code to be run, and what would be there had it run."""
    marker, path = folder / "ran", folder / "model.pth"
    touch = Payload(os.system, f"touch {marker}")
    if kind == "raw":
        path.write_bytes(pickle.dumps(touch))
    elif kind == "tar":
        _legacy_tar(path, marker)
    elif kind == "eval":
        torch.save({"state_dict": {}, "meta": Payload(builtins.eval, f"open({str(marker)!r}, 'w')")}, path)
    elif kind == "nested":
        torch.save({"state_dict": {"a": torch.ones(1), "b": [(touch,)]}}, path)
    elif kind == "getattr":
        # The log history of a training run refers to getattr, so that name alone is let through, inert.
        torch.save({"state_dict": Payload(getattr, Payload(__import__, "os"), "system")}, path)
    else:
        torch.save({"state_dict": touch}, path)
    return path, marker


KINDS = ("system", "eval", "nested", "raw", "getattr", "tar")


@pytest.mark.parametrize("kind", KINDS)
def test_malicious_files_are_refused_and_nothing_runs(kind: str, tmp_path: Path) -> None:
    path, marker = malicious(kind, tmp_path)
    with pytest.raises(ModelError) as caught:
        loading.load_checkpoint(path)
    assert not marker.exists()
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_commands_refuse_malicious_files(kind: str, tmp_path: Path, capsys) -> None:
    path, marker = malicious(kind, tmp_path)
    assert phar.main(["models", "import", str(path), "--out", str(tmp_path / "new.safetensors")]) == 4
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(path) in said
    assert [each.name for each in tmp_path.iterdir()] == ["model.pth"] and not marker.exists()


@pytest.mark.parametrize("stream", ["rgb", "audio"])
def test_a_demo_with_a_malicious_file_ends_before_any_work(
    stream: str, make_clip: Callable[..., Path], tmp_path: Path, capsys
) -> None:
    path, marker = malicious("nested", tmp_path)
    clip, out = make_clip(8.0), tmp_path / "out.json"
    command = ["demo", str(clip), str(out), "--profile", "demo", "--backend", "torch"]
    assert phar.main([*command, f"--{stream}-checkpoint", str(path)]) == 4
    assert f"checkpoint {path} is refused" in capsys.readouterr().err
    assert not marker.exists() and not out.exists()


def test_the_malicious_files_do_run_where_nothing_holds_them_back(tmp_path: Path) -> None:
    path, marker = malicious("raw", tmp_path)
    pickle.loads(path.read_bytes())
    assert marker.exists()


def test_a_checkpoint_of_a_training_run_loads(tmp_path: Path) -> None:
    from mmengine.logging import MessageHub

    hub = MessageHub("loading-test")
    for value in (0.5, 0.25):
        hub.update_scalar("train/loss", value)
    hub.update_info("iter", np.int64(7))
    path = tmp_path / "epoch_1.pth"
    torch.save(
        {
            "state_dict": {"module.a.weight": torch.arange(3.0)},
            "message_hub": hub.state_dict(),
            "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}},
            "meta": {
                "epoch": 1,
                "seed": np.float64(3),
                "cfg": "model = dict()",
                "dataset_meta": {"classes": ["a"]},
            },
        },
        path,
    )
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    content = loading.load_checkpoint(path)
    assert content["state_dict"]["a.weight"].tolist() == [0, 1, 2]
    assert content["meta"] == {"epoch": 1, "cfg": "model = dict()", "dataset_meta": {"classes": ["a"]}}


def test_safetensors_load(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.arange(4.0)}, path, metadata={"classes": "2"})
    content = loading.load_checkpoint(path)
    assert content["state_dict"]["a"].tolist() == [0, 1, 2, 3]
    assert content["meta"] == {"classes": "2"}


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_files_that_are_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    for name in ("model.pth", "model.safetensors"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelError, match=name) as caught:
            loading.load_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.pth is not there"):
        loading.load_checkpoint(tmp_path / "nowhere.pth")
    with pytest.raises(ModelError, match=r"nowhere\.py is not there"):
        loading.load_config(tmp_path / "nowhere.py")


def test_a_config_without_a_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("a = 1\n")
    with pytest.raises(ModelError, match="describes no model"):
        loading.load_config(path)
    path.write_text("a = (\n")
    with pytest.raises(ModelError, match="cannot be read"):
        loading.load_config(path)


def test_missing_and_unexpected_weights_are_both_listed() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    state = dict(model.state_dict())
    state["2.bias"] = state.pop("0.bias")
    with pytest.raises(ModelError, match=r"1 missing: 0\.bias; 1 unexpected: 2\.bias"):
        loading.load_weights(model, "x.pth", state)
    state = {**model.state_dict(), "0.weight": torch.zeros(3, 5)}
    with pytest.raises(ModelError, match=r"1 of another shape: 0\.weight \[3, 5\] for \[3, 2\]"):
        loading.load_weights(model, "x.pth", state)


def test_another_number_of_classes_is_one_line(tmp_path: Path) -> None:
    config = CONFIGS / "audio" / "resnet101_64x1x10_audio-feature.py"
    description = loading.load_config(config)["model"]
    description["backbone"]["depth"] = 50
    description["cls_head"]["num_classes"] = 4
    path = tmp_path / "four.pth"
    torch.save({"state_dict": loading.build(description, "mmaction", 0).state_dict()}, path)
    smaller = loading.load_config(config)
    smaller["model"]["backbone"]["depth"] = 50
    with pytest.raises(ModelError) as caught:
        Recognizer.load(smaller, path, num_classes=3, device="cpu", backend="torch")
    assert str(caught.value) == (
        f"checkpoint {path} knows 4 classes, but 3 labels are given; name the label file it was trained with"
    )
    assert Recognizer.load(smaller, path, num_classes=4, device="cpu", backend="torch").num_classes == 4


def test_random_weights_follow_the_seed() -> None:
    config = loading.load_config(CONFIGS / "person" / "rtmdet_nano_320-8xb32_person.py")["model"]
    first, again, other = (loading.build(config, "mmdet", seed).state_dict() for seed in (1, 1, 2))
    name = "backbone.stem.0.conv.weight"
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])


def test_the_libraries_default_scope_is_given_back() -> None:
    from mmengine.registry import DefaultScope

    before = DefaultScope.get_current_instance()
    with imports.scope("mmdet"):
        assert DefaultScope.get_current_instance().scope_name == "mmdet"
        with imports.scope("mmaction"):
            assert DefaultScope.get_current_instance().scope_name == "mmaction"
        assert DefaultScope.get_current_instance().scope_name == "mmdet"
    assert DefaultScope.get_current_instance() is before


def test_devices() -> None:
    assert loading.pick_device("cpu").type == "cpu"
    with pytest.raises(ModelError, match="device 'tpu9x' is unknown"):
        loading.pick_device("tpu9x")
    if not torch.cuda.is_available():
        assert loading.pick_device("auto").type == "cpu"
        with pytest.raises(ModelError, match="torch sees no GPU here"):
            loading.pick_device("cuda")
