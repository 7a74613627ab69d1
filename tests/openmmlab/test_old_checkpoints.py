"""Files of MMAction2 0.x, MMDetection 2.x and MMPose 0.x load into today's nets, weight by weight.

What such files hold was listed by the old libraries themselves: see make_old_state_dicts.py.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from phar.cli import main as phar
from phar.openmmlab import PoseEstimator, loading, old_keys
from phar.openmmlab.bare import bare_net
from phar.profile import RESOURCES, load_labels
from phar.schema import ModelError

OLD = json.loads(gzip.decompress(Path(__file__).with_name("old_state_dicts.json.gz").read_bytes()))

#: net -> its config, and its label file where it has one.
NETS = {
    "timesformer": ("rgb/timesformer_divST_16x12x1_rgb.py", "rgb"),
    "posec3d": ("skeleton/slowonly_r50_u54_keypoint.py", "skeleton"),
    "audio": ("audio/resnet101_64x1x10_audio-feature.py", "audio"),
    "faster-rcnn": ("person/faster-rcnn_r50_fpn_2x_coco.py", None),
    "hrnet": ("person/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py", None),
}
LAST_LAYER = {
    "timesformer": "cls_head.fc_cls.weight",
    "posec3d": "cls_head.fc_cls.weight",
    "audio": "cls_head.fc_cls.weight",
    "faster-rcnn": "roi_head.bbox_head.fc_cls.weight",
    "hrnet": "head.final_layer.weight",
}


def config_of(net: str) -> Path:
    return RESOURCES / "configs" / NETS[net][0]


def labels_of(net: str) -> int | None:
    name = NETS[net][1]
    return name and len(load_labels(RESOURCES / "annotations" / "phar17" / f"{name}.txt"))


def old_state(net: str) -> dict[str, Tensor]:
    """All that an old file of the net holds; tensor number i is i + 1 throughout, in memory of one value."""
    return {
        name: torch.tensor(i + 1, dtype=getattr(torch, kind)).expand(shape)
        for i, (name, shape, kind) in enumerate(OLD[net]["tensors"])
    }


def old_meta(classes: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
    """What mmcv 1.x and the libraries above it note beside the weights."""
    return {
        "mmcv_version": "1.7.0",
        "mmaction_version": "0.24.1+a1b2c3d",
        "time": "Mon Mar  7 12:00:00 2022",
        "config": "model = dict(type='Recognizer3D')\n",
        "env_info": "sys.platform: linux\nPython: 3.7.11",
        "seed": 42,
        "exp_name": "posec3d.py",
        "epoch": 30,
        "iter": 4500,
        "hook_msgs": {"best_score": np.float64(0.813), "last_ckpt": "epoch_30.pth"},
        "CLASSES": classes,
        "PALETTE": [(220, 20, 60), (119, 11, 32)],
    }


@pytest.fixture
def old_file(tmp_path: Path) -> Any:
    """Write a file as mmcv 1.x did: before torch's zip form, optimizer included."""

    def write(state: dict[str, Tensor], **meta: Any) -> Path:
        path = tmp_path / "old.pth"
        optimizer = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.01}]}
        content = {"meta": old_meta(**meta), "state_dict": state, "optimizer": optimizer}
        torch.save(content, path, _use_new_zipfile_serialization=False)
        return path

    return write


@pytest.fixture(scope="module")
def shapes() -> dict[str, nn.Module]:
    """The five nets on torch's meta device, built when first asked for."""

    class Nets(dict[str, nn.Module]):
        def __missing__(self, net: str) -> nn.Module:
            self[net] = bare_net(config_of(net), num_classes=labels_of(net), weights=False).model
            return self[net]

    return Nets()


