"""A profile's nets with random weights: as large and as slow as the trained ones, and as wise as dice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phar import foreign
from phar.export.target import replacing
from phar.models.weights import Imported, check_weights_file, save_weights
from phar.profile import Profile, bundled_profiles, load_profile, with_preset
from phar.schema import OutputError, UsageError

_HEAD = "# Written by phar: random weights, for measuring speed and trying things out.\n"


def write_untrained(name: str, folder: Path, seed: int) -> tuple[Path, list[Imported]]:
    """Write the nets of a bundled profile and its presets, drawn from `seed`, and a profile that names them.

    The new profile is called `NAME-random`, and every report made with it says so.

    Args:
        name: a bundled profile.
        folder: where the files go; made if it is not there. Files that phar wrote are replaced.
        seed: same seed, same weights.

    Returns:
        The new profile's file, and each file of weights.

    Raises:
        UsageError: the name is no bundled profile's, or a file in the way is not phar's.
        OutputError: something cannot be written.
    """
    if name not in bundled_profiles():
        raise UsageError(f"profile {name!r} is not bundled; use one of {', '.join(bundled_profiles())}")
    profile = load_profile(name)
    nets: dict[str, tuple[Path, int | None]] = {}
    for file, net in _nets(profile):
        nets.setdefault(file, net)
    out = folder / f"{name}-random.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if out.exists() and not out.read_text(encoding="utf-8", errors="replace").startswith(_HEAD):
            raise UsageError(f"{out} exists and was not written by phar; choose another folder")
    except OSError as error:
        raise OutputError(f"{folder} cannot be used: {error.strerror}; choose another place") from None
    for file in nets:
        check_weights_file(folder / file)
    from phar.openmmlab.bare import random_weights

    written = [
        save_weights(
            random_weights(config, size, seed),
            folder / file,
            {"random_seed": seed, "config": config.name},
        )
        for file, (config, size) in nets.items()
    ]
    document = {
        **_renamed(profile.document),
        "name": f"{name}-random",
        "description": f"The nets of {name} with random weights of seed {seed}: what they say means nothing.",
    }
    with replacing(out) as temporary:
        temporary.write_text(_HEAD + foreign.to_yaml(document), encoding="utf-8")
    return out, written


def _nets(profile: Profile) -> Iterator[tuple[str, tuple[Path, int | None]]]:
    """Yield file name, config and number of classes of every net of a profile and its presets."""
    for preset in (None, *profile.presets):
        part = with_preset(profile, preset)
        for name, model in part.models().items():
            spec = part.skim if name == "skim" else part.streams.get(name)
            size = None if spec is None else len(spec.labels)
            yield _file_name(model.checkpoint or model.config), (model.config, size)


def _renamed(entry: Any) -> Any:
    """Return a part of a profile's document with the files of random weights in place of its checkpoints."""
    if not isinstance(entry, Mapping):
        return entry
    changed = {key: _renamed(value) for key, value in entry.items() if key != "sha256"}
    if "checkpoint" in entry:
        changed["checkpoint"] = _file_name(Path(entry["checkpoint"]))
    return changed


def _file_name(checkpoint: Path) -> str:
    return f"{checkpoint.stem}.safetensors"
