"""Any mmpose top-down net of COCO's 17 joints by its own config, held against mmpose's own inference.

The configs are those of mmpose's wheel, made small.
"""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config
from parity import assert_joints_alike, enliven, moving_pictures, pose_reference, save, their_joints
from torch import nn

from phar.openmmlab import PoseEstimator
from phar.openmmlab.joint_names import require_coco_joints
from phar.openmmlab.vit import VisionTransformer
from phar.schema import COCO_KEYPOINTS, ModelError

THEIR_CONFIGS = Path(mmpose.__file__).parent / ".mim" / "configs" / "body_2d_keypoint"
#: A person, one reaching out of the picture, a wide and a tiny one.
BOXES = np.array([[80, 20, 120, 100], [-10, 50, 40, 130], [30, 30, 140, 52], [50, 60, 53, 66]], float)

R18 = {"depth": 18, "init_cfg": None}
ARCH = {"embed_dims": 48, "num_layers": 2, "num_heads": 4, "feedforward_channels": 96}

#: Published config, and what is changed in it.
SMALL: Mapping[str, tuple[str, dict[str, Any]]] = {
    # Heat maps of a plain ResNet.
    "simple-baseline": (
        "topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py",
        {"backbone": R18, "head": {"in_channels": 512, "deconv_out_channels": (32, 32, 32)}},
    ),
    # Heat maps of a transformer, crops by pixel centres.
    "vitpose": (
        "topdown_heatmap/coco/td-hm_ViTPose-small_8xb64-210e_coco-256x192.py",
        {"backbone": {"arch": ARCH}, "head": {"in_channels": 48, "deconv_out_channels": (32, 32)}},
    ),
    "simcc": (
        "simcc/coco/simcc_res50_8xb64-210e_coco-256x192.py",
        {"backbone": R18, "head": {"in_channels": 512, "deconv_out_channels": (32, 32, 32)}},
    ),
    # Heat maps read with the help of their slopes.
    "dark": (
        "topdown_heatmap/coco/td-hm_res50_dark-8xb64-210e_coco-256x192.py",
        {"backbone": R18, "head": {"in_channels": 512, "deconv_out_channels": (32, 32, 32)}},
    ),
}


def small_config(name: str) -> Config:
    path, model = SMALL[name]
    config = Config.fromfile(str(THEIR_CONFIGS / path), import_custom_modules=False)
    config.merge_from_dict({"model": deepcopy(model)})
    return config


@pytest.mark.parametrize("name", SMALL)
def test_joints_equal_mmpose(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    frame = moving_pictures(1, 120, 160)[0]
    theirs, pipeline = pose_reference(config)
    crops = torch.from_numpy(moving_pictures(2, 256, 192)).permute(0, 3, 1, 2).float() / 64 - 2
    enliven(theirs, lambda: theirs.head(theirs.extract_feat(crops)))
    ours = PoseEstimator.load(config, save(theirs, tmp_path / "random.pth"), device="cpu", backend="torch")
    expected = their_joints(theirs, pipeline, frame, BOXES)
    assert_joints_alike(ours.predict([frame], [BOXES])[0], expected)
    wrong = ours.predict([frame[..., ::-1]], [BOXES])[0]
    assert np.abs(wrong[..., 2] - expected[..., 2]).max() > 2e-3


def test_the_transformer_of_vitpose_is_the_plain_one() -> None:
    torch.manual_seed(0)
    net = VisionTransformer(
        ARCH, (64, 48), 16, out_type="featmap", with_cls_token=False, patch_cfg={"padding": 2}
    ).eval()
    with torch.no_grad():
        net.pos_embed.normal_()
    # torch's own encoder, with the same weights.
    layer = nn.TransformerEncoderLayer(
        48, 4, 96, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    theirs = nn.TransformerEncoder(layer, 2, nn.LayerNorm(48, 1e-6), enable_nested_tensor=False).eval()
    names = {
        "attn.qkv.weight": "self_attn.in_proj_weight",
        "attn.qkv.bias": "self_attn.in_proj_bias",
        "attn.proj": "self_attn.out_proj",
        "ffn.layers.0.0": "linear1",
        "ffn.layers.1": "linear2",
        "ln1": "norm1",
        "ln2": "norm2",
    }
    state = {}
    for name, tensor in net.state_dict().items():
        if name.startswith("layers."):
            _, number, rest = name.split(".", 2)
            old = next(key for key in names if rest.startswith(key))
            state[f"layers.{number}.{rest.replace(old, names[old], 1)}"] = tensor
        elif name.startswith("ln1."):
            state[f"norm.{name[4:]}"] = tensor
    theirs.load_state_dict(state)
    pictures = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        # 16x16 cells of a picture with a border of 2 pixels: four rows of three.
        bordered = nn.functional.pad(pictures, (2, 2, 2, 2))
        cells = bordered.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 1, 4, 5).reshape(2, 12, -1)
        projection = net.patch_embed.projection
        tokens = cells @ projection.weight.flatten(1).T + projection.bias + net.pos_embed
        expected = theirs(tokens).transpose(1, 2).reshape(2, 48, 4, 3)
        (got,) = net(pictures)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_vitpose_weights_have_the_names_they_are_published_with() -> None:
    net = VisionTransformer({**ARCH, "num_layers": 1}, (256, 192), out_type="featmap", with_cls_token=False)
    layer = [
        f"layers.0.{part}"
        for part in ("ln1", "ln2", "attn.qkv", "attn.proj", "ffn.layers.0.0", "ffn.layers.1")
    ]
    modules = ["patch_embed.projection", "ln1", *layer]
    assert set(net.state_dict()) == {"pos_embed", *(f"{m}.{p}" for m in modules for p in ("weight", "bias"))}
    assert net.pos_embed.shape == (1, 16 * 12, 48)


def test_other_vision_transformers_need_mmpretrain() -> None:
    with pytest.raises(ModelError, match="is not as ViTPose has it; install mmpretrain"):
        VisionTransformer(ARCH, (64, 48), out_type="cls_token")


@pytest.mark.parametrize(
    ("num_joints", "config", "content", "said"),
    [
        (133, {}, None, "knows 133 joints, COCO's 17 are needed"),
        # Seventeen, but a quadruped's.
        (
            17,
            {"test_dataloader": {"dataset": {"type": "AP10KDataset"}}},
            None,
            r"others than COCO's \('L_Eye', ...\)",
        ),
        (
            17,
            {"test_dataloader": {"dataset": {"type": "CocoDataset"}}},
            {"meta": {"dataset_meta": {"keypoint_id2name": {i: f"joint {i}" for i in range(17)}}}},
            r"others than COCO's \('joint 0', ...\)",
        ),
    ],
)
def test_nets_of_other_joints_are_refused(
    num_joints: int, config: dict, content: dict | None, said: str
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        require_coco_joints(num_joints, config, content)
    assert caught.value.exit_code == 4


def test_nets_of_coco_joints_are_taken() -> None:
    require_coco_joints(17, {}, None)
    require_coco_joints(17, {"test_dataloader": {"dataset": {"type": "CocoDataset"}}}, {"meta": {}})
    named = {str(i): name for i, name in enumerate(COCO_KEYPOINTS)}
    # What the file says counts more than the config.
    animals = {"test_dataloader": {"dataset": {"type": "AP10KDataset"}}}
    require_coco_joints(17, animals, {"meta": {"dataset_meta": {"keypoint_id2name": named}}})
