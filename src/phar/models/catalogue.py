"""The checkpoints that `checkpoints/metafile.yml` lists, and which of them a profile asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from phar.profile import (
    ModelSpec,
    below_checkpoints,
    bundled_profiles,
    find_checkpoint,
    load_profile,
    metafile,
    stated_hash,
    with_preset,
)
from phar.schema import ModelError, ProfileError, UsageError


@dataclass(frozen=True)
class Checkpoint:
    """One entry of the metafile."""

    name: str
    below: str
    """Its file, below a checkpoints folder."""
    profile: str
    """The profile it belongs to."""
    url: str | None
    """Where it is published; None: it comes with phar."""
    config: str | None
    """Its OpenMMLab config, below the resources."""
    labels: str | None
    """Its label file, below the resources; None for nets without a vocabulary of their own."""
    licence: str
    size_bytes: int | None
    """None where the publisher does not tell."""
    sha256: str | None
    """64 hexadecimal digits; None where the publisher does not tell."""
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole entry, as it is written."""


@dataclass(frozen=True)
class Wanted:
    """One file that a name or a profile asks for."""

    name: str
    """The metafile's name, or `profile: model` for a file it does not list."""
    path: Path
    """Where the file is, or belongs."""
    checkpoint: Checkpoint | None
    """What the metafile says of it; None: nothing."""
    sha256: str | None
    """The hash it must have, or its first digits; None: any."""


def catalogue() -> dict[str, Checkpoint]:
    """Return every entry of the metafile by its name, in the order of the file.

    Raises:
        ModelError: the file cannot be read or an entry lacks `checkpoint`.
    """
    path = metafile()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = document["models"].items()
        return {name: _checkpoint(name, entry) for name, entry in entries}
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is no list of checkpoints ({type(error).__name__}); install phar anew"
        ) from error


def find(name: str) -> Checkpoint:
    """Return one entry of the metafile. Raises UsageError, ModelError."""
    known = catalogue()
    if name not in known:
        raise UsageError(f"model {name!r} is unknown; use one of {', '.join(known)}")
    return known[name]


def wanted(name_or_profile: str | None = None, preset: str | None = None) -> list[Wanted]:
    """Return what a model's name, a profile's name or file, or None for everything, asks for.

    A profile asks for the files that it and all its presets name, or with `preset` those of that one.

    Raises:
        UsageError: the name is neither a model's nor a profile's, or a preset is named without a profile.
        ProfileError: the profile is wrong.
    """
    known = catalogue()
    names_profile = name_or_profile is not None and _names_profile(name_or_profile)
    if preset is not None and not names_profile:
        raise UsageError(f"--preset {preset} needs the profile that defines it; name one")
    if name_or_profile is None:
        return [_listed(checkpoint) for checkpoint in known.values()]
    if name_or_profile in known:
        return [_listed(known[name_or_profile])]
    if names_profile:
        return _of_profile(name_or_profile, preset, known)
    raise UsageError(
        f"{name_or_profile!r} is neither a model nor a profile; models are {', '.join(known)},"
        f" profiles {', '.join(bundled_profiles())} and .yaml files"
    )


def _checkpoint(name: str, entry: Mapping[str, Any]) -> Checkpoint:
    below = str(entry["checkpoint"])
    return Checkpoint(
        name=str(name),
        below=below,
        profile=Path(below).parts[0],
        url=entry.get("url"),
        config=entry.get("config"),
        labels=entry.get("labels"),
        licence=str(entry.get("licence", "not stated")),
        size_bytes=entry.get("size_bytes"),
        sha256=entry.get("sha256"),
        facts=dict(entry),
    )


def _names_profile(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text or text in bundled_profiles()


def _listed(checkpoint: Checkpoint) -> Wanted:
    path = find_checkpoint(checkpoint.below)
    return Wanted(checkpoint.name, path, checkpoint, stated_hash(ModelSpec(path, path)))


def _of_profile(name: str, preset: str | None, known: Mapping[str, Checkpoint]) -> list[Wanted]:
    profile = load_profile(name)
    presets = [preset] if preset is not None else [None, *profile.presets]
    by_file = {checkpoint.below: checkpoint for checkpoint in known.values()}
    found: dict[Path, Wanted] = {}
    for each in presets:
        for model_name, model in with_preset(profile, each).models().items():
            path = model.checkpoint
            if path is None:
                continue
            checkpoint = by_file.get(below_checkpoints(path) or "")
            name = checkpoint.name if checkpoint else f"{profile.name}: {model_name}"
            found.setdefault(path, Wanted(name, path, checkpoint, stated_hash(model)))
    if not found:
        raise ProfileError(f"profile {profile.name!r} names no checkpoint; there is nothing to do")
    return list(found.values())
