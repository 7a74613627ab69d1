"""The stand-in for unsafe: frozen, even, and told by motion alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from phar.schema import UsageError
from phar.synth import Safety, load_safety

SHA256 = "78ee3af90b624d1bae520a0e7282e9e99468d428b6f6073c2e8f1d59f944475f"


@pytest.fixture(scope="module")
def safety() -> Safety:
    return load_safety(1)


def test_the_choice_is_frozen(safety: Safety) -> None:
    assert (safety.sha256, safety.version, safety.world.version) == (SHA256, 1, 1)
    with pytest.raises(UsageError, match="does not exist"):
        load_safety(99)


def test_unsafe_and_its_twin_differ_in_tempo_alone(safety: Safety) -> None:
    actions = safety.world.spec["actions"]
    for unsafe, twin in zip(safety.unsafe, safety.twins, strict=True):
        assert [unsafe, twin] in [sorted(pair) for pair in safety.world.spec["pairs"]["limb_motion"]]
        changed = {key for key in actions[unsafe] if actions[unsafe][key] != actions[twin].get(key)}
        assert changed == {"tempo_hz"}


def test_short_clips_are_drawn_by_their_shares(safety: Safety) -> None:
    labels = [safety.clip("train", index).label for index in range(400)]
    counted = Counter(
        "unsafe" if label in safety.unsafe else "twin" if label in safety.twins else "other"
        for label in labels
    )
    # Four standard deviations of a share of 400.
    assert abs(counted["unsafe"] - 200) < 40
    assert abs(counted["twin"] - 100) < 35
    assert len(set(labels)) == len(safety.world.labels)
    assert [safety.clip("train", i).label for i in range(20)] == labels[:20]


def test_streams_hold_rare_events(safety: Safety) -> None:
    unsafe_s, events, total_s = 0.0, 0, 0.0
    for index in range(30):
        clip = safety.stream("test", index, 1200, events_per_hour=6)
        truth = safety.truth(clip)
        assert [s.label for s in truth] == [
            ("safe", "unsafe")[(i + (truth[0].label == "unsafe")) % 2] for i in range(len(truth))
        ]
        assert truth[0].start_s == 0
        assert all(a.end_s == b.start_s for a, b in pairwise(truth))
        assert truth[-1].end_s == clip.duration_s == pytest.approx(1200, abs=2)
        spans = [s.end_s - s.start_s for s in truth if s.label == "unsafe"]
        events, unsafe_s, total_s = events + len(spans), unsafe_s + sum(spans), total_s + clip.duration_s
    # 60 expected in ten hours, a Poisson deviation of 8; each about 14 s long.
    assert 30 <= events <= 90
    assert unsafe_s / events == pytest.approx(14, abs=2)
    assert not any(s.label == "unsafe" for s in safety.truth(safety.stream("test", 0, 600, 0)))


def test_single_pictures_are_drawn_alike(safety: Safety) -> None:
    """At the phase where both begin, the same scene shows the same picture, whichever of the two it is."""
    fast = safety.world.clip("val", 3, label=safety.unsafe[0])
    slow = safety.world.clip("val", 3, label=safety.twins[0])
    assert np.array_equal(fast.frame(0.0), slow.frame(0.0))
    assert not np.array_equal(fast.frame(0.6), slow.frame(0.6))
