"""From the time of the source to the time of the result. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate


@dataclass(frozen=True)
class Stretch:
    """A span of the source that is kept, and where it comes to lie."""

    start_s: Fraction
    end_s: Fraction | None
    """None for the last one, if all that follows is kept: tracks may be longer than the video."""
    out_s: Fraction

    def has(self, time_s: Fraction) -> bool:
        """Tell whether a source time lies in it."""
        return self.start_s <= time_s and (self.end_s is None or time_s < self.end_s)

    @property
    def shift_s(self) -> Fraction:
        """What is added to source times."""
        return self.out_s - self.start_s

    @property
    def out_end_s(self) -> Fraction | None:
        """Where it ends in the result."""
        return None if self.end_s is None else self.end_s + self.shift_s


class TimeMap:
    """Where source times come to lie once everything but some spans is cut out."""

    def __init__(self, kept: Sequence[tuple[Fraction, Fraction | None]]) -> None:
        lengths = [Fraction(0) if end is None else end - start for start, end in kept]
        outs = [Fraction(0), *accumulate(lengths)]
        self.stretches = [Stretch(start, end, out) for (start, end), out in zip(kept, outs, strict=False)]
        self._starts = [stretch.start_s for stretch in self.stretches]

    def out(self, time_s: Fraction) -> Fraction:
        """Map a time; one that was cut out falls on the join."""
        place = bisect_right(self._starts, time_s) - 1
        if place < 0:
            return Fraction(0)
        stretch = self.stretches[place]
        mapped = time_s + stretch.shift_s
        return mapped if stretch.out_end_s is None else min(mapped, stretch.out_end_s)

    def has(self, time_s: Fraction) -> bool:
        """Tell whether a source time is kept."""
        place = bisect_right(self._starts, time_s) - 1
        return place >= 0 and self.stretches[place].has(time_s)
