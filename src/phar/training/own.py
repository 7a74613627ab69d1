"""Trains a net on one's own data."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from phar.export.target import replacing
from phar.openmmlab.backends import machine
from phar.openmmlab.clips import read_clip
from phar.openmmlab.loading import load_config
from phar.openmmlab.training import (
    FeatureSamples,
    Plan,
    Samples,
    Settings,
    compute_features,
    has_checkpoint,
    num_processes,
    process_number,
    read_plan,
    train,
)
from phar.profile import ModelSpec, Profile
from phar.schema import ProfileError, UsageError
from phar.training.examples import Labelled
from phar.training.sources import SOURCES, Source, View

#: The files that a training folder holds beside checkpoints.
RUN, LABELS = "run.json", "labels.txt"
#: Validations in all: fewer than this tell little of when to stop.
_NUM_VALIDATIONS = 20


@dataclass(frozen=True)
class Request:
    """What is to be trained on which data."""

    name: str
    """A key of `SOURCES`."""
    profile: Profile
    data: Path
    config: Path | None = None
    """In place of the profile's."""
    labels: tuple[str, ...] | None = None
    """In place of those the data have."""
    balanced: bool = True
    """Whether classes are seen alike, or clips."""
    with_val: bool = False
    """Whether the clips of val train too; then nothing is validated."""
    lr: float | None = None
    """Learning rate, in place of the config's."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What replaces entries of the config's plan."""


@dataclass(frozen=True)
class Prepared:
    """A request with all that follows from it."""

    request: Request
    config: Path
    source: Source
    view: View
    plan: Plan
    train: Labelled
    val: Labelled

    @property
    def kind(self) -> str:
        """Key of `MEASURES`."""
        return "rgb" if self.request.name == "moderation" else self.request.name


def stream_name(name: str, profile: Profile) -> str:
    """Return which of a profile's streams a trained net serves."""
    if name == "moderation" and name not in profile.streams:
        return "rgb"
    return name


def model_of(name: str, profile: Profile) -> ModelSpec | None:
    """Return the net that a profile has for what is trained, None where it has none."""
    return profile.models().get({"person": "detector"}.get(name, stream_name(name, profile)))


def prepare(request: Request) -> Prepared:
    """Read the data and the config. Raises UsageError, ProfileError, ModelError."""
    name, profile = request.name, request.profile
    model = model_of(name, profile)
    if request.config is None and model is None:
        raise ProfileError(f"profile {profile.name} has no net for {name}; name a config by --config")
    config = request.config or (model.config if model else Path())
    loaded = load_config(config)
    stream = profile.streams.get(stream_name(name, profile))
    # The profile's rule is that of the profile's own nets.
    sampling = stream.sampling if stream is not None and request.config is None else "frames-1.x"
    view = View(
        profile.window_s, sampling, read_clip(loaded, sampling) if "cls_head" in loaded["model"] else None
    )
    source = SOURCES[name](request.data, request.labels, stream.labels if stream else ())
    chosen = source.split("train", "val") if request.with_val else source.split("train")
    if not chosen.clips:
        raise UsageError(f"{request.data}: no clip trains; its manifest needs clips with the split train")
    missing = [label for at, label in enumerate(source.labels) if at not in chosen.numbers]
    if missing:
        note = f"no clip trains {', '.join(missing)}"
        source = replace(source, notes=(*source.notes, note))
    plan = replace(read_plan(loaded, config), **request.plan)
    if request.lr is not None:
        plan = replace(plan, optimizer={**plan.optimizer, "lr": request.lr})
    return Prepared(
        request,
        config,
        source,
        view,
        plan,
        chosen,
        source.split() if request.with_val else source.split("val"),
    )


