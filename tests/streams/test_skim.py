"""What is proposed for a full look, and what the pipeline makes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest
import yaml

from phar import pipeline
from phar.pipeline import analyze
from phar.profile import load_profile
from phar.schema import ProfileError
from phar.streams.skim import SKIMMED_OVER, Proposals, spans_around


@pytest.mark.parametrize(
    ("times_s", "worth", "expected"),
    [
        ([0, 5, 10], [0, 0, 0], ()),
        ([0, 5, 10], [0, 1, 0], ((0, 10),)),
        ([0, 5, 10, 15], [1, 0, 0, 1], ((0, 5), (10, inf))),
        ([0, 5, 10], [1, 1, 1], ((0, inf),)),
        # Before the first picture nobody knows: as the first picture says.
        ([2, 5], [1, 0], ((0, 5),)),
        ([2, 5], [0, 0], ()),
        # 25 s without a picture are looked at, whatever is beside them.
        ([0, 5, 30, 35], [0, 0, 0, 0], ((5, 30),)),
        ([], [], ((0, inf),)),
    ],
)
def test_spans_reach_to_the_neighbouring_pictures(times_s, worth, expected) -> None:
    assert spans_around(times_s, [bool(w) for w in worth], max_gap_s=10) == expected


def test_spans_touch_what_they_share_time_with() -> None:
    proposals = Proposals(((5, 10), (20, inf)), 3)
    assert [proposals.touch(a, a + 5) for a in (0, 4, 5, 10, 14, 16, 300)] == [
        False,
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def test_windows_that_were_skimmed_over_say_so(
    fake_streams: Callable[..., None],
    small_profile: Path,
    make_clip: Callable[[float], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = yaml.safe_load(small_profile.read_text())
    document["skim"] = {"config": "net.py", "labels": ["march", "none"]}
    small_profile.write_text(yaml.safe_dump(document))
    looked: list[float] = []

    def rgb(start_s: float) -> list[float]:
        looked.append(start_s)
        return [0.9, 0.05, 0.05, 0.0]

    fake_streams(rgb=rgb, skeleton=lambda _: "no person", audio=lambda _: "too quiet")

    class FakeSkimmer:
        def propose(self, video: object, num_threads: object) -> Proposals:
            return Proposals(((8.0, 20.0),), 5)

    monkeypatch.setattr(pipeline, "load_skimmer", lambda *_, **__: FakeSkimmer())
    report = analyze(make_clip(35), load_profile(small_profile), skim=True)
    assert looked == [7, 14]
    silent = [p.streams["rgb"].silent for p in report.predictions]
    assert silent == [SKIMMED_OVER, None, None, SKIMMED_OVER, SKIMMED_OVER]
    assert [(s.label, s.start_s, s.end_s) for s in report.timestamps] == [
        ("none", 0, 7),
        ("march", 7, 21),
        ("none", 21, 35),
    ]
    assert report.profile["skimmed"] is True


def test_a_profile_without_a_net_to_skim_with_says_so(
    fake_streams: Callable[..., None], small_profile: Path, make_clip: Callable[[float], Path]
) -> None:
    fake_streams(rgb=lambda _: [1, 0, 0, 0], skeleton=lambda _: "no", audio=lambda _: "no")
    with pytest.raises(ProfileError, match="profile small has no net to skim with"):
        analyze(make_clip(7), load_profile(small_profile), skim=True)
