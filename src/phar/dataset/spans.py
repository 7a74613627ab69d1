"""Arithmetic of half-open spans of time; lists of them are sorted and do not touch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[float, float]


def union(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap or touch."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def intersection(ones: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What both lists cover."""
    found = []
    one, other = 0, 0
    while one < len(ones) and other < len(others):
        start = max(ones[one][0], others[other][0])
        end = min(ones[one][1], others[other][1])
        if start < end:
            found.append((start, end))
        if ones[one][1] <= others[other][1]:
            one += 1
        else:
            other += 1
    return found


def difference(ones: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What the first list covers and the second does not."""
    left = []
    for begin, end in ones:
        start = begin
        for low, high in others:
            if high <= start or low >= end:
                continue
            if low > start:
                left.append((start, low))
            start = high
        if start < end:
            left.append((start, end))
    return left


def widened(spans: Iterable[Span], margin_s: float) -> list[Span]:
    """Each span made longer on both sides, then joined."""
    return union((start - margin_s, end + margin_s) for start, end in spans)


def pieces(span: Span, longest_s: float) -> list[Span]:
    """Cut a span into equal pieces of at most `longest_s`."""
    start, end = span
    # A piece a thousandth too long is better than one more.
    count = max(1, math.ceil((end - start) / longest_s - 1e-3))
    step = (end - start) / count
    edges = [start + step * number for number in range(count)] + [end]
    return list(pairwise(edges))


def length_s(spans: Iterable[Span]) -> float:
    """Total length."""
    return sum(end - start for start, end in spans)
