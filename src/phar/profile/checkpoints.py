"""What a profile's checkpoints are, whether they are here, and what the report says of them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from phar.profile.resources import RESOURCES, below_checkpoints, checkpoints_folder, metafile
from phar.profile.spec import ModelSpec, Profile
from phar.schema import ModelError, ProfileError

#: The list of downloaded checkpoints, in the folder that holds them.
LOCK_FILE = "checkpoints.lock"


def require_checkpoints(profile: Profile) -> None:
    """Check that every checkpoint is there and is the one the profile means.

    Raises:
        ModelError: a file is missing, or its hash is not the profile's.
    """
    for name, path in profile.missing_checkpoints().items():
        raise ModelError(f"{name} checkpoint {path} is missing; put it there or name another with a flag")
    for name, model in profile.models().items():
        if model.checkpoint is not None and not fits_hash(model.checkpoint, stated_hash(model)):
            raise ModelError(
                f"{name} checkpoint {model.checkpoint} has not the hash stated for it; fetch it anew"
            )


def stated_hash(model: ModelSpec) -> str | None:
    """Return the hash a checkpoint should have, or its first digits if no more is known.

    The profile's, else the one in checkpoints/metafile.yml, else that of the first download.
    """
    if model.sha256 is not None or model.checkpoint is None:
        return model.sha256
    below = below_checkpoints(model.checkpoint)
    if below is None:
        return None
    return (
        hashes_in(metafile(), "sha256").get(below)
        or hashes_in(checkpoints_folder() / LOCK_FILE, "sha256").get(below)
        or hashes_in(metafile(), "sha256_prefix").get(below)
    )


def fits_hash(path: Path, expected: str | None) -> bool:
    """Tell whether a file's hash is `expected` or begins so; nothing expected fits all."""
    return expected is None or weights_sha256(path).startswith(expected)


def hashes_in(path: Path, key: str) -> dict[str, str]:
    """Return what every entry of a YAML file that has both `checkpoint` and `key` says, by checkpoint.

    Raises:
        ProfileError: the file is not YAML.
    """
    if not path.is_file():
        return {}
    return _hashes_in(path, key, path.stat().st_mtime_ns)


@cache
def _hashes_in(path: Path, key: str, _changed_ns: int) -> dict[str, str]:
    import yaml

    try:
        pending = [yaml.safe_load(path.read_text(encoding="utf-8"))]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProfileError(
            f"{path} is not YAML ({' '.join(str(error).split())}); mend or remove it"
        ) from None
    found: dict[str, str] = {}
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            if isinstance(entry.get("checkpoint"), str) and isinstance(entry.get(key), str):
                found[entry["checkpoint"]] = entry[key]
            pending.extend(entry.values())
        elif isinstance(entry, list):
            pending.extend(entry)
    return found


def describe(
    profile: Profile, *, backend: str, device: str, precision: str, skimmed: bool = False
) -> dict[str, Any]:
    """Return the `profile` object of the report: settings, models and their hashes."""
    return {
        "name": profile.name,
        "window_s": profile.window_s,
        "stride_s": profile.stride_s,
        "sampling": profile.sampling,
        "stream_sampling": {name: stream.sampling for name, stream in profile.streams.items()},
        **describe_decisions(profile),
        "models": {
            name: {
                "config": _shown(model.config),
                "checkpoint": _shown(model.checkpoint) if model.checkpoint else None,
                "sha256": weights_sha256(model.checkpoint)
                if model.checkpoint and model.checkpoint.is_file()
                else None,
            }
            for name, model in profile.models().items()
            if skimmed or name != "skim"
        },
        "skimmed": skimmed,
        "backend": backend,
        "device": device,
        "precision": precision,
    }


def describe_decisions(profile: Profile) -> dict[str, Any]:
    """Return what turns stream scores into segments and tags: no model has to run for a change of it."""
    return {
        "fusion": profile.fusion,
        "coefficients": {name: stream.weight for name, stream in profile.streams.items()},
        "temperatures": {name: stream.temperature for name, stream in profile.streams.items()},
        "label_weights": {n: dict(s.label_weights) for n, s in profile.streams.items() if s.label_weights},
        "biases": {n: dict(s.bias) for n, s in profile.streams.items() if s.bias},
        "segments": profile.segments.settings(),
    }


def sha256_of(path: Path) -> str:
    """Return a file's hash in hexadecimal. Raises ModelError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"checkpoint {path} cannot be read ({error.strerror}); check its rights") from None


def weights_sha256(path: Path) -> str:
    """Return the hash of weights that nets are loaded from: read once a run, unless the file is changed.

    Raises ModelError where it cannot be read.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise ModelError(f"checkpoint {path} cannot be read ({error.strerror}); check its rights") from None
    return _weights_sha256(path, about.st_size, about.st_mtime_ns)


@cache
def _weights_sha256(path: Path, _size: int, _changed_ns: int) -> str:
    return sha256_of(path)


def _shown(path: Path) -> str:
    """Return a path as the report shows it: bundled ones relative to the resources."""
    try:
        return str(path.relative_to(RESOURCES))
    except ValueError:
        return str(path)
