"""Atoms: what can become a clip. Each is a shot inside an annotation, or a shot that shows no label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from phar.dataset.annotation import ACCEPT, COMPLETE, REJECT, UNSURE, Annotation
from phar.dataset.index import VideoIndex
from phar.dataset.spans import Span, difference, intersection, union, widened

#: Where an atom's label comes from.
ANNOTATED, UNLABELLED, REJECTED = "annotated", "unlabelled", "rejected"

#: Categories of negatives: beside labelled spans of the same video; in a video without any; hard ones.
BESIDE, APART = "beside", "apart"

#: Shorter scraps come from a boundary and a cut that do not quite meet.
_SCRAP_S = 0.05


@dataclass(frozen=True)
class Atom:
    """A span of one shot with one label."""

    video: Path
    content: str
    """Hash of the video's bytes."""
    start_s: float
    end_s: float
    shot_s: float
    """Where the shot begins."""
    label: str
    category: str
    origin: str
    """annotated, unlabelled or rejected."""

    @property
    def span(self) -> Span:
        """Start and end, seconds."""
        return self.start_s, self.end_s


@dataclass(frozen=True)
class Contested:
    """A span to which annotations give labels that contradict each other."""

    video: Path
    start_s: float
    end_s: float
    labels: tuple[str, ...]


def atoms_of(
    video: Path,
    index: VideoIndex,
    annotations: Sequence[Annotation],
    *,
    negative: str | None,
    margin_s: float,
    keep_contested: bool = False,
) -> tuple[list[Atom], list[Contested]]:
    """Cut one video into atoms.

    Args:
        video: the file.
        index: its shots.
        annotations: the rows about it.
        negative: label of what shows none of the labels; None makes no negatives.
        margin_s: an unlabelled span keeps this distance from every annotation, for boundaries set by hand
            are a little off. Whole unlabelled shots keep none.
        keep_contested: whether spans with two labels become atoms of both; else they become none.

    Returns:
        Atoms in order of time, and the contested spans.
    """
    shots = index.shots()
    held: dict[tuple[str, str, str], list[Span]] = defaultdict(list)
    for row in annotations:
        span = (row.start_s, min(row.end_s, index.duration_s))
        held[row.verdict, row.label, row.category].append(span)
    spans = {key: union(value) for key, value in held.items()}
    contested = _contested(video, spans)
    barred = union(span for key, value in spans.items() if key[0] == UNSURE for span in value)
    if not keep_contested:
        barred = union([*barred, *((each.start_s, each.end_s) for each in contested)])

    atoms: list[Atom] = []

    def add(parts: Sequence[Span], label: str, category: str, origin: str) -> None:
        for shot in shots:
            for start, end in intersection([shot], parts):
                if end - start > _SCRAP_S:
                    atoms.append(Atom(video, index.content, start, end, shot[0], label, category, origin))

    labelled: dict[str, list[Span]] = defaultdict(list)
    for (verdict, label, category), parts in sorted(spans.items()):
        if verdict == ACCEPT:
            # Of two categories for one moment the first by name counts.
            add(difference(difference(parts, barred), labelled[label]), label, category, ANNOTATED)
            labelled[label] = union([*labelled[label], *parts])
    if negative is not None:
        everything = union(span for parts in labelled.values() for span in parts)
        for (verdict, label, category), parts in sorted(spans.items()):
            if verdict == REJECT:
                free = difference(difference(parts, barred), everything)
                add(free, negative, category or f"not-{label}", REJECTED)
        touched = union(span for key, parts in spans.items() if key[0] != COMPLETE for span in parts)
        watched = union(span for key, parts in spans.items() if key[0] == COMPLETE for span in parts)
        beside = any(label != negative for label in labelled)
        add(_unlabelled(shots, touched, watched, margin_s), negative, BESIDE if beside else APART, UNLABELLED)
    return sorted(atoms, key=lambda atom: (atom.start_s, atom.label, atom.category)), contested


def _unlabelled(
    shots: Sequence[Span], touched: Sequence[Span], watched: Sequence[Span], margin_s: float
) -> list[Span]:
    """What was watched and shows no label: whole shots, and the rest of others at a distance."""
    near = widened(touched, margin_s)
    free: list[Span] = []
    for shot in shots:
        inside = intersection([shot], touched)
        scrap = all(end - start <= _SCRAP_S for start, end in inside)
        free += difference([shot], inside if scrap else intersection([shot], near))
    # Shots touch each other, so they must not be joined: each is cut out again by the caller.
    return intersection(union(free), watched)


def _contested(video: Path, spans: dict[tuple[str, str, str], list[Span]]) -> list[Contested]:
    said: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for (verdict, label, _), parts in spans.items():
        if verdict in (ACCEPT, REJECT):
            said[verdict, label] = union([*said[verdict, label], *parts])
    found = []
    for (one, these), (other, those) in combinations(sorted(said.items()), 2):
        if one[0] == other[0] == ACCEPT or (one[1] == other[1] and one[0] != other[0]):
            names = tuple(sorted({one[1], other[1]})) if one[1] != other[1] else (one[1],)
            found += [Contested(video, start, end, names) for start, end in intersection(these, those)]
    return sorted(found, key=lambda each: (each.start_s, each.labels))
