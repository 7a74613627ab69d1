"""What decides whether stored scores, or stored segments, are still those a profile would give."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from phar.profile.checkpoints import describe_decisions, sha256_of
from phar.profile.spec import ModelSpec, Profile, StreamSpec

#: Raised when phar gives other scores for the same profile and video, so that stored ones count no longer.
_ANALYSIS_VERSION = 1

#: Settings that act on the streams' scores and not on how these come about. All others, those to come
#: too, are taken to need the models.
_DECISIONS = {
    Profile: ("name", "labels", "fusion", "segments", "path", "document"),
    StreamSpec: ("name", "weight", "temperature", "label_weights", "bias"),
    # The hash that is stated is not that of the file.
    ModelSpec: ("sha256",),
}


def analysis_fingerprint(profile: Profile) -> str:
    """Return a hash over everything that decides the streams' scores: what cannot change without models.

    Nets by the content of config and checkpoint, their labels, windows, sampling, gates and the finding of
    persons. Device and backend are left out: they change scores in the last digits only, and a library
    should not have to be looked at again after a move to another machine.

    Raises ModelError where a checkpoint cannot be read.
    """
    return _digest({"version": _ANALYSIS_VERSION, "profile": _plain(profile)})


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


def _plain(value: Any) -> Any:
    """Return a setting as JSON can hold it: records without decisions, files as their content."""
    if isinstance(value, Path):
        return config_digest(value) if value.suffix == ".py" else _content(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        left_out = _DECISIONS.get(type(value), ())
        return {
            each.name: _plain(getattr(value, each.name))
            for each in fields(value)
            if each.name not in left_out
        }
    return value


def _content(path: Path) -> str | None:
    return sha256_of(path) if path.is_file() else None


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
