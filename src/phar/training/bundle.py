"""Trains one of the bundled nets, and writes its weights to where the demo profile looks for them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phar.openmmlab.backends import machine
from phar.openmmlab.clips import read_clip
from phar.openmmlab.training import (
    LABELS,
    MEASURES,
    FeatureSamples,
    Settings,
    best_row,
    compute_features,
    export_weights,
    read_log,
    read_plan,
    train,
)
from phar.profile import RESOURCES, load_labels, load_profile
from phar.schema import UsageError
from phar.synth import World, load_world
from phar.training.metafile import record_checkpoint
from phar.training.observed import ObservedSamples, find_joints
from phar.training.safety import DrawnSamples, SafetySamples, draw_clips
from phar.training.samples import SAMPLES, Kept, PoseSamples


@dataclass(frozen=True)
class Model:
    """One net of the bundle."""

    kind: str
    """What it is asked: a key of `SAMPLES`."""
    config: str
    """Its config, below the configs folder."""
    checkpoint: str | None
    """Its weights, below the checkpoints folder; None for a step whose weights another net takes over."""
    labels: str | None
    """Which vocabulary it knows: a key of `ANNOTATIONS`, "postures" or None."""
    starts_from: str | None = None
    """Model whose training folder, beside this one's, holds the weights to start from."""


#: By the name `phar train` gives them, in the order they are trained. The detector's backbone goes on to the
#: pose net, the stem to RGB; the skeleton net learns from joints as those two find them.
MODELS: dict[str, Model] = {
    "person": Model("person", "person/rtmdet_demo.py", "demo/detector.safetensors", None),
    "pose": Model("pose", "person/rtmpose_demo.py", "demo/pose.safetensors", None, "person"),
    "stem": Model("scene", "rgb/stem_demo.py", None, "postures"),
    "rgb": Model("rgb", "rgb/timesformer_demo.py", "demo/rgb.safetensors", "labels", "stem"),
    "skeleton": Model("skeleton", "skeleton/stgcnpp_demo.py", "demo/skeleton.safetensors", "skeleton_labels"),
    "audio": Model("audio", "audio/resnet_demo.py", "demo/audio.safetensors", "audio_labels"),
    "moderation": Model(
        "moderation", "moderation/i3d_demo.py", "moderation/moderation.safetensors", "safety"
    ),
    "moderation-still": Model("moderation", "moderation/i3d_demo_still.py", None, "safety"),
}
#: Label files of the world's vocabularies, and of its stand-in for unsafe.
ANNOTATIONS = {
    "labels": "annotations/demo/rgb.txt",
    "skeleton_labels": "annotations/demo/skeleton.txt",
    "audio_labels": "annotations/demo/audio.txt",
    "safety": "annotations/moderation/labels.txt",
}
#: Validation samples drawn during training.
_NUM_VAL = 256
#: The same of clips that are drawn once.
_NUM_DRAWN_VAL = 512


def train_model(
    name: str, out: str | Path, settings: Settings, *, world: int = 1, iterations: int | None = None
) -> dict[str, Any]:
    """Train one net of `MODELS` on a version of the world; logs and checkpoints go to `out`.

    `iterations` replaces the config's. Gives the best validation's metrics, on seeds kept from training,
    and the wall time of this run. Raises UsageError, ModelError.
    """
    from phar.openmmlab.loading import load_config

    model, seed = _model(name), settings.seed
    config = RESOURCES / "configs" / model.config
    loaded = load_config(config)
    plan = read_plan(loaded, config)
    count = iterations or plan.iterations or 1
    rendered = load_world(world)
    build = SAMPLES[model.kind]
    if settings.init_from is None and model.starts_from:
        settings = replace(settings, init_from=Path(out).parent / model.starts_from)
    if model.labels in ANNOTATIONS:
        labels = load_labels(RESOURCES / ANNOTATIONS[model.labels])
        settings = replace(settings, labels=labels, init_labels=labels)
    start = time.monotonic()
    kind, num_looks = model.kind, count * plan.batch_size
    train_set: Any
    val_set: Any
    if plan.clips is not None and settings.init_from is not None:
        init_from = settings.init_from
        kind = "features"

        def features(split: str, size: int) -> Path:
            folder = Path(out) / "features" / split
            samples = build(rendered, split, seed, size)
            compute_features(config, init_from, samples, folder, 0, settings.num_workers)
            return folder

        train_set, val_set = (
            FeatureSamples(folder, size, seed, shuffled=shuffled)
            for folder, size, shuffled in (
                (features("train", plan.clips), num_looks, True),
                (features("val", _NUM_VAL), _NUM_VAL, False),
            )
        )
    elif plan.observed_clips:
        train_set, val_set = _observed(
            plan.observed_clips, rendered, seed, num_looks, Path(out), settings.num_workers
        )
    elif plan.drawn_clips:
        kind = "rgb"
        clip_len = read_clip(loaded, "seconds").sampler.clip_len
        train_set, val_set = _drawn(
            plan.drawn_clips, clip_len, rendered, seed, num_looks, Path(out), settings.num_workers
        )
    else:
        train_set = build(rendered, "train", seed, num_looks)
        val_set = Kept(build(rendered, "val", seed, _NUM_VAL))
    train(kind, config, train_set, val_set, out, settings, replace(plan, iterations=count))
    best = best_row(read_log(Path(out)), MEASURES[kind]) or {}
    result = {
        "name": name,
        "world": world,
        "seed": seed,
        "iterations": count,
        "machine": machine(),
        "wall_s": round(time.monotonic() - start),
        "validation": {name: best[name] for name in MEASURES[kind].columns if name in best},
    }
    with (Path(out) / "runs.jsonl").open("a") as log:
        log.write(json.dumps(result) + "\n")
    return result


