"""Windows with their truth, and what models say of them, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phar import timeline
from phar.evaluate.truth import VideoTruth, true_labels
from phar.schema import NONE, FloatArray, Report, Segment, SegmentSpec, UsageError, Window

#: The name of the fused answer among a model's answers.
FUSED = "fused"

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """W windows of V videos of which it is known what they show."""

    labels: tuple[str, ...]
    """(L,) all labels of truth and models."""
    truths: tuple[VideoTruth, ...]
    """(V,)"""
    durations_s: NDArray[np.float64]
    """(V,) lengths of the videos."""
    video: Indices
    """(W,) index into `truths`."""
    windows: tuple[Window, ...]
    """(W,)"""
    truth: Indices
    """(W,) the label that covers most of the window."""
    right: NDArray[np.bool_]
    """(W, L) labels that are right to name: those that cover half of the window, and `truth`."""
    category: tuple[str, ...]
    """(W,) the sub-kind of the true label."""
    purity: NDArray[np.float64]
    """(W,) share of the window that the true label covers."""
    kept: tuple[NDArray[np.int64], ...]
    """(V,) which of a video's windows are in the table; the others are mostly unknown."""

    @property
    def num_windows(self) -> int:
        """How many windows there are."""
        return len(self.windows)


@dataclass(frozen=True)
class Answers:
    """What one model, or one of its streams, says of every window and video of a table."""

    name: str
    scores: NDArray[np.float64]
    """(W, L); 0 for labels it does not know, and where it was silent."""
    spoke: NDArray[np.bool_]
    """(W,)"""
    said: Indices
    """(W,) the best label, L where it was silent or nothing scored above 0."""
    named: Indices
    """(W,) the same after the threshold; a window below it is `none` where there is such a label."""
    segments: tuple[tuple[Segment, ...], ...]
    """(V,) what it says when: segments of each video, without overlaps."""


def tabulate(
    truths: Sequence[VideoTruth],
    covers: Sequence[Sequence[Window]],
    durations_s: Sequence[float],
    labels: Sequence[str],
) -> Table:
    """Make the table of videos that were cut into windows; (V,) truths, windows and lengths."""
    column = {label: i for i, label in enumerate(labels)}
    video, windows, truth, categories, purity = [], [], [], [], []
    right = []
    kept = []
    for number, (about, cover) in enumerate(zip(truths, covers, strict=True)):
        inside = []
        for position, window in enumerate(cover):
            found = about.of(window)
            if found is None:
                continue
            inside.append(position)
            video.append(number)
            windows.append(window)
            truth.append(column[found.label])
            categories.append(found.category)
            purity.append(found.purity)
            right.append([label in found.also for label in labels])
        kept.append(np.array(inside, dtype=np.int64))
    return Table(
        labels=tuple(labels),
        truths=tuple(truths),
        durations_s=np.array(durations_s, dtype=np.float64),
        video=np.array(video, dtype=np.int64),
        windows=tuple(windows),
        truth=np.array(truth, dtype=np.int64),
        right=np.array(right, dtype=bool).reshape(len(windows), len(labels)),
        category=tuple(categories),
        purity=np.array(purity, dtype=np.float64),
        kept=tuple(kept),
    )


def table_of_reports(
    truths: Sequence[VideoTruth], reports: Sequence[Report], labels: Sequence[str] | None = None
) -> Table:
    """Make the table of (V,) videos and their reports; labels: all there are, else those of either.

    Raises:
        UsageError: nothing is known of any window.
    """
    return checked(
        tabulate(
            truths,
            [[prediction.window for prediction in report.predictions] for report in reports],
            [report.video.duration_s for report in reports],
            ordered_labels([*reports[0].labels, *true_labels(truths)]) if labels is None else labels,
        )
    )


def checked(table: Table) -> Table:
    """Return a table that has windows. Raises UsageError if nothing is known of any."""
    if not table.num_windows:
        raise UsageError("nothing is known of any window; give annotations of what the videos show")
    return table


def ordered_labels(labels: Iterable[str]) -> list[str]:
    """Return labels as they first come up, `none` last."""
    return sorted(dict.fromkeys(labels), key=lambda label: label == NONE)


def fused_answers(table: Table, reports: Sequence[Report], name: str = FUSED) -> Answers:
    """Return the fused answers of (V,) reports, segments as they stand in them."""
    return _answers(
        table,
        name,
        [spread([p.probs for p in report.predictions], report.labels, table.labels) for report in reports],
        [np.array([bool(p.weights) for p in report.predictions]) for report in reports],
        [report.timestamps for report in reports],
        timeline.spec_of(reports[0]),
    )


def stream_answers(table: Table, reports: Sequence[Report], stream: str) -> Answers:
    """Return one stream's answers of (V,) reports, with segments made of its own scores alone."""
    scores, spoke, segments = [], [], []
    for report in reports:
        vocabulary = report.vocabularies[stream]
        given = [prediction.streams[stream].probs for prediction in report.predictions]
        blank = np.zeros(len(vocabulary), np.float32)
        rows = spread([blank if probs is None else probs for probs in given], vocabulary, table.labels)
        alone = [
            replace(p, probs=row.astype(np.float32)) for p, row in zip(report.predictions, rows, strict=True)
        ]
        scores.append(rows)
        spoke.append(np.array([probs is not None for probs in given]))
        segments.append(timeline.segments(alone, table.labels, timeline.spec_of(report)))
    return _answers(table, stream, scores, spoke, segments, timeline.spec_of(reports[0]))


def given_answers(
    table: Table,
    name: str,
    scores: Sequence[NDArray[np.float64]],
    segments: Sequence[Sequence[Segment]],
    spec: SegmentSpec,
) -> Answers:
    """Return answers that come from elsewhere: (V,) scores (windows, L) and segments."""
    return _answers(table, name, scores, [row.any(axis=1) for row in scores], segments, spec)


def spread(rows: Sequence[FloatArray], labels: Sequence[str], onto: Sequence[str]) -> NDArray[np.float64]:
    """Return (n, len(onto)) scores of (n,) vectors over `labels`, 0 where a label is not among them."""
    column = {label: i for i, label in enumerate(onto)}
    spreaded = np.zeros((len(rows), len(onto)))
    if len(rows):
        spreaded[:, [column[label] for label in labels]] = np.stack(rows)
    return spreaded


def _answers(
    table: Table,
    name: str,
    scores: Sequence[NDArray[np.float64]],
    spoke: Sequence[NDArray[np.bool_]],
    segments: Sequence[Sequence[Segment]],
    spec: SegmentSpec,
) -> Answers:
    chosen = np.concatenate([rows[keep] for rows, keep in zip(scores, table.kept, strict=True)])
    heard = np.concatenate([rows[keep] for rows, keep in zip(spoke, table.kept, strict=True)])
    nothing = len(table.labels)
    best = chosen.argmax(axis=1)
    top = chosen[np.arange(len(chosen)), best]
    said = np.where(heard & (top > 0), best, nothing)
    thresholds = np.array([spec.threshold_of(label) for label in table.labels])[best]
    none = table.labels.index(NONE) if NONE in table.labels else nothing
    return Answers(
        name=name,
        scores=chosen,
        spoke=heard,
        said=said,
        named=np.where((top > 0) & (top >= thresholds), said, none),
        segments=tuple(tuple(found) for found in segments),
    )
