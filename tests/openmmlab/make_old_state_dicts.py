"""Writes old_state_dicts.json.gz: what the 0.x libraries save of the five nets, and how inputs are scaled.

Run once, by hand; the tests only read the result. It needs torch, and the old releases side by side:

    pip download --no-deps mmaction2==0.24.1 mmpose==0.29.0 mmdet==2.28.2 -d old
    MMCV_WITH_OPS=0 pip download --no-deps --no-binary :all: --no-build-isolation mmcv==1.7.0 -d old
    cd old && for wheel in *.whl; do unzip -q $wheel; done && tar xzf mmcv-1.7.0.tar.gz && cd ..
    PYTHONPATH=old:old/mmcv-1.7.0 python tests/openmmlab/make_old_state_dicts.py old

The nets are built by the old libraries' own classes from the configs in their own wheels, changed only where
the published models differ, and listed by the function that mmcv 1.x saves checkpoints with. They are built
on torch's meta device: only shapes matter. torchvision and mmcv's compiled operators, which the old libraries
import but these nets' weights have no use for, are replaced by empty modules.
"""

from __future__ import annotations

import gzip
import importlib.machinery
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

#: net -> (library, config in its wheel, what the published model has of its own). Sources: the wheels'
#: `.mim/configs`; the sizes are those of configs/ here.
NETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "timesformer": (
        "mmaction",
        "recognition/timesformer/timesformer_divST_8x32x1_15e_kinetics400_rgb.py",
        {"backbone": {"num_frames": 16}, "cls_head": {"num_classes": 17}},
    ),
    "posec3d": (
        "mmaction",
        "skeleton/posec3d/slowonly_r50_u48_240e_ntu120_xsub_keypoint.py",
        {"cls_head": {"num_classes": 6}},
    ),
    "audio": (
        "mmaction",
        "recognition_audio/resnet/tsn_r18_64x1x1_100e_kinetics400_audio_feature.py",
        {
            "backbone": {"type": "ResNetAudio", "depth": 101, "pretrained": None},
            "cls_head": {"num_classes": 4, "in_channels": 1024},
        },
    ),
    "faster-rcnn": ("mmdet", "faster_rcnn/faster_rcnn_r50_fpn_2x_coco.py", {}),
    "hrnet": (
        "mmpose",
        "body/2d_kpt_sview_rgb_img/topdown_heatmap/coco/hrnet_w32_coco_256x192.py",
        {},
    ),
}


def stub(name: str, *children: str) -> types.ModuleType:
    """Put a module into place whose every name is a function that does nothing."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__path__ = []

    def anything(attribute: str) -> Callable[..., None]:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return lambda *_, **__: None

    module.__getattr__ = anything
    sys.modules[name] = module
    for child in children:
        setattr(module, child, stub(f"{name}.{child}"))
    return module


def builder(library: str) -> Callable[[Any], torch.nn.Module]:
    """The function of an old library that builds a net from a config's `model`."""
    if library == "mmaction":
        from mmaction.models import build_model

        return build_model
    if library == "mmdet":
        from mmdet.models import build_detector

        return build_detector
    from mmpose.models import build_posenet

    return build_posenet


def scalings(steps: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a pipeline that subtract means, nested ones too."""
    for step in steps:
        if step["type"].startswith("Normalize"):
            yield {
                key: value
                for key, value in step.items()
                if key in ("type", "mean", "std", "to_rgb", "to_bgr")
            }
        yield from scalings(step.get("transforms", []))


def main(old: Path) -> None:
    stub("torchvision", "models", "transforms", "ops").__version__ = "0.0.0"
    stub("mmcv._ext")
    import mmcv
    from mmcv.runner.checkpoint import get_state_dict

    nets: dict[str, Any] = {}
    for net, (library, config, changes) in NETS.items():
        loaded = mmcv.Config.fromfile(str(old / library / ".mim" / "configs" / config))
        model = loaded.model
        for part, values in changes.items():
            model[part].update(values)
        for part in (model, model.backbone):
            # Pretrained weights would be fetched.
            part.pop("init_cfg", None)
            if "pretrained" in part:
                part["pretrained"] = None
        build = builder(library)
        with torch.device("meta"):
            module = build(model)
        state = get_state_dict(module)
        nets[net] = {
            "library": f"{library} {sys.modules[library].__version__}, mmcv {mmcv.__version__}",
            "config": config,
            "scaling": next(scalings(loaded.test_pipeline), None),
            "tensors": [[name, list(t.shape), str(t.dtype).split(".")[1]] for name, t in state.items()],
        }
        print(f"{net}: {len(state)} tensors, {sum(t.numel() for t in state.values())} values")
    out = Path(__file__).with_name("old_state_dicts.json.gz")
    text = json.dumps(nets, separators=(",", ":"))
    out.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
