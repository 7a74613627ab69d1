"""Which spans of a video an edit is about: spans of labels, grown, merged, turned around."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from phar.schema import Segment
from phar.timeline.windows import exact

Span = tuple[float, float]


def label_spans(found: Iterable[Segment], labels: Collection[str]) -> list[Span]:
    """Return where segments of one of the labels lie, as spans that neither touch nor overlap."""
    return merged((segment.start_s, segment.end_s) for segment in found if segment.label in labels)


def lane_spans(found: Mapping[str, Sequence[Segment]], labels: Collection[str]) -> list[Span]:
    """Do the same for lanes, where labels overlap."""
    return merged((segment.start_s, segment.end_s) for label in labels for segment in found.get(label, ()))


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sort spans, and join those that touch or overlap; empty ones are gone."""
    out: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def padded(spans: Iterable[Span], pad_s: float, duration_s: float) -> list[Span]:
    """Grow each span by `pad_s` on both sides, inside [0, duration_s)."""
    pad, end_s = exact(pad_s), exact(duration_s)
    grown = [(max(exact(0), exact(a) - pad), min(end_s, exact(b) + pad)) for a, b in spans]
    return merged((float(a), float(b)) for a, b in grown)


def inverted(spans: Iterable[Span], duration_s: float) -> list[Span]:
    """Return what spans leave free of [0, duration_s)."""
    out: list[Span] = []
    at = 0.0
    for start, end in padded(spans, 0, duration_s):
        if at < start:
            out.append((at, start))
        at = end
    return [*out, (at, duration_s)] if at < duration_s else out