def test_names_differ_in_the_pose_head_alone(shapes: dict[str, nn.Module]) -> None:
    for net in NETS:
        new = {n: (list(t.shape), str(t.dtype)) for n, t in shapes[net].state_dict().items()}
        old = {n: (shape, f"torch.{kind}") for n, shape, kind in OLD[net]["tensors"]}
        if net == "hrnet":
            assert new.keys() - old.keys() == {"head.final_layer.weight", "head.final_layer.bias"}
            assert old.keys() - new.keys() == {
                "keypoint_head.final_layer.weight",
                "keypoint_head.final_layer.bias",
            }
        else:
            assert old == new
        assert old_keys.current(old) == new


@pytest.mark.parametrize("net", NETS)
def test_every_weight_lands_where_it_belongs(net: str, old_file: Any, shapes: dict[str, nn.Module]) -> None:
    old = old_state(net)
    path = old_file(old)
    model = shapes[net].to_empty(device="cpu")
    loading.load_weights(model, path, loading.load_checkpoint(path)["state_dict"], labels_of(net))
    held = model.state_dict()
    values = {name.replace("keypoint_head.", "head."): tensor.max() for name, tensor in old.items()}
    assert held.keys() == values.keys()
    assert [name for name, tensor in held.items() if not bool((tensor == values[name]).all())] == []
    model.to("meta")


@pytest.mark.filterwarnings("ignore:.*non-meta parameter")
@pytest.mark.parametrize("net", NETS)
def test_a_damaged_file_lists_what_is_missing_and_what_is_left_over(
    net: str, old_file: Any, shapes: dict[str, nn.Module]
) -> None:
    old = old_state(net)
    lost = next(iter(old))
    old["backbone.of_another_net"] = old.pop(lost)
    path = old_file(old)
    state = loading.load_checkpoint(path)["state_dict"]
    listed = f"1 missing: {lost}; 1 unexpected: backbone.of_another_net"
    with pytest.raises(ModelError) as caught:
        loading.load_weights(shapes[net], path, state, labels_of(net))
    assert str(caught.value) == f"checkpoint {path} does not fit its config; {listed}"

    # A layer of another shape beside them hides neither.
    head = LAST_LAYER[net]
    state[head] = torch.zeros(3, *state[head].shape[1:])
    with pytest.raises(ModelError) as caught:
        loading.load_weights(shapes[net], path, state, labels_of(net))
    assert f"{listed}; 1 of another shape: {head} [3, " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*non-meta parameter")
