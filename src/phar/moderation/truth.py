"""What people found in videos, held against what a profile scored there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phar.moderation.policy import Category
from phar.schema import Report, Window

Span = tuple[float, float]

#: A window at least this much covered by an event is an example of it; one that is less is neither.
COVERED = 0.5

#: Times this near to each other are the same.
_EDGE_S = 1e-3


@dataclass(frozen=True)
class Watched:
    """One video that people watched, whole or in parts."""

    video: Path
    """Absolute path."""
    events: tuple[tuple[float, float, str], ...]
    """start_s, end_s, label of everything they named."""
    known: tuple[Span, ...]
    """Spans in which nothing but these events happens."""
    refused: tuple[tuple[float, float, str], ...] = ()
    """Spans in which people know that a label does not happen; of others they say nothing."""


@dataclass(frozen=True)
class Case:
    """One window of one category: what it scored, and what is true."""

    video: int
    """Which of the videos, from 0."""
    window: Window
    score: float
    """Before calibration, in [0, 1]."""
    truth: bool | None
    """None where people do not say, or where an event covers a small part only."""


@dataclass(frozen=True)
class Cases:
    """All that is known about one category."""

    category: Category
    rows: tuple[Case, ...]
    """By video, then time; windows that were not judged are left out."""
    events: tuple[tuple[int, Span], ...]
    """Video and span of each true event."""
    clean_h: tuple[float, ...]
    """Per video, the hours of the windows that people know to be without the category."""


def cases(category: Category, watched: Sequence[Watched], reports: Sequence[Report]) -> Cases:
    """Hold the reports of videos against what people know of each, in the same order."""
    rows: list[Case] = []
    events: list[tuple[int, Span]] = []
    clean_h: list[float] = []
    for number, (truth, report) in enumerate(zip(watched, reports, strict=True)):
        spans = _joined((start, end) for start, end, label in truth.events if label in category.truth)
        refused = [(start, end) for start, end, label in truth.refused if label in category.truth]
        known = _joined([*truth.known, *refused, *spans])
        events += [(number, span) for span in spans]
        own = report.vocabularies.get(category.stream or "", ())
        clean: list[Span] = []
        for prediction in report.predictions:
            score, window = category.score(prediction, report.labels, own), prediction.window
            if score is None:
                continue
            rows.append(Case(number, window, score, _truth(window, spans, known)))
            if rows[-1].truth is False:
                clean.append((window.start_s, window.end_s))
        # Time that no window lies in cannot give a false alarm either.
        clean_h.append(_length(_joined(clean)) / 3600)
    return Cases(category, tuple(rows), tuple(events), tuple(clean_h))


def _truth(window: Window, spans: Sequence[Span], known: Sequence[Span]) -> bool | None:
    seen_s = _overlap(window, spans)
    if seen_s >= COVERED * window.duration_s:
        return True
    if seen_s > _EDGE_S:
        return None
    return False if _overlap(window, known) >= window.duration_s - _EDGE_S else None


def _overlap(window: Window, spans: Iterable[Span]) -> float:
    return sum(max(0.0, min(end, window.end_s) - max(start, window.start_s)) for start, end in spans)


def _length(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in spans)


def _joined(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
