"""A duration into windows, and whose time is whose where windows overlap.

Bounds are computed from the decimal value of the stride with whole-number arithmetic, so the
100,000th window is as exact as the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from phar.schema import Window


def windows(duration_s: float, window_s: float, stride_s: float) -> list[Window]:
    """Cover [0, duration_s) with windows of `window_s` every `stride_s`.

    The last window ends at `duration_s` and may be shorter; there is no window
    that lies wholly inside the one before it. A video shorter than one window
    is one window.

    Raises:
        ValueError: a length is not positive, or the stride leaves gaps.
    """
    length, stride, end = exact(window_s), exact(stride_s), exact(duration_s)
    if min(length, stride, end) <= 0:
        raise ValueError(f"duration {duration_s}, window {window_s} and stride {stride_s} must be positive")
    if stride > length:
        raise ValueError(f"stride {stride_s} s is longer than the window of {window_s} s and leaves gaps")
    # The last window is the first that reaches the end.
    last = max(0, math.ceil((end - length) / stride))
    return [
        Window(index, float(index * stride), float(min(index * stride + length, end)))
        for index in range(last + 1)
    ]


def owned_spans(cover: Sequence[Window]) -> list[tuple[float, float]]:
    """Divide time between windows: each owns up to the middle of its overlap with the next.

    Returns:
        One (start_s, end_s) per window, without overlaps or gaps.
    """
    bounds = [cover[0].start_s]
    for window, following in pairwise(cover):
        bounds.append(float((exact(window.end_s) + exact(following.start_s)) / 2))
    bounds.append(cover[-1].end_s)
    return list(pairwise(bounds))


def exact(seconds: float) -> Fraction:
    """Read a float as the decimal it prints as: 0.1 is one tenth."""
    return Fraction(repr(float(seconds)))
