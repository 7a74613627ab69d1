"""From a config's test pipeline to the clip reader that does its work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phar.openmmlab.clips import frames, poses
from phar.openmmlab.clips.features import FeatureClip
from phar.openmmlab.clips.frames import FrameClip
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
        return _pose_clip(sampler, sampling, plain, rest, formats)
    if _all_known(plain, frames.KNOWN_STEPS) and formats <= {"NCTHW", "NCHW"} and formats:
        return FrameClip(sampler, sampling, plain, stacked_2d)
    return TransformClip(sampler, sampling, rest, stacked_2d)


def _pose_clip(
    sampler: FrameSampler,
    sampling: str,
    plain: Sequence[Mapping[str, Any]],
    rest: tuple[Mapping[str, Any], ...],
    formats: set[Any],
) -> ClipSpec:
    target = plain[-1] if plain else {"type": ""}
    drawn = target["type"] == "GeneratePoseTarget" and target.get("with_kp", True)
    if (
        drawn
        and not target.get("with_limb", False)
        and formats == {"NCTHW_Heatmap"}
        and _all_known(plain[:-1], poses.KNOWN_STEPS)
    ):
        return HeatmapClip(sampler, sampling, tuple(plain[:-1]), target)
    return TransformClip(sampler, sampling, rest)


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
