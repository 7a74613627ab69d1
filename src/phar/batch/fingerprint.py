"""What decides whether stored scores, or stored segments, are still those a profile would give."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phar.profile import ModelSpec, Profile, describe_decisions, sha256_of

#: Raised when phar gives other scores for the same profile and video, so that stored ones count no longer.
_ANALYSIS_VERSION = 1

#: A stream's settings that act on its scores and not on how they come about.
_DECISIONS = ("name", "weight", "temperature")


def analysis_fingerprint(profile: Profile) -> str:
    """Return a hash over everything that decides the streams' scores: what cannot change without models.

    Nets by the content of config and checkpoint, their labels, windows, sampling, gates and the finding of
    persons. Device and backend are left out: they change scores in the last digits only, and a library
    should not have to be looked at again after a move to another machine.

    Raises ModelError where a checkpoint cannot be read.
    """
    streams = {}
    for name, spec in profile.streams.items():
        settings = {key: value for key, value in _plain(asdict(spec)).items() if key not in _DECISIONS}
        streams[name] = settings | {"model": _model(spec.model)}
    persons = None
    if profile.persons is not None:
        persons = _plain(asdict(profile.persons)) | {
            "detector": _model(profile.persons.detector),
            "pose": _model(profile.persons.pose),
        }
    return _digest(
        {
            "version": _ANALYSIS_VERSION,
            "window_s": profile.window_s,
            "stride_s": profile.stride_s,
            "sampling": profile.sampling,
            "precision": profile.precision,
            "streams": streams,
            "persons": persons,
        }
    )


def settings_fingerprint(profile: Profile, formats: Iterable[str], topk: int, preset: str | None) -> str:
    """Return a hash over everything that decides outputs once the streams' scores are there."""
    return _digest(
        {
            "name": profile.name,
            "labels": profile.labels,
            **describe_decisions(profile),
            "formats": sorted(formats),
            "topk": topk,
            "preset": preset,
        }
    )


def config_digest(path: Path) -> str:
    """Return the hash of a config's text and of every config it is based on; none of them is run."""
    digest = hashlib.sha256()
    seen: set[Path] = set()
    pending = [path]
    while pending:
        current = pending.pop(0).resolve()
        if current in seen or not current.is_file():
            continue
        seen.add(current)
        content = current.read_bytes()
        digest.update(len(content).to_bytes(8, "big") + content)
        pending += [current.parent / name for name in _bases(content)]
    return digest.hexdigest()


def _bases(content: bytes) -> list[str]:
    """Return the files named by `_base_ = ...` and by relative imports, MMEngine's two ways."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "_base_" for target in node.targets
        ):
            names += [
                leaf.value
                for leaf in ast.walk(node.value)
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            ]
        elif isinstance(node, ast.ImportFrom) and node.level and node.module:
            names.append("../" * (node.level - 1) + node.module.replace(".", "/") + ".py")
    return names


def _model(model: ModelSpec) -> dict[str, Any]:
    here = model.checkpoint is not None and model.checkpoint.is_file()
    return {
        "config": config_digest(model.config),
        "checkpoint": sha256_of(model.checkpoint) if here and model.checkpoint is not None else None,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
