"""Reports with any segments a writer may meet, and how what was read back is held against them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from fractions import Fraction

from hypothesis import strategies as st

from phar.schema import Report, Segment
from report_fixtures import build

#: What breaks formats: their own marks, formulas, markup, quotes, breaks, other scripts, no characters.
ODD_LABELS = (
    "a --> b",
    "x=1;#2\\",
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@home",
    "<b>&amp;",
    'say "hi", twice',
    "]]>",
    "--",
    "[CHAPTER]",
    "tab\there",
    "two\nlines",
    "one  space",
    "a_b%c",
    "рука",
    "手を振る",
    "👋🏽",
    "\x00",
    "\ud800",
    "\u2028",
    "NOTE",
    "0:00:00",
    "##",
    "none?",
)
_LABELS = st.sampled_from(ODD_LABELS) | st.text(min_size=1, max_size=12)
_RATES = st.sampled_from(
    [Fraction(25), Fraction(30000, 1001), Fraction(10), Fraction(60), Fraction(2997, 250)]
)
_LENGTHS_S = st.sampled_from([0.0004, 0.001, 0.02, 0.04, 1.0, 7.0]) | st.floats(0.0001, 4000)


@st.composite
def exclusive(draw: st.DrawFn) -> Report:
    """Draw segments that follow each other, touching or with gaps."""
    now, found = 0.0, []
    for _ in range(draw(st.integers(0, 8))):
        now += draw(st.just(0.0) | _LENGTHS_S)
        length = draw(_LENGTHS_S)
        found.append(Segment(draw(_LABELS), now, now + length, draw(st.floats(0, 1))))
        now += length
    return _report(found, now + draw(st.just(0.0) | _LENGTHS_S), draw(_RATES))


@st.composite
def overlapping(draw: st.DrawFn) -> Report:
    """Draw segments of which any may overlap, sorted by start."""
    found = []
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.just(0.0) | st.floats(0, 4000))
        found.append(Segment(draw(_LABELS), start, start + draw(_LENGTHS_S), draw(st.floats(0, 1))))
    found.sort(key=lambda segment: (segment.start_s, segment.end_s))
    end = max((segment.end_s for segment in found), default=0.0)
    return _report(found, end, draw(_RATES))


def with_segments(
    *rows: tuple[str, float, float], duration_s: float = 60, fps: Fraction = Fraction(25)
) -> Report:
    """Build a report of these (label, start_s, end_s)."""
    return _report([Segment(*row, 0.5) for row in rows], duration_s, fps)


def assert_read_back(
    read: Iterable[tuple[str, float, float]], wanted: Iterable[tuple[str, float, float]], tolerance_s: float
) -> None:
    """Hold (label, start_s, end_s), in order, against the segments; only what is too short may be missing."""
    rows = list(read)
    for label, start_s, end_s in wanted:
        reach = tolerance_s + 1e-6
        if (
            rows
            and rows[0][0] == label
            and abs(rows[0][1] - start_s) <= reach
            and abs(rows[0][2] - end_s) <= reach
        ):
            rows.pop(0)
        else:
            assert end_s - start_s <= 2 * reach, (
                f"{label!r} from {start_s} to {end_s} is missing before {rows[:1]}"
            )
    assert rows == []


def _report(found: list[Segment], duration_s: float, fps: Fraction) -> Report:
    report = build([{"rgb": [1, 0, 0, 0]}], 7)
    video = dataclasses.replace(report.video, duration_s=max(duration_s, 0.04), fps=fps)
    return dataclasses.replace(report, timestamps=tuple(found), video=video)
