"""What any other tool says of the videos: rows of a CSV or JSON file, brought onto the same windows.

A row says that a label is seen from `start_s` to `end_s` with a `score` of 0 to 1 (1 where there is none):
a picture classifier has a row for each label of each picture, a service one for each thing it found.
Where rows of one label overlap, their mean counts. A window's score is the mean over its time; a moment
belongs to the best label there. A tool that never says `none` means it where it says nothing: `none`
then scores what the best label leaves of 1.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar import foreign
from phar.dataset.formats.document import read_text
from phar.evaluate.table import Answers, Table, given_answers
from phar.evaluate.truth import VideoTruth
from phar.schema import NONE, Segment, SegmentSpec, UsageError, Window

COLUMNS = ("video", "start_s", "end_s", "label", "score")


@dataclass(frozen=True)
class Said:
    """One row."""

    start_s: float
    end_s: float
    label: str
    score: float


def read_predictions(path: Path, truths: Sequence[VideoTruth]) -> tuple[dict[str, list[Said]], list[str]]:
    """Return the rows by video, and the names in the file that are none of the videos.

    Raises:
        UsageError: it cannot be read, a row is wrong, a name fits two videos, or no row is of any of them.
    """
    text = read_text(path)
    entries = _from_json(path, text) if path.suffix.lower() == ".json" else _from_csv(path, text)
    names: dict[str, str | None] = {}
    found: defaultdict[str, list[Said]] = defaultdict(list)
    for where, entry in entries:
        name = str(entry["video"])
        if name not in names:
            names[name] = _video(name, truths, f"{path}: {where}")
        said = _said(entry, f"{path}: {where}")
        if (video := names[name]) is not None:
            found[video].append(said)
    if not found:
        raise UsageError(f"{path} says nothing of any of the {len(truths)} videos; check the names in it")
    return dict(found), [name for name, video in names.items() if video is None]


def predicted_labels(found: Mapping[str, Iterable[Said]]) -> list[str]:
    """Return the labels that come up, sorted."""
    return sorted({said.label for rows in found.values() for said in rows})


def answers_of(
    name: str,
    found: Mapping[str, Sequence[Said]],
    table: Table,
    covers: Sequence[Sequence[Window]],
    threshold: float,
) -> Answers:
    """Return another tool's answers on a table's videos, which were cut into (V,) `covers`.

    threshold: what a label must score to be a segment.
    """
    implied = NONE in table.labels and NONE not in predicted_labels(found)
    scores, segments = [], []
    for truth, cover, duration_s in zip(table.truths, covers, table.durations_s, strict=True):
        bounds, values = _moments(found.get(truth.name, ()), table.labels, float(duration_s), implied)
        scores.append(np.stack([_over(window, bounds, values) for window in cover]))
        segments.append(_segments(bounds, values, table.labels, threshold))
    return given_answers(table, name, scores, segments, SegmentSpec(threshold=threshold))


def _moments(
    rows: Sequence[Said], labels: Sequence[str], duration_s: float, implied: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n + 1,) bounds between which nothing changes, and the (n, L) scores there."""
    times = {bound for said in rows for bound in (said.start_s, min(said.end_s, duration_s))}
    bounds = np.array(sorted({0.0, duration_s, *(time for time in times if time < duration_s)}))
    column = {label: i for i, label in enumerate(labels)}
    sums = np.zeros((len(bounds), len(labels)))
    counts = np.zeros((len(bounds), len(labels)))
    for said in rows:
        first, last = np.searchsorted(bounds, (said.start_s, min(said.end_s, duration_s)))
        if first < last:
            for values, amount in ((sums, said.score), (counts, 1.0)):
                values[first, column[said.label]] += amount
                values[last, column[said.label]] -= amount
    numbers = np.cumsum(counts, axis=0)[:-1]
    scores = np.cumsum(sums, axis=0)[:-1] / np.maximum(numbers, 1)
    scores = np.where(numbers > 0.5, np.clip(scores, 0, 1), 0)
    if implied:
        scores[:, column[NONE]] = 1 - scores.max(axis=1)
    return bounds, scores


def _over(window: Window, bounds: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over a window's time."""
    shared = np.minimum(bounds[1:], window.end_s) - np.maximum(bounds[:-1], window.start_s)
    mean: NDArray[np.float64] = np.clip(shared, 0, None) @ values / window.duration_s
    return mean


def _segments(
    bounds: NDArray[np.float64], values: NDArray[np.float64], labels: Sequence[str], threshold: float
) -> list[Segment]:
    best, top = values.argmax(axis=1), values.max(axis=1)
    names = [
        labels[i] if score > 0 and score >= threshold else NONE for i, score in zip(best, top, strict=True)
    ]
    found = []
    for name, group in groupby(enumerate(pairwise(bounds)), key=lambda entry: names[entry[0]]):
        run = list(group)
        lengths = [end - start for _, (start, end) in run]
        score = float(np.average([top[at] for at, _ in run], weights=lengths))
        found.append(Segment(name, float(run[0][1][0]), float(run[-1][1][1]), score))
    return found


def _video(name: str, truths: Sequence[VideoTruth], where: str) -> str | None:
    """Return the video whose path ends as a name does, with or without the suffix."""
    parts = tuple(part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "."))
    if not parts:
        raise UsageError(f"{where}: names no video; fill in the column")
    fitting = [
        truth.name
        for truth in truths
        if parts
        in (truth.path.parts[-len(parts) :], (*truth.path.parts[:-1], truth.path.stem)[-len(parts) :])
    ]
    if len(fitting) > 1:
        raise UsageError(f"{where}: {name!r} may be {fitting[0]} or {fitting[1]}; name more of the path")
    return fitting[0] if fitting else None


def _said(entry: Mapping[str, Any], where: str) -> Said:
    given = entry.get("score")
    try:
        start_s, end_s = float(entry["start_s"]), float(entry["end_s"])
        score = 1.0 if given in (None, "") else float(given)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{where}: start_s, end_s and score are numbers; correct the row") from None
    label = str(entry["label"]).strip()
    if not 0 <= start_s < end_s < math.inf or not 0 <= score <= 1 or not label:
        raise UsageError(
            f"{where}: {label!r} from {start_s:g} to {end_s:g} s scores {score:g}; a row needs a label, "
            "0 <= start_s < end_s, and a score of 0 to 1"
        )
    return Said(start_s, end_s, label, score)


def _from_csv(path: Path, text: str) -> list[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    try:
        _check_columns(path, reader.fieldnames or ())
        return [(f"line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num} cannot be read ({error}); save it as CSV") from None


def _from_json(path: Path, text: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        document = foreign.parse_json(text)
    except foreign.Unreadable as error:
        raise UsageError(
            f"{path} cannot be read ({error}); write a list of objects with {', '.join(COLUMNS)}"
        ) from None
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise UsageError(f"{path} is no list of objects; each has {', '.join(COLUMNS)}")
    for entry in document:
        _check_columns(path, entry)
    return [(f"entry {number}", entry) for number, entry in enumerate(document, 1)]


def _check_columns(path: Path, names: Iterable[str]) -> None:
    missing = set(COLUMNS[:-1]) - set(names)
    if missing:
        raise UsageError(f"{path} has no {', '.join(sorted(missing))}; give {', '.join(COLUMNS)}")
