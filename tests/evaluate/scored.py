"""Small tables of windows with truth and answers, written out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phar.evaluate.table import Answers, Table, given_answers, tabulate
from phar.evaluate.truth import WHOLE, TrueSpan, VideoTruth
from phar.schema import Segment, SegmentSpec, Window

LABELS = ("jog", "sing", "none")


def true_video(name: str, *spans: tuple[str, float, float], category: str = "") -> VideoTruth:
    """A video that was watched to its end."""
    found = tuple(TrueSpan(label, start, end, category) for label, start, end in spans)
    return VideoTruth(name, Path(f"/videos/{name}.mp4"), found, (WHOLE,))


def table_of(truths: Sequence[VideoTruth], seconds: Sequence[float], window_s: float = 10.0) -> Table:
    """Cut videos into windows of `window_s`."""
    covers = [
        [Window(i, i * window_s, (i + 1) * window_s) for i in range(round(length / window_s))]
        for length in seconds
    ]
    return tabulate(truths, covers, seconds, LABELS)


def answers_of(
    table: Table,
    rows: Sequence[Sequence[Sequence[float]]],
    segments: Sequence[Sequence[Segment]] = (),
    threshold: float = 0.0,
) -> Answers:
    """Scores of every window of every video, and the segments made of them."""
    scores = [np.array(video, dtype=np.float64) for video in rows]
    return given_answers(
        table, "tool", scores, segments or [()] * len(rows), SegmentSpec(threshold=threshold)
    )