def train_own(prepared: Prepared, out: Path, settings: Settings) -> dict[str, Any]:
    """Train; logs, checkpoints, labels and `run.json` go to `out`. Gives what `run.json` holds.

    Raises UsageError where `out` holds another training, ModelError, MediaError.
    """
    request, plan = prepared.request, prepared.plan
    _check_stem(plan, settings)
    iterations = plan.steps(len(prepared.train.clips))
    size = iterations * plan.batch_size
    known = prepared.source.labels
    _check_folder(out, known, settings.resume)
    order = (
        prepared.train.balanced(settings.seed) if request.balanced else prepared.train.shuffled(settings.seed)
    )
    make = prepared.source.make
    train_set = make(prepared.train, size, order, prepared.view, settings.seed)
    val_set: Samples | None = None
    if prepared.val.clips:
        val_set = make(prepared.val, len(prepared.val.clips), None, prepared.view, settings.seed)
    settings = replace(
        settings, labels=known, val_interval=settings.val_interval or max(1, iterations // _NUM_VALIDATIONS)
    )
    kind = prepared.kind
    start = time.monotonic()
    if plan.clips is not None:
        kind = "features"
        train_set, val_set = _features(prepared, out, settings, size)
    record: dict[str, Any] = {
        "name": request.name,
        "profile": request.profile.name,
        "config": str(prepared.config),
        "data": str(request.data),
        "labels": list(known),
        "clips": {
            split: dict(Counter(known[number] for number in chosen.numbers))
            for split, chosen in (("train", prepared.train), ("val", prepared.val))
        },
        "balanced": request.balanced,
        "with_val": request.with_val,
        "plan": {**asdict(plan), "iterations": iterations},
        "seed": settings.seed,
        "sampling": prepared.view.sampling,
        "window_s": prepared.view.window_s,
        "machine": machine(),
        "started_from": None if settings.init_from is None else str(settings.init_from),
    }
    if not process_number():
        _write(out / LABELS, "".join(f"{label}\n" for label in known))
        _write(out / RUN, json.dumps(record, indent=2) + "\n")
    train(kind, prepared.config, train_set, val_set, out, settings, replace(plan, iterations=iterations))
    record["wall_s"] = round(time.monotonic() - start)
    if not process_number():
        _write(out / RUN, json.dumps(record, indent=2) + "\n")
    return record


def _features(
    prepared: Prepared, out: Path, settings: Settings, size: int
) -> tuple[FeatureSamples, FeatureSamples | None]:
    """Compute the features of a fixed stem once, and train what is behind it on them."""
    assert settings.init_from is not None
    made: list[FeatureSamples | None] = []
    for split, chosen, looks in (("train", prepared.train, size), ("val", prepared.val, None)):
        if not chosen.clips:
            made.append(None)
            continue
        count = (prepared.plan.clips or 0) if split == "train" else len(chosen.clips)
        order = chosen.balanced(settings.seed) if split == "train" else None
        samples = prepared.source.make(chosen, count, order, prepared.view, settings.seed)
        folder = out / "features" / split
        compute_features(
            prepared.config, settings.init_from, samples, folder, settings.seed, settings.num_workers
        )
        made.append(FeatureSamples(folder, looks or count, settings.seed, shuffled=split == "train"))
    assert made[0] is not None
    return made[0], made[1]


def _check_stem(plan: Plan, settings: Settings) -> None:
    """Refuse what a stem that stays as it is does not allow."""
    if plan.clips is not None and settings.init_from is None:
        raise UsageError("the stem of this config's net stays as it is, so name weights for it by --from")
    if plan.clips is not None and num_processes() > 1:
        raise UsageError("features of a fixed stem are computed by one process; leave torchrun out")


def _check_folder(out: Path, labels: Sequence[str], resume: bool) -> None:
    """Let one folder hold one training."""
    begun = has_checkpoint(out)
    if begun and not resume:
        raise UsageError(
            f"{out} holds a training already; go on with --resume, or name another folder by --out"
        )
    if begun and (out / LABELS).is_file():
        before = tuple((out / LABELS).read_text(encoding="utf-8").splitlines())
        if before != tuple(labels):
            raise UsageError(f"{out} was begun with other labels; name another folder by --out")
    out.mkdir(parents=True, exist_ok=True)


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
