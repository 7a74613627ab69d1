"""A fitted fusion written into a profile: comments and order stay, only what was fitted changes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phar import __version__
from phar.evaluate.fusion_data import Setting
from phar.export.target import check_target, replacing
from phar.profile import Profile, load_profile
from phar.schema import ProfileError, UsageError

#: Keys of a profile that name files, which are looked up beside it.
_FILES = ("config", "checkpoint", "labels", "model")
_DIGITS = 4


def present_setting(profile: Profile) -> Setting:
    """Return the fusion that a profile has."""
    terms = profile.fusing()
    return Setting(
        rule=terms["rule"],
        weights=terms["weights"],
        temperatures=terms["temperatures"],
        label_weights=terms["label_weights"],
        biases=terms["biases"],
    )


def check_profile_target(path: Path, profile: Profile) -> None:
    """Check, before any work, that a profile can be written to `path`.

    Raises:
        UsageError: it is no YAML file, the profile itself, or one that phar did not write.
        OutputError: it cannot be written.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"{path}: profiles are .yaml files; change the suffix")
    check_target(path, [profile.path] if profile.path else [])


def write_profile(profile: Profile, setting: Setting, path: Path, name: str | None, note: str) -> None:
    """Write the profile's file with another fusion to `path`; into the profile's own file without a name.

    note: what was fitted on what, as a comment at the head. Paths that are relative to the profile's own
    folder are written in full where `path` lies elsewhere.

    Raises:
        ProfileError: the profile has no file.
        OutputError: `path` cannot be written.
    """
    from ruamel.yaml import YAML

    if profile.path is None:
        raise ProfileError(f"profile {profile.name!r} was read from no file; write it to one first")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(profile.path.read_text(encoding="utf-8"))
    if name is not None:
        document["name"] = name
        _rebase(document, profile.path.parent, path.resolve().parent)
    document.setdefault("fusion", {})["rule"] = setting.rule
    for stream, entry in document["streams"].items():
        _decide(entry, stream, setting)
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    head = "" if name is None else f"# written by phar {__version__}: {note}\n"
    with replacing(path) as temporary:
        temporary.write_text(head + buffer.getvalue(), encoding="utf-8")
    load_profile(path)


def _decide(entry: Any, stream: str, setting: Setting) -> None:
    """Set a stream's weight, temperature, weights of labels and biases; those at their default go."""
    entry["weight"] = round(setting.weights[stream], _DIGITS)
    temperature = round(setting.temperatures.get(stream, 1.0), _DIGITS)
    _put(entry, "temperature", temperature if temperature != 1 else None)
    for key, values in (
        ("label_weights", setting.label_weights.get(stream, {})),
        ("bias", setting.biases.get(stream, {})),
    ):
        _put(entry, key, _flow(values) if values else None)


def _put(entry: Any, key: str, value: Any) -> None:
    if value is None:
        entry.pop(key, None)
    elif key in entry:
        entry[key] = value
    else:
        # Behind the weight, so that what decides stands together.
        at = list(entry).index("weight") + 1
        after = [other for other in ("temperature", "label_weights") if other in entry]
        entry.insert(at + len(after), key, value)


def _flow(values: Mapping[str, float]) -> Any:
    from ruamel.yaml.comments import CommentedMap

    mapping = CommentedMap((label, round(value, _DIGITS)) for label, value in values.items())
    mapping.fa.set_flow_style()
    return mapping


def _rebase(node: Any, old: Path, new: Path) -> None:
    """Write relative paths in full that were found beside the profile, which is now elsewhere."""
    if old.resolve() == new.resolve():
        return
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in _FILES and isinstance(value, str) and (old / value).exists():
                node[key] = str((old / value).resolve())  # type: ignore[index]
            else:
                _rebase(value, old, new)
    elif isinstance(node, list):
        for value in node:
            _rebase(value, old, new)
