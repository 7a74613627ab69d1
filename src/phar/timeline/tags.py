"""Segments and windows summed up per label: what a video is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from phar.schema import NONE, Report, Segment, SegmentSpec, Tag, Window
from phar.timeline.segments import segments
from phar.timeline.windows import exact, owned_spans


def tags(found: Iterable[Segment], cover: Sequence[Window], duration_s: float) -> list[Tag]:
    """Sum segments up per label, longest first, ties by name.

    Args:
        found: segments that do not overlap, as `segments` returns them.
        cover: the windows they came from; `Tag.clips` counts those whose owned
            span has its middle inside a segment of the label.
        duration_s: length of the video.
    """
    found = sorted(found, key=lambda segment: segment.start_s)
    seconds: defaultdict[str, Fraction] = defaultdict(Fraction)
    weighted: defaultdict[str, float] = defaultdict(float)
    for segment in found:
        length = exact(segment.end_s) - exact(segment.start_s)
        seconds[segment.label] += length
        weighted[segment.label] += float(length) * segment.score
    clips: Counter[str] = Counter()
    middles = [(start + end) / 2 for start, end in owned_spans(cover)] if cover else []
    starts = np.array([segment.start_s for segment in found])
    for middle in middles:
        index = int(np.searchsorted(starts, middle, side="right")) - 1
        if index >= 0 and middle < found[index].end_s:
            clips[found[index].label] += 1
    rows = [
        Tag(
            label=label,
            seconds=float(total),
            share=min(1.0, float(total) / duration_s),
            score=weighted[label] / float(total),
            clips=clips[label],
        )
        for label, total in seconds.items()
    ]
    return sorted(rows, key=lambda tag: (-tag.seconds, tag.label))


def resegmented(report: Report, spec: SegmentSpec) -> Report:
    """Return the report with segments and tags made anew from its fused scores."""
    found = segments(report.predictions, report.labels, spec)
    settings = {**report.profile, "segments": spec.settings()}
    return with_segments(replace(report, profile=settings), found)


def with_segments(report: Report, found: Sequence[Segment]) -> Report:
    """Return the report with other segments, and the tags that follow from them."""
    cover = [prediction.window for prediction in report.predictions]
    return replace(report, timestamps=tuple(found), tags=tuple(tags(found, cover, report.video.duration_s)))


def top_tags(
    ranked: Iterable[Sequence[tuple[str, float]]], topk: int | None = 3, among: int = 2
) -> list[tuple[str, int]]:
    """Count each label that is among a window's best, and return the most frequent.

    `none` is not a tag: it takes its place among a window's best, and is not counted.

    Args:
        ranked: per window, (label, score) pairs in any order.
        topk: how many labels to return, None for all.
        among: how many of a window's best labels count.

    Returns:
        (label, number of windows), most frequent first; ties go to the larger
        sum of scores, then to the name.

    Source: the tagging rule of the original project, which counts the top 2.
    """
    counts: Counter[str] = Counter()
    sums: defaultdict[str, float] = defaultdict(float)
    for window in ranked:
        for label, score in sorted(window, key=lambda pair: -pair[1])[:among]:
            if label == NONE:
                continue
            counts[label] += 1
            sums[label] += score
    order = sorted(counts, key=lambda label: (-counts[label], -sums[label], label))
    return [(label, counts[label]) for label in order[:topk]]
