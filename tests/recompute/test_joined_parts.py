"""A video that is analysed in parts has the report of one that is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phar.export import to_document
from phar.pipeline import Analyzer, joined
from phar.profile import load_profile, with_overrides
from phar.schema import Report


def document(report: Report) -> dict[str, Any]:
    return to_document(dataclasses.replace(report, created="", timing={}))


@pytest.mark.parametrize("stride_s", [7, 2])
@pytest.mark.parametrize("cuts", [(1,), (1, 2), (4,), (2, 50)])
def test_joined_parts_are_the_whole(
    fake_streams: Callable[..., None],
    make_clip: Callable[..., Path],
    small_profile: Path,
    stride_s: float,
    cuts: tuple[int, ...],
) -> None:
    fake_streams(
        rgb=lambda start_s: [0.1 + (start_s % 3) / 10, 0.3, 0.2 + (start_s % 5) / 20, 0.1],
        skeleton=lambda start_s: [0.75, 0.25] if start_s % 4 == 0 else "no person",
        audio=lambda start_s: [1.0] if start_s >= 7 else "too quiet",
    )
    profile = with_overrides(
        load_profile(small_profile), {"stride_s": stride_s, "segments": {"smooth_s": 9, "min_length_s": 3}}
    )
    analyzer = Analyzer(profile)
    clip = make_clip(31.5)
    whole = analyzer.analyze(clip, keep_poses=True, topk=2)
    ends = [0, *cuts, None]
    parts = [
        analyzer.analyze_part(clip, (ends[i] or 0, ends[i + 1]), keep_poses=True)
        for i in range(len(ends) - 1)
    ]
    again = joined(profile, parts, topk=2)
    assert document(again) == document(whole)
    assert whole.poses is not None and again.poses is not None
    for name in ("frame_time_s", "frame_index", "boxes", "keypoints"):
        np.testing.assert_array_equal(getattr(again.poses, name), getattr(whole.poses, name))
    # The work of all parts, wherever it was done.
    assert again.timing["total_s"] == pytest.approx(sum(part.total_s for part in parts), abs=0.2)
    assert again.timing["reader"].keys() == whole.timing["reader"].keys()
    # Nets were loaded for the first.
    assert again.timing["main"].keys() | {"load"} == whole.timing["main"].keys()
