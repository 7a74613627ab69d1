"""Any mmdet detector by its own config: it finds the persons that mmdet's own inference finds.

The configs are those of mmdet's wheel, made small.
"""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import pytest
import torch
from mmengine.config import Config
from parity import SCORES, assert_boxes_alike, enliven, moving_pictures, save, scale, their_boxes

from phar.openmmlab import Detector, imports
from phar.openmmlab.detector import ONE_STAGE, TWO_STAGES, WHOLE
from phar.openmmlab.person_class import person_class
from phar.schema import ModelError

with imports.scope("mmdet"):
    from mmdet.apis import inference_detector, init_detector

THEIR_CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"

R18 = {"depth": 18, "init_cfg": None}
FPN = {"in_channels": [64, 128, 256, 512], "out_channels": 32}
RPN = {"in_channels": 32, "feat_channels": 32}
ROI_LAYERS = {"out_channels": 32}
BOX_HEAD = {"in_channels": 32, "fc_out_channels": 64}

#: How much of each is one net, its published config, and what is changed in it.
SMALL: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "yolox": (
        ONE_STAGE,
        "yolox/yolox_tiny_8xb8-300e_coco.py",
        {
            "backbone": {"deepen_factor": 0.1, "widen_factor": 0.125},
            "neck": {"in_channels": [32, 64, 128], "out_channels": 24},
            "bbox_head": {"in_channels": 24, "feat_channels": 24},
        },
    ),
    "retinanet": (
        ONE_STAGE,
        "retinanet/retinanet_r18_fpn_1x_coco.py",
        {"backbone": R18, "neck": FPN, "bbox_head": RPN},
    ),
    # BGR, no deviation, GroupNorm, a third output.
    "fcos": (
        ONE_STAGE,
        "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
        {"backbone": R18, "neck": FPN, "bbox_head": {"in_channels": 32, "feat_channels": 64}},
    ),
    # One output only, with classes, boxes and certainty in it.
    "yolov3": (ONE_STAGE, "yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py", {"backbone": {"init_cfg": None}}),
    "detr": (
        WHOLE,
        "detr/detr_r18_8xb2-500e_coco.py",
        {
            "num_queries": 40,
            "backbone": R18,
            "neck": {"out_channels": 32},
            "encoder": {
                "num_layers": 1,
                "layer_cfg": {
                    "self_attn_cfg": {"embed_dims": 32, "num_heads": 4},
                    "ffn_cfg": {"embed_dims": 32, "feedforward_channels": 64},
                },
            },
            "decoder": {
                "num_layers": 1,
                "layer_cfg": {
                    "self_attn_cfg": {"embed_dims": 32, "num_heads": 4},
                    "cross_attn_cfg": {"embed_dims": 32, "num_heads": 4},
                    "ffn_cfg": {"embed_dims": 32, "feedforward_channels": 64},
                },
            },
            "positional_encoding": {"num_feats": 16},
            "bbox_head": {"embed_dims": 32},
        },
    ),
    # With masks, which nobody asks for.
    "mask-rcnn": (
        TWO_STAGES,
        "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
        {
            "backbone": R18,
            "neck": FPN,
            "rpn_head": RPN,
            "roi_head": {
                "bbox_roi_extractor": ROI_LAYERS,
                "bbox_head": BOX_HEAD,
                "mask_roi_extractor": ROI_LAYERS,
                "mask_head": {"in_channels": 32, "conv_out_channels": 16},
            },
        },
    ),
    "rtmdet-ins": (
        WHOLE,
        "rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py",
        {
            "backbone": {"deepen_factor": 0.1, "widen_factor": 0.125, "init_cfg": None},
            "neck": {"in_channels": [32, 64, 128], "out_channels": 24},
            "bbox_head": {"in_channels": 24, "feat_channels": 24},
        },
    ),
}


NAMES = ("chair", "person", "lamp")

#: Last layers, whose outputs are made smaller.
LAST_LAYERS = (
    "retina_cls",
    "conv_cls",
    "multi_level_conv_cls",
    "multi_level_conv_reg",
    "fc_cls",
    "rtm_cls",
    "convs_pred",
)


def _count_classes(part: Any, count: int) -> None:
    """Set every head's number of classes."""
    for key, value in part.items() if isinstance(part, dict) else ():
        if key == "num_classes" and not part["type"].startswith("RPN"):
            part[key] = count
        _count_classes(value, count)


