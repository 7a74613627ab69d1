"""The folder of a data set: manifest, labels, problems, report and the settings that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import phar
from phar.dataset.build import BuildSettings, Dataset
from phar.dataset.manifest import NAME, Clip, read_manifest, write_manifest
from phar.dataset.problem import counted, write_problems
from phar.dataset.sampling import before_repeating
from phar.dataset.splits import SPLITS
from phar.export.target import replacing
from phar.schema import NONE, OutputError, UsageError

#: The file that marks a folder as a data set of phar's.
SETTINGS = "settings.json"
MARK = "phar_dataset"


def check_folder(folder: Path) -> None:
    """Check, before any work, that a data set can be written to a folder.

    Raises:
        UsageError: it is a file, or holds something else.
        OutputError: it cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = any(folder.iterdir()) and MARK not in read_settings(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place") from None
    if foreign:
        raise UsageError(f"{folder} holds other things than a data set of phar's; name another folder")


def write_folder(dataset: Dataset, settings: BuildSettings, folder: Path) -> None:
    """Write manifest.csv, labels.txt, problems.csv, report.md and settings.json.

    Raises:
        OutputError: a file cannot be written.
    """
    document = {
        MARK: 1,
        "phar_version": phar.__version__,
        "seed": settings.seed,
        "num_samples": dict(settings.num_samples),
        "shares": dict(settings.shares),
        "drop": list(settings.drop),
        "clip_s": [settings.shortest_s, settings.longest_s],
        "negative": settings.negative,
        "margin_s": settings.margin_s,
        "detector": {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(settings.detector).items()
        },
    }
    # The settings come first: they mark the folder, should anything after them fail.
    _write(folder / SETTINGS, json.dumps(document, indent=2) + "\n")
    write_manifest(dataset.clips, folder / NAME)
    labels = sorted({clip.label for clip in dataset.clips}, key=lambda label: (label == NONE, label))
    _write(folder / "labels.txt", "".join(f"{label}\n" for label in labels))
    write_problems(dataset.problems, folder / "problems.csv")
    _write(folder / "report.md", report(dataset, settings))


def remembered(folder: Path, seed: int, shares: Mapping[str, float]) -> dict[str, str]:
    """Return the splits of the videos in a folder's data set, if it was made by the same seed and shares.

    Raises:
        UsageError: its manifest is damaged.
    """
    document = read_settings(folder)
    if not (folder / NAME).is_file() or (document.get("seed"), document.get("shares")) != (
        seed,
        dict(shares),
    ):
        return {}
    try:
        return {clip.content: clip.split for clip in read_manifest(folder)}
    except UsageError as error:
        raise UsageError(f"{error}, --fresh without looking at the last one") from None


def changes(before: Sequence[Clip], after: Sequence[Clip]) -> tuple[int, int, int]:
    """How many clips were kept, added and removed; one that changed its split was removed and added."""
    old, new = ({(clip.id, clip.split, clip.repeat) for clip in clips} for clips in (before, after))
    return len(old & new), len(new - old), len(old - new)


def report(dataset: Dataset, settings: BuildSettings) -> str:
    """Return the Markdown report: splits, what each category supports, and what was found."""
    lines = ["# Data set", ""]
    rows = []
    for split in SPLITS:
        clips = [clip for clip in dataset.clips if clip.split == split]
        asked = settings.num_samples.get(split)
        limit = before_repeating(dataset.supports, split)
        minutes = sum(clip.end_s - clip.start_s for clip in clips) / 60
        rows.append(
            {
                "split": split,
                "asked": "all" if asked is None else asked,
                "clips": len(clips),
                "distinct": len({clip.id for clip in clips}),
                "minutes": f"{minutes:.1f}",
                "videos": len({clip.video for clip in clips}),
                "before repeating": limit,
            }
        )
    lines += [table(rows), ""]
    lines += [
        f"From {dataset.num_videos} videos in {dataset.num_groups} groups of look-alikes. "
        "*Before repeating*: as many clips the split gives with classes and categories even and none "
        "used twice.",
        "",
        "## What each category supports",
        "",
    ]
    lines += [
        table(
            [
                {
                    "split": row.split,
                    "class": row.label,
                    "category": row.category or "-",
                    "videos": row.num_videos,
                    "shots": row.num_shots,
                    "clips": row.num_clips,
                    "minutes": f"{row.seconds / 60:.1f}",
                    "wanted": row.num_wanted,
                    "taken": row.num_taken,
                    "repeats": row.num_repeats,
                }
                for row in dataset.supports
            ]
        ),
        "",
        "## What was found",
        "",
    ]
    found = counted(dataset.problems)
    lines += (
        [*(f"* {line}" for line in found), "", "Each with its place in `problems.csv`."]
        if found
        else ["Nothing."]
    )
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return a Markdown table; numbers stand to the right."""
    if not rows:
        return "(none)"
    names = list(rows[0])
    marks = ["--:" if isinstance(rows[0][name], int | float) else "---" for name in names]
    body = [[str(row[name]).replace("|", "\\|") for name in names] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (names, marks, *body))


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings that made a folder's data set; empty where it is none."""
    try:
        document = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
