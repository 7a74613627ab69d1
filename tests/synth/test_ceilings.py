from collections import Counter

import pytest

from phar.schema import NONE
from phar.synth import load_world
from phar.synth.ceilings import ceilings, held_out_windows

NUM = 60


@pytest.fixture(scope="module")
def world():
    return load_world(1)


@pytest.fixture(scope="module")
def found(world):
    return ceilings(world, 2_500_000, NUM)


def test_held_out_windows_hold_cuts_and_none(world):
    windows = held_out_windows(world, 2_500_000, NUM)
    assert len(windows) == NUM
    assert all(w.end_s - w.start_s == 7 for w in windows)
    assert any(w.label == NONE for w in windows)
    assert any(w.purity < 0.999 for w in windows)


def test_observers_guess_what_they_cannot_tell(world, found):
    count = Counter(w.label for w in held_out_windows(world, 2_500_000, NUM))
    heard = count["knock"] + count["ring"] + count["sing"] + count["talk"]
    paced = count["march"] + count["jog"] + count["wave"] + count["stretch"]
    assert found["windows"] == NUM
    assert found["fused"] == 1
    assert found["rgb_dense"] == pytest.approx(1 - heard / 2 / NUM)
    assert found["rgb_sparse"] == pytest.approx(1 - (heard + paced) / 2 / NUM)
    assert found["skeleton"] == pytest.approx((paced + count["box"] + count["row"]) / NUM)
    assert found["audio"] == pytest.approx(heard / NUM)


def test_joints_tell_the_limb_pairs_and_sound_tells_the_sound_pairs(found):
    assert found["skeleton_windows"] >= 10
    assert found["audio_windows"] >= 8
    assert found["skeleton_measured"] >= 0.85
    assert found["audio_measured"] >= 0.85
