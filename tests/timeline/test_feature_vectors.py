"""What two lanes have in common, and a video as numbers."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phar.schema import Report, Segment, SegmentSpec
from phar.timeline import features, lanes_of, overlapping, spec_of, together_s


def lane(label: str, *spans: tuple[float, float]) -> list[Segment]:
    return [Segment(label, start, end, 0.5) for start, end in spans]


def test_seconds_together_are_those_in_which_both_are_on() -> None:
    found = {
        "a": lane("a", (0, 10), (20, 30)),
        "b": lane("b", (5, 25)),
        "c": lane("c", (10, 20), (28, 29), (29.5, 40)),
        "d": [],
    }
    assert together_s(found) == {
        ("a", "b"): 10,
        ("a", "c"): 1.5,
        ("a", "d"): 0,
        ("b", "c"): 10,
        ("b", "d"): 0,
        ("c", "d"): 0,
    }


@given(st.lists(st.booleans(), max_size=30), st.lists(st.booleans(), max_size=30))
def test_seconds_together_agree_with_counting_them(first: list[bool], second: list[bool]) -> None:
    def on(seconds: list[bool]) -> list[tuple[int, int]]:
        """Spans of consecutive seconds that are on."""
        found: list[tuple[int, int]] = []
        for i in (i for i, value in enumerate(seconds) if value):
            if found and found[-1][1] == i:
                found[-1] = (found[-1][0], i + 1)
            else:
                found.append((i, i + 1))
        return found

    both = sum(a and b for a, b in zip(first, second, strict=False))
    assert together_s({"a": lane("a", *on(first)), "b": lane("b", *on(second))}) == {("a", "b"): both}


@pytest.fixture
def three_windows(make_report) -> Report:
    rows = [{"rgb": [0.5, 0.4, 0.1, 0]}, {"rgb": [0.4, 0.6, 0, 0]}, {"rgb": [0.1, 0.2, 0.1, 0.6]}]
    return make_report(rows, 18)


def test_overlapping_segments_are_in_order_of_time(three_windows: Report) -> None:
    found = [(s.label, s.start_s, s.end_s) for s in overlapping(three_windows)]
    assert found == [("march", 0, 14), ("wave", 0, 14)]
    assert "none" not in lanes_of(three_windows)


def test_settings_a_report_does_not_name_have_their_defaults(three_windows: Report) -> None:
    assert spec_of(three_windows) == SegmentSpec(threshold=0.3)
    newer = dataclasses.replace(three_windows, profile={"segments": {"threshold": 0.5, "unknown": 1}})
    assert spec_of(newer) == SegmentSpec(threshold=0.5)
    assert spec_of(dataclasses.replace(three_windows, profile={})) == SegmentSpec()


def test_a_video_as_numbers(three_windows: Report) -> None:
    found = features(three_windows)
    assert list(found.labels) == ["march", "wave", "ring"]
    march, wave, ring = found.labels.values()
    # march is best in the first window, wave in the second; the third, of four seconds, is none.
    assert (march.seconds, wave.seconds, ring.seconds) == (7, 7, 0)
    assert march.share == pytest.approx(7 / 18)
    assert march.score == pytest.approx((0.5 * 7 + 0.4 * 7 + 0.1 * 4) / 18)
    assert (march.lane_s, wave.lane_s, ring.lane_s) == (14, 14, 0)
    assert found.together_s == {("march", "wave"): 14, ("march", "ring"): 0, ("wave", "ring"): 0}
