"""Log-mel features against MMAction2's own script (see make_log_mel_reference.py) and against theory."""

from pathlib import Path

import numpy as np
import pytest
from reference_sounds import HZ, REAL_SOUNDS, made_sounds, read_real

from phar.streams.features import log_mel, log_mel_batch, num_frames

REFERENCE = Path(__file__).with_name("log_mel_reference.npz")
MADE_SOUNDS = made_sounds()


def reference(name):
    with np.load(REFERENCE) as stored:
        return stored[name] / 65535


@pytest.mark.parametrize("name", MADE_SOUNDS)
def test_made_sound_equals_the_published_script(name):
    features = log_mel(MADE_SOUNDS[name])
    assert features.dtype == np.float32
    assert features.shape == reference(name).shape
    np.testing.assert_allclose(features, reference(name), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", REAL_SOUNDS)
def test_real_sound_equals_the_published_script(name, shared_media):
    features = log_mel(read_real(shared_media / REAL_SOUNDS[name]))
    assert features.shape == reference(name).shape
    np.testing.assert_allclose(features, reference(name), rtol=0, atol=1e-3)


def test_batch_gives_each_window_what_it_gets_alone():
    windows = list(MADE_SOUNDS.values())
    together = log_mel_batch(windows)
    assert len(together) == len(windows)
    for window, features in zip(windows, together, strict=True):
        np.testing.assert_allclose(features, log_mel(window), rtol=0, atol=1e-6)


def test_batch_of_nothing_is_nothing():
    assert log_mel_batch([]) == []


@pytest.mark.parametrize(
    ("num_samples", "expected"), [(0, 1), (1, 2), (255, 2), (256, 2), (257, 3), (512, 3), (7 * HZ, 439)]
)
def test_number_of_frames(num_samples, expected):
    assert num_frames(num_samples) == expected
    assert log_mel(np.ones(num_samples, np.float32)).shape == (expected, 80)


@pytest.mark.parametrize("num_samples", [0, 1, 7 * HZ])
def test_digital_silence_gives_zeros(num_samples):
    features = log_mel(np.zeros(num_samples, np.float32))
    assert (features == 0).all()


def test_loudness_does_not_matter():
    sound = MADE_SOUNDS["sweep_and_bursts_7s"]
    np.testing.assert_allclose(log_mel(sound * 0.01), log_mel(sound), rtol=0, atol=1e-4)


def test_near_silence_is_not_blown_up():
    # RMS 1e-6 is scaled by 0.1 / 1e-4, to 1e-3 and not to 0.1: 40 dB less, 0.4 of the scale.
    noise = np.random.RandomState(0).normal(size=HZ)
    near_silence = log_mel(1e-6 * noise)
    inside = log_mel(0.1 * noise)[4:-4] > 0.45
    drop = (log_mel(0.1 * noise) - near_silence)[4:-4][inside]
    assert inside.mean() > 0.5
    np.testing.assert_allclose(drop, 0.4, atol=0.002)


def test_values_that_are_not_finite_count_as_zero():
    broken = np.array([0.5, np.nan, -0.5, np.inf, 0.25, -np.inf] * 100, np.float32)
    mended = np.where(np.isfinite(broken), broken, 0)
    np.testing.assert_array_equal(log_mel(broken), log_mel(mended))


def test_huge_samples_stay_finite():
    features = log_mel(np.array([3e38, -3e38] * 600, np.float32))
    assert np.isfinite(features).all()
    assert features.max() > 0


def test_a_tone_lights_the_band_at_its_pitch():
    # On Slaney's scale, linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels for a factor
    # of 6.4), 125 Hz is mel 1.875, 1 kHz is mel 15 and 7600 Hz is mel 44.5; the 80 bands' centres lie
    # 0.526 mel apart from 1.875 + 0.526 on, so that 1 kHz lies nearest to the 25th.
    tone = np.sin(2 * np.pi * 1000 * np.arange(HZ) / HZ)
    features = log_mel(tone)[4:-4]
    assert set(features.argmax(axis=1)) == {24}


def test_input_is_left_untouched():
    sound = MADE_SOUNDS["noise_0.3s"].copy()
    log_mel(sound)
    np.testing.assert_array_equal(sound, MADE_SOUNDS["noise_0.3s"])


def test_channels_must_be_mixed_down_first():
    with pytest.raises(ValueError, match=r"shape \(16000, 2\), not \(n,\)"):
        log_mel(np.zeros((HZ, 2), np.float32))
