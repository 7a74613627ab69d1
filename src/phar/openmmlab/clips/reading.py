"""From a config's test pipeline to the clip reader that does its work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phar.openmmlab.clips import frames, poses
from phar.openmmlab.clips.features import FeatureClip
from phar.openmmlab.clips.frames import FrameClip
from phar.openmmlab.clips.joints import JointClip
from phar.openmmlab.clips.poses import HeatmapClip
from phar.openmmlab.clips.spec import ClipSpec
from phar.openmmlab.clips.transforms import TransformClip
from phar.openmmlab.sampling import FrameSampler
from phar.schema import ModelError

#: Steps that open, decode or load: done before a window gets here.
_LOADING = frozenset(
    {
        *(
            f"{reader}{part}"
            for reader in ("Decord", "OpenCV", "PyAV", "PIMS")
            for part in ("Init", "Decode")
        ),
        "RawFrameDecode",
        "ImageDecode",
        "ArrayDecode",
        "PoseDecode",
        "LoadAudioFeature",
        "DecompressPose",
    }
)
_PACKING = frozenset({"PackActionInputs"})

#: The layout of a graph network's joints that is COCO's 17.
_COCO_LAYOUT = "coco"


def read_clip(config: Mapping[str, Any], sampling: str) -> ClipSpec:
    """The reader for a recognizer config; `sampling` is one of `phar.openmmlab.sampling.RULES`.

    Raises ModelError where the config has no usable test pipeline.
    """
    pipeline = _test_pipeline(config)
    samplers = [i for i, step in enumerate(pipeline) if "Sample" in step["type"]]
    if not samplers:
        raise ModelError("the config's test pipeline samples no frames; add a SampleFrames step")
    sampler = FrameSampler.from_step(pipeline[samplers[0]])
    kinds = {step["type"] for step in pipeline}
    rest = tuple(step for i, step in enumerate(pipeline) if i != samplers[0] and step["type"] not in _LOADING)
    plain = tuple(
        step for step in rest if step["type"] not in _PACKING and not step["type"].startswith("Format")
    )
    formats = {step.get("input_format") for step in rest if step["type"].startswith("Format")}
    stacked_2d = config["model"]["type"] == "Recognizer2D"
    if "AudioFeatureSelector" in kinds:
        if [step["type"] for step in plain] != ["AudioFeatureSelector"] or formats != {"NCTF"}:
            raise ModelError(
                f"audio test pipelines may only select features, got {[s['type'] for s in plain]}"
            )
        return FeatureClip(sampler, sampling, fixed_length=plain[0].get("fixed_length", 128))
    if "PoseDecode" in kinds:
        graph = config["model"]["type"] == "RecognizerGCN"
        heatmaps = None if graph else _heatmap_clip(sampler, sampling, plain, formats)
        return heatmaps or _joint_clip(config["model"], pipeline, samplers[0], sampling)
    if _all_known(plain, frames.KNOWN_STEPS) and formats <= {"NCTHW", "NCHW"} and formats:
        return FrameClip(sampler, sampling, plain, stacked_2d)
    transforms = TransformClip(sampler, sampling, rest, stacked_2d)
    transforms.check()
    return transforms


def _joint_clip(
    model: Mapping[str, Any], pipeline: Sequence[Mapping[str, Any]], sampler_at: int, sampling: str
) -> JointClip:
    """The reader that runs the config's own transforms on poses."""
    graph = model["type"] == "RecognizerGCN"
    layouts = [step.get("dataset", "nturgb+d") for step in pipeline if step["type"] == "GenSkeFeat"]
    if graph:
        layout = model["backbone"].get("graph_cfg", {}).get("layout", _COCO_LAYOUT)
        parts = [len(step["parts"]) for step in pipeline if step["type"] == "BodyParts"]
        if not parts:
            layouts.insert(0, layout)
        elif not isinstance(layout, Mapping) or [layout.get("num_node")] != parts:
            raise ModelError(
                f"BodyParts makes {parts[0]} nodes, the graph network is made for layout {layout!r};"
                f" give its graph_cfg.layout num_node={parts[0]}"
            )
    for layout in layouts:
        if layout != _COCO_LAYOUT:
            raise ModelError(
                f"the graph network is made for joints of layout {layout!r}, phar finds COCO's 17;"
                f" name one of layout {_COCO_LAYOUT!r}"
            )
    before = tuple(step for step in pipeline[:sampler_at] if step["type"] != "DecompressPose")
    sampler = FrameSampler.from_step(pipeline[sampler_at])
    joints = JointClip(sampler, sampling, before, tuple(pipeline[sampler_at + 1 :]), graph)
    joints.check()
    return joints


def _heatmap_clip(
    sampler: FrameSampler,
    sampling: str,
    plain: Sequence[Mapping[str, Any]],
    formats: set[Any],
) -> HeatmapClip | None:
    """The fast path for joint heat maps, None where a step of the pipeline is not known."""
    target = plain[-1] if plain else {"type": ""}
    drawn = target["type"] == "GeneratePoseTarget" and target.get("with_kp", True)
    if (
        drawn
        and not target.get("with_limb", False)
        and formats == {"NCTHW_Heatmap"}
        and _all_known(plain[:-1], poses.KNOWN_STEPS)
    ):
        return HeatmapClip(sampler, sampling, tuple(plain[:-1]), target)
    return None


def _all_known(steps: Sequence[Mapping[str, Any]], known: Sequence[str]) -> bool:
    return all(
        step["type"] in known
        and not step.get("lazy", False)
        and step.get("interpolation", "bilinear") == "bilinear"
        for step in steps
    )


def _test_pipeline(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    pipeline = config.get("test_pipeline")
    if pipeline is None:
        dataset = config.get("test_dataloader", {}).get("dataset", {})
        pipeline = dataset.get("pipeline") or dataset.get("dataset", {}).get("pipeline")
    if not pipeline:
        raise ModelError("the config has no test_pipeline; name an MMAction2 1.x config")
    steps = []
    for step in pipeline:
        kind = step["type"] if isinstance(step["type"], str) else step["type"].__name__
        steps.append({**step, "type": kind.rsplit(".", 1)[-1]})
    return steps