@pytest.mark.parametrize("net", ["timesformer", "posec3d", "audio"])
def test_another_number_of_classes_is_one_line(net: str, old_file: Any) -> None:
    path = old_file(old_state(net))
    count = labels_of(net)
    other = bare_net(config_of(net), num_classes=count + 3, weights=False).model
    with pytest.raises(ModelError) as caught:
        loading.load_weights(other, path, loading.load_checkpoint(path)["state_dict"], count + 3)
    assert str(caught.value) == (
        f"checkpoint {path} knows {count} classes, but {count + 3} labels are given;"
        " name the label file it was trained with"
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_what_old_files_note_is_read_without_running_code(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    content = {"meta": old_meta(("person", "dog")), "state_dict": old_state("posec3d")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    read = loading.load_checkpoint(path)
    assert list(read["state_dict"]) == [name for name, *_ in OLD["posec3d"]["tensors"]]
    assert read["meta"]["CLASSES"] == ("person", "dog")
    assert (read["meta"]["epoch"], read["meta"]["mmcv_version"]) == (30, "1.7.0")
    assert read["meta"]["hook_msgs"]["last_ckpt"] == "epoch_30.pth"


def test_import_writes_todays_names(old_file: Any, tmp_path: Path) -> None:
    out = tmp_path / "new.safetensors"
    command = ["models", "import", str(old_file(old_state("hrnet"))), "--out", str(out)]
    assert phar.main([*command, "--config", str(config_of("hrnet"))]) == 0
    written = load_file(out)
    assert written.keys() == {n.replace("keypoint_head.", "head.") for n, *_ in OLD["hrnet"]["tensors"]}
    assert bool((written["head.final_layer.bias"] == len(written)).all())


def test_a_pose_estimator_takes_an_old_file(old_file: Any) -> None:
    path = old_file(old_state("hrnet"))
    estimator = PoseEstimator.load(config_of("hrnet"), path, device="cpu", backend="torch")
    assert bool((estimator._model.head.final_layer.bias == len(OLD["hrnet"]["tensors"])).all())


def pose_net_with_a_longer_head() -> nn.Module:
    config = loading.load_config(config_of("hrnet"))["model"]
    config["backbone"] = {"type": "ResNet", "depth": 18}
    config["head"] |= {"in_channels": 512, "conv_out_channels": (8,), "conv_kernel_sizes": (3,)}
    return loading.build(config, "mmpose", seed=0)


def test_a_head_with_more_layers_is_accounted_for_as_well() -> None:
    """MMPose 0.x numbered the layers before the last one with it: `final_layer.0`, ..., `final_layer.3`."""
    model = pose_net_with_a_longer_head()
    new = {name: torch.full_like(tensor, i) for i, (name, tensor) in enumerate(model.state_dict().items())}
    old = {
        name.replace("head.final_layer.", "keypoint_head.final_layer.3.").replace(
            "head.conv_layers.", "keypoint_head.final_layer."
        ): tensor
        for name, tensor in new.items()
    }
    assert "keypoint_head.final_layer.0.weight" in old and "keypoint_head.final_layer.3.bias" in old
    loading.load_weights(model, "old.pth", old_keys.current(old))
    assert all(torch.equal(tensor, new[name]) for name, tensor in model.state_dict().items())
    old["keypoint_head.final_layer.0.weight"] = torch.zeros(8, 512, 1, 1)
    shape = r"1 of another shape: head\.conv_layers\.0\.weight \[8, 512, 1, 1\] for \[8, 512, 3, 3\]"
    with pytest.raises(ModelError, match=shape):
        loading.load_weights(model, "old.pth", old_keys.current(old))


@pytest.mark.parametrize("name", ["rtmdet_tiny_8xb32-300e_coco", "rtmpose-s_8xb256-420e_coco-256x192"])
def test_the_mean_and_deviation_that_first_1x_files_hold_are_no_weights(name: str, tmp_path: Path) -> None:
    config = RESOURCES / "configs" / "person" / f"{name}.py"
    model = bare_net(config, weights=False).model
    state = {n: torch.zeros((), dtype=t.dtype).expand(t.shape) for n, t in model.state_dict().items()}
    preprocessor = {f"data_preprocessor.{n}": torch.ones(3, 1, 1) for n in ("mean", "std")}
    path = tmp_path / "published.pth"
    torch.save({"state_dict": {**preprocessor, **state}, "ema_state_dict": {}, "meta": {"epoch": 300}}, path)
    read = loading.load_checkpoint(path)["state_dict"]
    assert read.keys() == state.keys()
    loading.load_weights(model.to_empty(device="cpu"), path, read)


@pytest.mark.parametrize("net", ["timesformer", "faster-rcnn", "hrnet"])
def test_pictures_are_scaled_as_the_old_configs_did(net: str) -> None:
    old = OLD[net]["scaling"]
    new = loading.load_config(config_of(net))["model"]["data_preprocessor"]
    unit = 255 if old["type"] == "NormalizeTensor" else 1
    assert np.allclose(np.multiply(old["mean"], unit), new["mean"])
    assert np.allclose(np.multiply(old["std"], unit), new["std"])
    if net == "timesformer":
        # Its decoders give RGB in both releases, and it stays so.
        assert not old["to_bgr"] and not new.get("to_rgb", False)
    else:
        # Pictures were read as BGR and turned, or (MMPose 0.x) read as RGB: the net sees RGB.
        assert old.get("to_rgb", True) and new["bgr_to_rgb"]
