"""A profile as a YAML document: finding, reading, merging, and checking its shape."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phar import foreign
from phar.profile.resources import RESOURCES
from phar.schema import ProfileError


def bundled_profiles() -> list[str]:
    """Return the names of the profiles that come with phar."""
    return sorted(path.stem for path in (RESOURCES / "configs" / "profiles").glob("*.yaml"))


def check_shape(document: Mapping[str, Any], where: str) -> None:
    """Check keys, types and ranges against the profile schema; raise on the first fault."""
    import jsonschema

    schema = json.loads(Path(__file__).with_name("profile.schema.json").read_text())
    errors = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(document), key=lambda e: list(map(str, e.path))
    )
    if not errors:
        return
    error = errors[0]
    key = ".".join(str(part) for part in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties" and "properties" in error.schema:
        known = error.schema["properties"]
        unknown = next(name for name in error.instance if name not in known)
        message = f"key {unknown!r} is unknown; known are {', '.join(known)}"
    elif error.validator == "required":
        message = f"{error.message.split(' is a ')[0]} is missing; add it"
    elif error.validator == "enum":
        message = f"{error.instance!r} is not one of {', '.join(map(str, error.validator_value))}"
    else:
        message = f"{error.message}; correct it"
    raise ProfileError(f"{where}: {key}: {' '.join(message.split())}")


def merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `overrides` merged in: mappings by key, None removes the key, others replace."""
    result = copy.deepcopy(dict(base))
    for key, value in overrides.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds."""
    try:
        document = foreign.read_yaml(path)
    except foreign.Unreadable as error:
        raise ProfileError(f"profile {path} cannot be read ({error})") from None
    if not isinstance(document, dict):
        raise ProfileError(f"profile {path} holds no mapping; start from configs/profiles/demo.yaml")
    return document


def find_profile(name: str) -> Path:
    """Return the path of a bundled profile or of a YAML file."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise ProfileError(f"profile file {name} does not exist; check the path")
        return path.resolve()
    path = RESOURCES / "configs" / "profiles" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(bundled_profiles()) or "none"
        raise ProfileError(f"profile {name!r} is unknown; use one of {known}, or a .yaml file")
    return path
