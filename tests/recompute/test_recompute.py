"""A report made anew is the report another analysis would have written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phar.export import WRITERS, read_report, to_document
from phar.pipeline import analyze
from phar.profile import load_profile, with_overrides
from phar.recompute import recomputed
from phar.schema import ProfileError, Report


@pytest.fixture
def analysed(
    fake_streams: Callable[..., None], make_clip: Callable[..., Path], small_profile: Path, tmp_path: Path
) -> Callable[[dict[str, Any]], Report]:
    fake_streams(
        rgb=lambda start_s: {0: [0.7, 0.1, 0.1, 0.1], 7: [0.1, 0.1, 0.5, 0.3]}.get(
            start_s, [0.3, 0.2, 0.26, 0.24]
        ),
        skeleton=lambda start_s: [0.75, 0.25] if start_s == 0 else "no person",
        audio=lambda start_s: [1.0] if start_s == 7 else "too quiet",
    )

    def analyse(overrides: dict[str, Any]) -> Report:
        report = analyze(make_clip(16.4), with_overrides(load_profile(small_profile), overrides))
        WRITERS["json"].write(report, tmp_path / "report.json")
        return read_report(tmp_path / "report.json")

    return analyse


def document(report: Report) -> dict[str, Any]:
    return to_document(dataclasses.replace(report, created="", timing={}))


@pytest.mark.parametrize(
    "overrides",
    [
        {"fusion": {"rule": "within_vocabulary", "threshold": 0.6}},
        {
            "fusion": {"rule": "stacked"},
            "streams": {"rgb": {"bias": {"ring": 1.0}}, "skeleton": {"label_weights": {"wave": 2.0}}},
        },
        {"streams": {"rgb": {"weight": 3.0, "temperature": 0.5}, "audio": {"weight": 0.1}}},
        {"labels": ["none", "ring", "wave", "march"], "segments": {"min_length_s": 8, "max_gap_s": 3}},
        {"name": "renamed"},
    ],
)
def test_as_if_analysed(
    analysed: Callable[[dict[str, Any]], Report], small_profile: Path, overrides: dict[str, Any]
) -> None:
    anew = analysed(overrides)
    before = analysed({})
    assert document(before) != document(anew)
    profile = with_overrides(load_profile(small_profile), overrides)
    once = recomputed(before, profile)
    assert document(once) == document(anew)
    assert document(recomputed(once, profile)) == document(anew)


def test_other_streams_need_another_analysis(
    analysed: Callable[[dict[str, Any]], Report], small_profile: Path
) -> None:
    profile = with_overrides(load_profile(small_profile), {"streams": {"audio": None}})
    with pytest.raises(ProfileError, match="other streams or stream labels"):
        recomputed(analysed({}), profile)
