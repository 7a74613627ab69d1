"""Which steps records go through, how long training takes, and in which arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from phar.openmmlab.loading import load_config
from phar.openmmlab.training import Plan, pick_precision, read_plan
from phar.openmmlab.training.pipelines import training_steps, validation_steps
from phar.schema import ModelError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
OWN = sorted(
    path
    for folder in ("rgb", "skeleton", "audio")
    for path in (CONFIGS / folder).glob("*.py")
    if path.stem not in ("stem_demo", "timesformer_demo_still")
)


def kinds(steps: list[dict[str, object]]) -> list[object]:
    return [step["type"] for step in steps]


def test_pictures_are_read_where_a_sampler_has_picked_them() -> None:
    config = {
        "train_pipeline": [
            {"type": "DecordInit"},
            {"type": "SampleFrames", "clip_len": 8},
            {"type": "DecordDecode"},
            {"type": "Resize", "scale": (-1, 256)},
            {"type": "PackActionInputs"},
        ]
    }
    assert kinds(training_steps("rgb", config, picked=False)) == [
        "SampleFrames",
        "ReadFrames",
        "Resize",
        "PackActionInputs",
    ]
    assert kinds(training_steps("rgb", config, picked=True)) == ["Resize", "PackActionInputs"]


def test_a_pipeline_without_a_sampler_takes_that_of_the_test_at_random() -> None:
    config = load_config(CONFIGS / "skeleton" / "stgcnpp_demo.py")
    steps = training_steps("skeleton", config, picked=False)
    assert kinds(steps)[:3] == ["SampleFrames", "PoseDecode", "VaryPoses"]
    assert steps[0] == {"type": "SampleFrames", "clip_len": 48, "frame_interval": 4, "num_clips": 1}
    assert kinds(training_steps("skeleton", config, picked=True))[0] == "VaryPoses"
    assert kinds(validation_steps("skeleton", config, picked=True))[0] == "BodyFrame"
    assert kinds(validation_steps("skeleton", config, picked=False))[:2] == ["SampleFrames", "PoseDecode"]
    # Sound is sampled by the pipeline, whatever the record is.
    sound = load_config(CONFIGS / "audio" / "resnet_demo.py")
    assert kinds(validation_steps("audio", sound, picked=True))[0] == "SampleFrames"


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_every_config_of_a_recognizer_can_be_trained(path: Path) -> None:
    config = load_config(path)
    kind = path.parent.name
    assert kinds(training_steps(kind, config, picked=False))[-1] == "PackActionInputs"
    assert kinds(validation_steps(kind, config, picked=False))[-1] == "PackActionInputs"
    assert read_plan(config, path).steps(320) >= 1


def test_a_plan_is_read_from_either_form() -> None:
    optimizer = {"type": "SGD", "lr": 0.1}
    theirs = {
        "optim_wrapper": {"optimizer": optimizer, "clip_grad": {"max_norm": 20, "norm_type": 2}},
        "train_dataloader": {"batch_size": 4},
        "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": 3},
    }
    plan = read_plan(theirs, "x.py")
    assert plan == Plan(None, 3, 4, optimizer, clip_norm=20.0)
    assert plan.steps(100) == 75
    ours = {"training": {"iterations": 50, "batch_size": 8, "optimizer": optimizer, "warmup": 5}}
    assert read_plan(ours, "x.py") == Plan(50, None, 8, optimizer, warmup=5)
    for config, message in (
        ({}, "has no `training` block"),
        ({"training": {"batch_size": 8, "optimizer": optimizer}}, "states no length"),
        ({"training": {"iterations": 1, "optimizer": optimizer}}, "has no batch_size"),
        ({"training": {"iterations": 1, "batch": 1}}, "training.batch is unknown"),
    ):
        with pytest.raises(ModelError, match=message):
            read_plan(config, "x.py")


def test_bfloat16_trains_on_any_machine() -> None:
    from mmengine.registry import OPTIM_WRAPPERS

    from phar.openmmlab.training.precision import optim_wrapper

    assert pick_precision("bf16") == "bf16"
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="fp16 needs a GPU"):
            pick_precision("fp16")
    net = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build({**optim_wrapper("bf16", {}), "optimizer": optimizer})
    before = net.weight.detach().clone()
    with wrapper.optim_context(net):
        output = net(torch.ones(3, 4))
    assert output.dtype == torch.bfloat16
    wrapper.update_params(output.float().square().mean())
    assert net.weight.dtype == torch.float32 and not torch.equal(net.weight, before)