def _observed(
    num_clips: int, world: World, seed: int, size: int, out: Path, num_workers: int
) -> tuple[ObservedSamples, ObservedSamples]:
    """Joints that the demo profile's person nets find in rendered clips, for training and validation."""
    profile = load_profile("demo")
    folders = []
    for split, count in (("train", num_clips), ("val", _NUM_VAL)):
        folders.append(out / "joints" / split)
        find_joints(PoseSamples(world, split, seed, count), profile, folders[-1], num_workers=num_workers)
    others = PoseSamples(world, "train", seed, size)
    return ObservedSamples(folders[0], size, seed, others), ObservedSamples(folders[1], _NUM_VAL, seed, None)


def _drawn(
    num_clips: int, clip_len: int, world: World, seed: int, size: int, out: Path, num_workers: int
) -> tuple[DrawnSamples, DrawnSamples]:
    """Clips of the world's stand-in for unsafe, drawn beside `out`, where other nets find them too."""
    folder = out.parent / "drawn"
    for split, count in (("train", num_clips), ("val", _NUM_DRAWN_VAL)):
        draw_clips(SafetySamples(world, split, seed, count), folder / split, num_workers=num_workers)
    return (
        DrawnSamples(folder / "train", size, seed, clip_len=clip_len, varied=True),
        DrawnSamples(folder / "val", _NUM_DRAWN_VAL, seed, clip_len=clip_len, varied=False),
    )


def export(name: str, trained: str | Path, out: str | Path | None = None) -> Path:
    """Write the best weights of a training folder as the bundled checkpoint, or to `out`.

    Raises UsageError for a step that is not shipped, ModelError, OutputError.
    """
    model = _model(name)
    if model.checkpoint is None and out is None:
        raise UsageError(f"model {name!r} is a step towards another and not shipped; give a file to write")
    target = RESOURCES / "checkpoints" / model.checkpoint if out is None else Path(out)
    metadata: dict[str, Any] = {"model": name, "config": model.config, "licence": "Apache-2.0"}
    if model.labels in ANNOTATIONS:
        metadata[LABELS] = list(load_labels(RESOURCES / ANNOTATIONS[model.labels]))
    export_weights(trained, target, metadata)
    if out is None:
        record_checkpoint(
            RESOURCES / "checkpoints" / "metafile.yml", name, _facts(name, model, Path(trained))
        )
    return target


def _facts(name: str, model: Model, trained: Path) -> dict[str, Any]:
    log = trained / "runs.jsonl"
    runs = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    last = runs[-1] if runs else {}
    return {
        "checkpoint": model.checkpoint,
        "config": f"configs/{model.config}",
        "labels": ANNOTATIONS.get(model.labels or ""),
        "licence": "Apache-2.0",
        "command": f"phar train {name} --export",
        "trained_on": f"the rendered world {last.get('world', 1)} alone, seed {last.get('seed', 0)}",
        "iterations": last.get("iterations"),
        # Runs that were stopped and resumed add up.
        "training_wall_s": sum(run["wall_s"] for run in runs),
        "machine": last.get("machine"),
        "validation": last.get("validation", {}),
    }


def _model(name: str) -> Model:
    if name not in MODELS:
        raise UsageError(f"model {name!r} is unknown; use one of {', '.join(MODELS)}")
    return MODELS[name]
