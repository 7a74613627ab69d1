"""Trains one of the bundled nets, and writes its weights to where the demo profile looks for them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phar.openmmlab.training import export_weights, train
from phar.profile import RESOURCES
from phar.schema import UsageError
from phar.synth import load_world
from phar.training.samples import SAMPLES


@dataclass(frozen=True)
class Model:
    """One net of the bundle."""

    kind: str
    """What it is asked: a key of `SAMPLES`."""
    config: str
    """Its config, below the configs folder."""
    checkpoint: str
    """Its weights, below the checkpoints folder."""
    labels: str | None
    """Which of the world's vocabularies it knows: "labels", "skeleton_labels", "audio_labels" or None."""


#: By the name `phar train` gives them, in the order they are trained.
MODELS: dict[str, Model] = {
    "person": Model("person", "person/rtmdet_demo.py", "demo/detector.safetensors", None),
    "pose": Model("pose", "person/rtmpose_demo.py", "demo/pose.safetensors", None),
    "rgb": Model("rgb", "rgb/timesformer_demo.py", "demo/rgb.safetensors", "labels"),
    "skeleton": Model("skeleton", "skeleton/posec3d_demo.py", "demo/skeleton.safetensors", "skeleton_labels"),
    "audio": Model("audio", "audio/resnet_demo.py", "demo/audio.safetensors", "audio_labels"),
}
#: Validation samples drawn during training.
_NUM_VAL = 128


def train_model(
    name: str,
    out: str | Path,
    *,
    world: int = 1,
    seed: int = 0,
    iterations: int | None = None,
    resume: bool = False,
    init_from: str | Path | None = None,
    num_workers: int = 1,
    max_minutes: float | None = None,
) -> dict[str, Any]:
    """Train one net of `MODELS` on a version of the world; logs and checkpoints go to `out`.

    `iterations` replaces the config's. Gives the last validation's metrics, on seeds kept from training,
    and the wall time of this run. Raises UsageError, ModelError.
    """
    from phar.openmmlab.loading import load_config

    model = _model(name)
    config = RESOURCES / "configs" / model.config
    plan = load_config(config)["training"]
    count = int(iterations or plan["iterations"])
    rendered = load_world(world)
    build = SAMPLES[model.kind]
    start = time.monotonic()
    metrics = train(
        model.kind,
        config,
        build(rendered, "train", seed, count * int(plan["batch_size"])),
        build(rendered, "val", seed, _NUM_VAL),
        out,
        seed=seed,
        num_classes=len(getattr(rendered, model.labels)) if model.labels else None,
        resume=resume,
        init_from=init_from,
        num_workers=num_workers,
        max_minutes=max_minutes,
    )
    result = {
        "name": name,
        "world": world,
        "seed": seed,
        "iterations": count,
        "wall_s": round(time.monotonic() - start),
        "validation": metrics,
    }
    with (Path(out) / "runs.jsonl").open("a") as log:
        log.write(json.dumps(result) + "\n")
    return result


def export(name: str, trained: str | Path, out: str | Path | None = None) -> Path:
    """Write the latest weights of a training folder as the bundled checkpoint, or to `out`."""
    model = _model(name)
    target = RESOURCES / "checkpoints" / model.checkpoint if out is None else Path(out)
    export_weights(trained, target, {"model": name, "config": model.config, "licence": "Apache-2.0"})
    return target


def _model(name: str) -> Model:
    if name not in MODELS:
        raise UsageError(f"model {name!r} is unknown; use one of {', '.join(MODELS)}")
    return MODELS[name]
