"""Which steps of a config's pipelines a record still has to go through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phar.schema import ModelError

#: Steps that open or decode media; records hold what they would load.
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
        "LoadAudioFeature",
        "LoadImageFromFile",
        "LoadImage",
        "LoadAnnotations",
        "DecompressPose",
    }
)
#: Stands where frames are decoded of which a sampler has said which.
READ_FRAMES = "ReadFrames"
#: Kinds whose frames a sampler picks; sound is always sampled by the pipeline.
_SAMPLED = ("rgb", "skeleton")
#: Kinds whose records come as the net takes them.
_READY = ("features", "scene")

Steps = list[dict[str, Any]]


def training_steps(kind: str, config: Mapping[str, Any], picked: bool) -> Steps:
    """Return the steps of a training pipeline.

    `picked`: the records hold the frames that the net is to see, and none else. Raises ModelError where the
    config has no training pipeline.
    """
    if kind in _READY:
        return []
    steps = _pipeline(config, "train")
    if not steps:
        raise ModelError("the config has no train_pipeline; add one")
    if not picked and kind in _SAMPLED and _sampler_at(steps) is None:
        # A pipeline for frames that are picked already: as the test pipeline samples, but at random.
        tested = _pipeline(config, "test")
        at = _sampler_at(tested)
        if at is None:
            raise ModelError(
                "neither train_pipeline nor test_pipeline of the config samples frames; add a step"
            )
        step = {key: value for key, value in tested[at].items() if key not in ("test_mode", "twice_sample")}
        steps = [{**step, "num_clips": 1}, *_after_sampler(kind), *steps]
    return _left(kind, steps, picked)


def validation_steps(kind: str, config: Mapping[str, Any], picked: bool) -> Steps:
    """Return the steps of a validation pipeline, the config's own or else its test pipeline."""
    if kind in _READY:
        return []
    steps = _left(kind, _pipeline(config, "val") or _pipeline(config, "test"), picked)
    if kind == "person":
        meta = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")
        steps[-1] = {"type": "PackDetInputs", "meta_keys": meta}
    return steps


def _after_sampler(kind: str) -> Steps:
    return [{"type": "PoseDecode"}] if kind == "skeleton" else []


def _left(kind: str, steps: Sequence[Mapping[str, Any]], picked: bool) -> Steps:
    left: Steps = []
    for step in steps:
        sampler = _is_sampler(step)
        if step["type"] in _LOADING or (
            picked and kind in _SAMPLED and (sampler or step["type"] == "PoseDecode")
        ):
            continue
        left.append(dict(step))
        if sampler and kind == "rgb":
            left.append({"type": READ_FRAMES})
    return left


def _pipeline(config: Mapping[str, Any], phase: str) -> Steps:
    """The pipeline of train, val or test, whichever way MMAction2's configs name it."""
    found = config.get(f"{phase}_pipeline")
    if found is None:
        dataset = (config.get(f"{phase}_dataloader") or {}).get("dataset", {})
        found = dataset.get("pipeline") or dataset.get("dataset", {}).get("pipeline") or []
    steps = []
    for step in found:
        kind = step["type"] if isinstance(step["type"], str) else step["type"].__name__
        steps.append({**step, "type": kind.rsplit(".", 1)[-1]})
    return steps


def _sampler_at(steps: Sequence[Mapping[str, Any]]) -> int | None:
    return next((at for at, step in enumerate(steps) if _is_sampler(step)), None)


def _is_sampler(step: Mapping[str, Any]) -> bool:
    return "Sample" in step["type"]
