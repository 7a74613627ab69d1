"""Clips from wherever they are listed: a data set's folder, a manifest, or a plain list of files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from phar.dataset.formats.document import read_text
from phar.dataset.manifest import COLUMNS, Clip, read_manifest
from phar.dataset.ranking import place, short_hash
from phar.dataset.splits import SPLITS
from phar.media import has_pictures, probe, recording_s
from phar.schema import MediaError, UsageError

#: Shares of the splits where a list names none.
_SHARES = (("train", 0.8), ("val", 0.9), ("test", 1.0))


def read_clips(path: Path) -> tuple[Clip, ...]:
    """Read the clips of a data set's folder, of a manifest, or of a list.

    A list is a CSV with the columns `file` (or `video`) and `label`, and if there `split`, `start_s`,
    `end_s`, `category` and `group`; files of sound alone may stand in it. Without a split, groups (or
    files) are dealt out 0.8, 0.1, 0.1 by a hash of their names; without times a row is the whole file.

    Raises:
        UsageError: it is none of these, or a row is no clip.
        MediaError: a file without times cannot be opened.
    """
    if path.is_dir() or path.suffix.lower() != ".csv":
        return read_manifest(path)
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise UsageError(f"{path}: cannot be read ({error}); save it as CSV") from None
    columns = set(rows[0]) if rows else set()
    if set(COLUMNS) <= columns:
        return read_manifest(path)
    name = next((each for each in ("file", "video") if each in columns), None)
    if name is None or "label" not in columns:
        raise UsageError(f"{path}: has no columns file and label; list clips so, or name a data set's folder")
    return tuple(_clip(path, number, name, row) for number, row in enumerate(rows, 2))


def _clip(path: Path, number: int, name: str, row: Mapping[str, str | None]) -> Clip:
    named, label = (row[name] or "").strip(), (row["label"] or "").strip()
    group = (row.get("group") or "").strip() or named
    split = (row.get("split") or "").strip() or _dealt(group)
    try:
        file = (path.resolve().parent / named).resolve()
        start_s = float(row.get("start_s") or 0.0)
        end_s = float(row.get("end_s") or 0.0) or _length_s(file)
        return Clip(
            id=short_hash("list", named, label, f"{start_s:.3f}", f"{end_s:.3f}"),
            split=split,
            label=label,
            category=(row.get("category") or "").strip(),
            video=file,
            start_s=start_s,
            end_s=end_s,
            shot_s=start_s,
            group=group,
        )
    except ValueError as error:
        known = ", ".join(SPLITS)
        raise UsageError(f"{path}: row {number} is no clip ({error}); splits are {known}") from None


def _dealt(group: str) -> str:
    at = place(0, "list", group)
    return next(split for split, end in _SHARES if at < end)


def _length_s(file: Path) -> float:
    length_s = probe(file).duration_s if has_pictures(file) else recording_s(file)
    if length_s <= 0:
        raise MediaError(f"{file}: its container states no length; give end_s")
    return length_s


def held_out(clips: tuple[Clip, ...], share: float, by: str | None, seed: int = 0) -> tuple[Clip, ...]:
    """Let a share of the training clips validate, whole groups of them.

    Args:
        clips: any; those of other splits stay as they are.
        share: of the groups, in (0, 1); at least one is taken.
        by: regular expression whose match in a clip's `group` names the group that stays together, such as
            a subject; None: `group` itself.
        seed: another one takes others.

    Raises:
        UsageError: no group matches, or there is but one.
    """
    groups: dict[str, str] = {}
    for clip in clips:
        if clip.split == "train":
            found = re.search(by, clip.group) if by else None
            groups[clip.group] = (found[0] if found else "") if by else clip.group
    names = sorted(set(groups.values()) - {""}, key=lambda name: place(seed, "held out", name))
    if len(names) < 2:
        raise UsageError(f"{by!r} finds {len(names)} groups to hold some out of; it must tell two apart")
    taken = set(names[: max(1, round(share * len(names)))])
    return tuple(
        _with_split(clip, "val") if clip.split == "train" and groups[clip.group] in taken else clip
        for clip in clips
    )


def _with_split(clip: Clip, split: str) -> Clip:
    return Clip(**{**vars(clip), "split": split})
