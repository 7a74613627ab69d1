"""From a training folder to a profile that uses the net: one folder with all it needs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from phar import foreign
from phar.export.target import replacing
from phar.openmmlab.loading import load_config
from phar.openmmlab.training import LABELS, export_weights
from phar.profile import RESOURCES, Profile, load_profile, without_label_terms
from phar.schema import OutputError, UsageError
from phar.training.own import stream_name

#: First line of a profile that may be replaced.
_HEAD = "# Written by phar train --export.\n"
#: Where the nets of persons stand in a profile.
_PERSONS = {"person": "detector", "pose": "pose"}


def check_export(path: Path) -> None:
    """Check, before any work, that a profile can be written.

    Raises:
        UsageError: the name is none of a YAML file, or it is a file that phar did not write.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--export {path}: a profile is a .yaml file; name one")
    if path.exists() and not (path.is_file() and path.read_text(encoding="utf-8").startswith(_HEAD)):
        raise UsageError(f"{path} exists and was not written by phar train; name another file")


def export_profile(
    trained: Path, record: Mapping[str, Any], base: Profile, path: Path
) -> tuple[Path, list[str]]:
    """Write the best weights of a training folder beside `path`, and a profile that uses them to `path`.

    Config, weights, labels and card go to a folder beside the profile, which is the one that is there or
    else `base` with the trained net in its place. Streams and settings that the new labels leave without
    meaning are left out. Gives the weights and what was left out.

    Raises:
        UsageError, ModelError, ProfileError: something does not fit.
        OutputError: a file cannot be written.
    """
    name = record["name"]
    held = load_profile(path) if path.exists() else base
    files = path.parent / path.stem
    try:
        files.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{files} cannot be made: {error.strerror}; choose another place") from None
    weights = files / f"{name}.safetensors"
    metadata = {"model": name, LABELS: record["labels"], "config": f"{name}.py"}
    export_weights(trained, weights, metadata)
    config = load_config(record["config"])
    if "bbox_head" in config["model"]:
        config["model"]["bbox_head"]["num_classes"] = len(record["labels"])
    with replacing(files / f"{name}.py") as partial:
        partial.write_text(config.pretty_text + "\n", encoding="utf-8")
    with replacing(files / f"{name}.txt") as partial:
        partial.write_text("".join(f"{label}\n" for label in record["labels"]), encoding="utf-8")
    for beside, suffix in (("card.md", ".md"), ("curves.png", ".png")):
        if (trained / beside).is_file():
            shutil.copyfile(trained / beside, files / f"{name}{suffix}")
    if (files / f"{name}.md").is_file():
        text = (files / f"{name}.md").read_text(encoding="utf-8").replace("](curves.png)", f"]({name}.png)")
        (files / f"{name}.md").write_text(text, encoding="utf-8")
    document, notes = _document(held, path, files.name, record)
    with replacing(path) as partial:
        partial.write_text(_HEAD + foreign.to_yaml(document), encoding="utf-8")
        load_profile(partial)
    return weights, notes


def _document(
    held: Profile, path: Path, folder: str, record: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    name, labels = record["name"], record["labels"]
    stream = None if name in _PERSONS else stream_name(name, held)
    spec = held.streams.get(stream or "")
    notes: list[str] = []
    if stream and (spec is None or list(spec.labels) != list(labels)):
        unfitted = without_label_terms(held)
        if unfitted is not held:
            notes.append("the fusion that was fitted to other labels; phar fuse fits it anew")
            held = unfitted
    document = deepcopy(dict(held.document))
    _moved(document, held.path.parent if held.path else RESOURCES, path.resolve().parent)
    document["name"] = path.stem
    document.pop("description", None)
    files = {"config": f"{folder}/{name}.py", "checkpoint": f"{folder}/{name}.safetensors"}
    if stream is None:
        document.setdefault("persons", {})[_PERSONS[name]] = files
        for preset in document.get("presets", {}).values():
            preset.get("persons", {}).pop(_PERSONS[name], None)
        return document, notes
    entry = document.setdefault("streams", {}).setdefault(stream, {"weight": 1.0})
    for key in ("sha256", "temperature"):
        entry.pop(key, None)
    entry |= {**files, "labels": f"{folder}/{name}.txt", "sampling": record["sampling"]}
    for preset in document.get("presets", {}).values():
        preset.get("streams", {}).pop(stream, None)
    # The labels are those of the streams, whatever they were.
    document.pop("labels", None)
    if stream == "rgb" and document.pop("skim", None):
        notes.append("skim, whose net knows other labels")
    known = {each: set(spec.labels) for each, spec in held.streams.items() if each != stream}
    for other, vocabulary in known.items():
        if vocabulary.isdisjoint(labels):
            del document["streams"][other]
            notes.append(f"stream {other}, which knows none of the labels")
    _without_meaning(document)
    return document, notes


def _without_meaning(document: dict[str, Any]) -> None:
    """Drop what refers to streams and labels that are gone."""
    streams = document["streams"]
    if "rgb" not in streams:
        for entry in streams.values():
            entry.get("gate", {}).pop("rgb_topk", None)
    if "skeleton" not in streams:
        document.pop("persons", None)
    for preset in document.get("presets", {}).values():
        if "streams" in preset:
            preset["streams"] = {each: entry for each, entry in preset["streams"].items() if each in streams}
        if "skeleton" not in streams:
            preset.pop("persons", None)
    # Thresholds of single labels were chosen for other nets.
    for key in ("label_thresholds", "label_min_lengths_s", "label_max_gaps_s"):
        document.get("segments", {}).pop(key, None)


def _moved(entry: Any, before: Path, after: Path) -> None:
    """Let paths beside the old profile be found from the new one's folder."""
    if isinstance(entry, dict):
        for key, value in entry.items():
            if isinstance(value, str) and key in ("config", "checkpoint", "labels", "model"):
                file = before / value
                if not Path(value).is_absolute() and file.exists():
                    entry[key] = Path(os.path.relpath(file, after)).as_posix()
            else:
                _moved(value, before, after)
    elif isinstance(entry, Sequence) and not isinstance(entry, str):
        for each in entry:
            _moved(each, before, after)


def read_record(trained: Path) -> dict[str, Any]:
    """Return what a training on one's own data was. Raises UsageError where the folder holds none."""
    try:
        record: dict[str, Any] = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"{trained} holds no training on one's own data; name its folder by --out") from None
    return record