def small_config(name: str) -> Config:
    config = Config.fromfile(str(THEIR_CONFIGS / SMALL[name][1]))
    config.merge_from_dict({"model": deepcopy(SMALL[name][2])})
    config.metainfo = {"classes": NAMES}
    _count_classes(config.model, len(NAMES))
    # Few candidates: it is their order and arithmetic that is compared.
    few = [
        config.model.test_cfg,
        *(part for part in config.model.test_cfg.values() if isinstance(part, dict)),
    ]
    for settings in few:
        settings.update({key: 30 for key in ("nms_pre", "max_per_img") if key in settings})
    for step in config.test_dataloader.dataset.pipeline:
        if step["type"] == "Resize":
            step["scale"] = (128, 128)
        elif step["type"] == "Pad" and step.get("size"):
            step["size"] = (128, 128)
    return config


def reference(config: Config, frame: np.ndarray) -> Any:
    """mmdet's own net with random weights that has something to say, and is not sure of it."""
    with imports.scope("mmdet"):
        torch.manual_seed(0)
        theirs = init_detector(deepcopy(config), None, palette="coco", device="cpu")
        enliven(theirs, lambda: inference_detector(theirs, frame))
    for name, module in theirs.named_modules():
        if any(part in name.split(".") for part in LAST_LAYERS) and hasattr(module, "weight"):
            scale(module, 0.1)
    return theirs


@pytest.mark.parametrize("name", SMALL)
def test_boxes_equal_mmdet(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    frames = moving_pictures(9, 90, 160)
    theirs = reference(config, frames[0])
    ours = Detector.load(config, save(theirs, tmp_path / "random.pth"), device="cpu", backend="torch")
    assert ours._stages == SMALL[name][0]
    # Two sizes, in an order that grouping by size must undo.
    batch = [frames[0], np.ascontiguousarray(frames[4][:, :100]), frames[8]]
    got = ours.predict(batch)
    expected = [their_boxes(theirs, frame, NAMES.index("person")) for frame in batch]
    assert sum(map(len, expected)) >= 3
    for one, other in zip(got, expected, strict=True):
        assert_boxes_alike(one, other)
    wrong = ours.predict([frames[0][..., ::-1]])[0]
    assert len(wrong) != len(got[0]) or np.abs(wrong - got[0]).max() > 2 * SCORES


COUNTED = {"bbox_head": {"num_classes": 3}}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("chair", "lamp", "person"), 2),
        (("Pedestrian", "car", "van"), 0),
        (("human", "person", "dog"), 1),
    ],
)
def test_persons_are_found_in_the_list_of_classes(names: tuple[str, ...], expected: int) -> None:
    by_file = {"meta": {"dataset_meta": {"classes": names}}}
    assert person_class(COUNTED, {"metainfo": {"classes": ("person", "b", "c")}}, by_file) == expected
    assert person_class(COUNTED, {}, {"meta": {"CLASSES": list(names)}}) == expected
    assert person_class(COUNTED, {"metainfo": {"classes": names}}, {"meta": {}}) == expected
    dataset = {"type": "RepeatDataset", "dataset": {"type": "CocoDataset", "metainfo": {"classes": names}}}
    assert person_class(COUNTED, {"test_dataloader": {"dataset": dataset}}, None) == expected


def test_persons_are_found_in_the_classes_of_a_data_set() -> None:
    voc = {"test_dataloader": {"dataset": {"type": "VOCDataset"}}}
    # aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike,
    # person, ...
    assert person_class({"roi_head": {"bbox_head": [{"num_classes": 20}]}}, voc, None) == 14


def test_a_count_may_be_enough() -> None:
    assert person_class({"bbox_head": {"num_classes": 80}}, {}, None) == 0
    assert person_class({"bbox_head": {"num_classes": 1}}, {}, None) == 0
    # A list of another length is that of another net.
    coco = {"test_dataloader": {"dataset": {"type": "CocoDataset"}}}
    assert person_class({"bbox_head": {"num_classes": 1}}, coco, None) == 0


@pytest.mark.parametrize(
    ("count", "config", "said"),
    [
        (1, {"metainfo": {"classes": ("face")}}, "knows face and no person; name one that finds persons"),
        (3, {"metainfo": {"classes": ["a", "b", "c"]}}, "knows a, b, c and no person"),
        (
            80,
            {"metainfo": {"classes": [f"k{i}" for i in range(80)]}},
            "k4, ... and no person",
        ),
        (3, {}, "knows 3 classes and none is named person; give the config metainfo"),
    ],
)
def test_detectors_of_other_things_are_refused(count: int, config: dict, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        person_class({"bbox_head": {"num_classes": count}}, config, None)
    assert caught.value.exit_code == 4
