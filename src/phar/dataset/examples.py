"""Folders of examples: one file for each clip, with what each shows, ready to train on.

`skeleton` folders hold `poses/<id>.npz`, `audio` folders `features/<id>.npy`; beside them lie a manifest of
the clips that are kept, `labels.txt`, `settings.json` and `report.md`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import phar
from phar.dataset.folder import MARK, SETTINGS, check_folder, read_settings, table
from phar.dataset.manifest import NAME, Clip, read_manifest, write_manifest
from phar.dataset.splits import SPLITS
from phar.export.target import replacing
from phar.profile import load_labels
from phar.schema import NONE, UsageError

#: Kind of examples to the folder of their files and the files' suffix.
FILES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"skeleton": ("poses", ".npz"), "audio": ("features", ".npy")}
)


@dataclass(frozen=True)
class Examples:
    """What a folder of examples holds."""

    folder: Path
    kind: str
    """A key of `FILES`."""
    clips: tuple[Clip, ...]
    labels: tuple[str, ...]

    def path(self, clip: Clip) -> Path:
        """Where the file of a clip lies."""
        below, suffix = FILES[self.kind]
        return self.folder / below / f"{clip.id}{suffix}"


def check_examples(folder: Path, kind: str) -> Path:
    """Check, before any work, that examples can be written to a folder; returns where their files go.

    Raises:
        UsageError: it holds something else.
        OutputError: it cannot be made.
    """
    check_folder(folder)
    settings = read_settings(folder)
    if settings and settings.get("kind") != kind:
        held = settings.get("kind", "clips")
        raise UsageError(f"{folder} is a data set of {held}; name another folder for {kind}")
    # The mark comes first, so that a run that is stopped can go on.
    if not settings:
        _write(folder / SETTINGS, json.dumps({MARK: 1, "kind": kind}) + "\n")
    files = folder / FILES[kind][0]
    files.mkdir(exist_ok=True)
    return files


def write_examples(
    folder: Path,
    kind: str,
    clips: Sequence[Clip],
    looked_at: Sequence[tuple[Clip, str]],
    settings: Mapping[str, Any],
    labels: Sequence[str] | None = None,
) -> Examples:
    """Write manifest, labels, settings and report; the files of the clips are there already.

    Args:
        folder: as `check_examples` has seen it.
        kind: a key of `FILES`.
        clips: what is kept.
        looked_at: every clip once, with why it is not kept, or an empty text.
        settings: what decided about it, for settings.json and the report.
        labels: in the order that nets shall know them; None for that of the alphabet, `none` last.

    Raises:
        OutputError: a file cannot be written.
    """
    if labels is None:
        labels = sorted({clip.label for clip in clips}, key=lambda label: (label == NONE, label))
    document = {MARK: 1, "kind": kind, "phar_version": phar.__version__, **settings}
    _write(folder / SETTINGS, json.dumps(document, indent=2) + "\n")
    _write(folder / "labels.txt", "".join(f"{label}\n" for label in labels))
    write_manifest(clips, folder / NAME)
    _write(folder / "report.md", _report(kind, clips, looked_at, settings))
    return Examples(folder, kind, tuple(clips), tuple(labels))


def read_examples(folder: Path, kind: str) -> Examples:
    """Read a folder of examples.

    Raises:
        UsageError: it is none, or one of another kind.
        ProfileError: its labels cannot be read.
    """
    found = read_settings(folder).get("kind")
    if found != kind:
        held = f"a folder of {found} examples" if found else "no folder of examples"
        raise UsageError(f"{folder} is {held}; `phar dataset {kind}` makes one of {kind}")
    labels = load_labels(folder / "labels.txt")
    clips = read_manifest(folder)
    if unknown := sorted({clip.label for clip in clips} - set(labels)):
        raise UsageError(f"{folder}/labels.txt has no {unknown[0]!r}, which the manifest has; add it")
    return Examples(folder, kind, clips, labels)


def _report(
    kind: str, clips: Sequence[Clip], looked_at: Sequence[tuple[Clip, str]], settings: Mapping[str, Any]
) -> str:
    kept = {clip.id for clip in clips}
    rows = []
    for label in sorted({clip.label for clip, _ in looked_at}):
        own = [clip for clip, _ in looked_at if clip.label == label]
        left = [clip for clip in own if clip.id in kept]
        splits = Counter(clip.split for clip in left)
        rows.append(
            {
                "class": label,
                "clips": len(own),
                "kept": len(left),
                **{split: splits[split] for split in SPLITS},
                "minutes": f"{sum(clip.end_s - clip.start_s for clip in left) / 60:.1f}",
            }
        )
    reasons = Counter(reason for _, reason in looked_at if reason)
    lines = [f"# Examples for {kind}", "", table(rows), ""]
    lines += [f"* {count} left out: {reason}" for reason, count in reasons.most_common()]
    lines += ["", *(f"* {name}: {value}" for name, value in settings.items() if not isinstance(value, dict))]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
