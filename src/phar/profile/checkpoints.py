"""What a profile's checkpoints are, whether they are here, and what the report says of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from phar.profile.resources import RESOURCES
from phar.profile.spec import Profile
from phar.schema import ModelError


def require_checkpoints(profile: Profile) -> None:
    """Check that every checkpoint is there and is the one the profile means.

    Raises:
        ModelError: a file is missing, or its hash is not the profile's.
    """
    for name, path in profile.missing_checkpoints().items():
        raise ModelError(f"{name} checkpoint {path} is missing; put it there or name another with a flag")
    for name, model in profile.models().items():
        if model.sha256 and model.checkpoint and sha256_of(model.checkpoint) != model.sha256:
            raise ModelError(
                f"{name} checkpoint {model.checkpoint} has not the hash the profile states; fetch it anew"
            )


def describe(profile: Profile, *, backend: str, device: str, precision: str) -> dict[str, Any]:
    """Return the `profile` object of the report: settings, models and their hashes."""
    return {
        "name": profile.name,
        "window_s": profile.window_s,
        "stride_s": profile.stride_s,
        "sampling": profile.sampling,
        "fusion": profile.fusion,
        "coefficients": {name: stream.weight for name, stream in profile.streams.items()},
        "temperatures": {name: stream.temperature for name, stream in profile.streams.items()},
        "segments": {
            "threshold": profile.segments.threshold,
            "label_thresholds": dict(profile.segments.label_thresholds),
            "min_length_s": profile.segments.min_length_s,
            "max_gap_s": profile.segments.max_gap_s,
        },
        "models": {
            name: {
                "config": _shown(model.config),
                "checkpoint": _shown(model.checkpoint) if model.checkpoint else None,
                "sha256": sha256_of(model.checkpoint)
                if model.checkpoint and model.checkpoint.is_file()
                else None,
            }
            for name, model in profile.models().items()
        },
        "backend": backend,
        "device": device,
        "precision": precision,
    }


def sha256_of(path: Path) -> str:
    """Return a file's hash in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _shown(path: Path) -> str:
    """Return a path as the report shows it: bundled ones relative to the resources."""
    try:
        return str(path.relative_to(RESOURCES))
    except ValueError:
        return str(path)
