"""The list of known checkpoints: what each one is, where it came from and how good it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from filelock import lock_descriptor

from phar import foreign
from phar.schema import OutputError

_HEADER = (
    "# The checkpoints phar knows. `phar models pull` fetches those with a `url`; `sha256_prefix` is\n"
    "# what their publisher put into the file name, `reported` what the publisher measured. The others\n"
    "# are bundled: `phar train MODEL --export` keeps all but `metrics`, which holds what `phar eval`\n"
    "# printed on held-out seeds.\n"
)


def record_checkpoint(metafile: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Set what a metafile says of one model; what it says of others, and its `metrics`, stay.

    `facts` must hold `checkpoint`, a path below the metafile's folder; size and SHA-256 are added.
    Metrics of other weights than these are dropped. Raises OutputError.
    """
    try:
        # Several trainings may end at once; the folder itself is the lock, so that no file is left behind.
        descriptor = os.open(metafile.parent, os.O_RDONLY)
        try:
            lock_descriptor(descriptor)
            _update(metafile, name, facts)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{metafile} cannot be updated: {error}") from error


def _update(metafile: Path, name: str, facts: Mapping[str, Any]) -> None:
    document = yaml.safe_load(metafile.read_text(encoding="utf-8")) if metafile.is_file() else None
    models: dict[str, Any] = (document or {}).get("models", {})
    content = (metafile.parent / str(facts["checkpoint"])).read_bytes()
    entry = {**facts, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    before = models.get(name, {})
    if before.get("sha256") == entry["sha256"]:
        entry = {**before, **entry}
    models[name] = entry
    text = _HEADER + foreign.to_yaml({"models": models})
    partial = metafile.with_name(f".{metafile.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(metafile)
