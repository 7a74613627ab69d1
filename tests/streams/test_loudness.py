"""Integrated loudness against ffmpeg and the standard's own cases, and the loudness gate."""

import math
import warnings

import numpy as np
import pytest
from scipy.io import wavfile

from phar.profile import LoudnessGate
from phar.schema import ProfileError
from phar.streams.loudness import audible, integrated_lufs

THRESHOLDS_LUFS = {
    "anal": -46.23,
    "deepthroat": -45.69,
    "doggy": -48.04,
    "blowjob": -53.72,
    "cumshot": -45.03,
    "cunnilingus": -48.73,
    "miscellaneous": -49.02,
    "kissing": -51.1,
}
# Made with ffmpeg 5.1: -af ebur128=metadata=1,ametadata=print:key=lavfi.r128.I, the last value.
FFMPEG_LUFS = {
    "people/open-mmlab+mmaction2/tests/data/test.wav": -17.538,
    "audio/seth814+Audio-Classification/wavfiles/Flute/3eaddda8.wav": -25.938,
    "audio/seth814+Audio-Classification/wavfiles/Snare_drum/1c9a423f.wav": -24.770,
    "audio/Jakobovski+free-spoken-digit-dataset/recordings/0_jackson_0.wav": -16.012,
}


def sine(hz, level_db=0.0, seconds=7.0, pitch_hz=997):
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * hz)) / hz)


def gate(rule, thresholds=THRESHOLDS_LUFS, fixed=None):
    return LoudnessGate(rule=rule, thresholds_lufs=thresholds, fixed_lufs=fixed)


@pytest.mark.parametrize("path", FFMPEG_LUFS)
def test_real_sound_as_ffmpeg_measures_it(path, shared_media):
    hz, samples = wavfile.read(shared_media / path)
    assert integrated_lufs(samples / 32768, hz) == pytest.approx(FFMPEG_LUFS[path], abs=0.1)


@pytest.mark.parametrize("hz", [8_000, 16_000, 44_100, 48_000])
def test_full_scale_sine_of_997_hz_in_one_channel(hz):
    # BS.1770-4: "the indicated loudness will equal -3.01 LKFS".
    assert integrated_lufs(sine(hz), hz) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("level_db", [-23.0, -33.0])
def test_sine_in_both_channels_reads_its_peak_level(level_db):
    # EBU Tech 3341, cases 1 and 2: stereo sine of 1 kHz, peak level X dBFS in each channel, reads X LUFS.
    one = sine(48_000, level_db, seconds=20, pitch_hz=1000)
    assert integrated_lufs(np.stack([one, one], axis=1), 48_000) == pytest.approx(level_db, abs=0.1)


def test_quiet_stretches_are_gated_out():
    # EBU Tech 3341, case 3: -36 dBFS for 10 s, -23 for 60 s, -36 for 10 s reads -23 LUFS.
    parts = [sine(16_000, level, seconds, 1000) for level, seconds in ((-36, 10), (-23, 60), (-36, 10))]
    mono = np.concatenate(parts)
    assert integrated_lufs(np.stack([mono, mono], axis=1), 16_000) == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(112_000, np.float32),
        np.zeros((112_000, 2), np.float32),
        np.zeros(0, np.float32),
        np.full(112_000, np.nan, np.float32),
        sine(16_000, seconds=0.39),
        sine(16_000, level_db=-90),
    ],
    ids=["silence", "stereo silence", "empty", "nan", "under 400 ms", "under -70 LUFS"],
)
def test_what_has_no_loudness_is_minus_infinity_without_warnings(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert integrated_lufs(samples, 16_000) == -math.inf


def test_exactly_one_block_is_measured():
    assert integrated_lufs(sine(16_000, seconds=0.4), 16_000) == pytest.approx(-3.01, abs=0.3)


def test_float32_is_measured_like_float64():
    sound = sine(16_000, level_db=-40)
    assert integrated_lufs(sound.astype(np.float32), 16_000) == pytest.approx(
        integrated_lufs(sound, 16_000), abs=1e-3
    )


@pytest.mark.parametrize("shape", [(16_000, 6), (16_000, 0), (2, 16_000, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"not \(n,\) or \(n, 1 to 5\)"):
        integrated_lufs(np.zeros(shape), 16_000)


@pytest.mark.parametrize(("lufs", "expected"), [(-48.44, True), (-48.45, False), (-math.inf, False)])
def test_mean_rule_compares_with_the_mean_of_the_table(lufs, expected):
    # The eight thresholds add up to -387.56.
    passed, reason = audible(lufs, gate("mean"), "blowjob")
    assert passed is expected
    assert "-48.4 LUFS (mean over 8 labels)" in reason


@pytest.mark.parametrize(
    ("label", "lufs", "expected"),
    [
        ("blowjob", -53.7, True),
        ("blowjob", -53.73, False),
        ("anal", -47.0, False),
        ("unknown", -48.44, True),
        ("unknown", -48.45, False),
        (None, -48.44, True),
        (None, -48.45, False),
    ],
)
def test_label_rule_takes_the_proposed_labels_threshold_or_the_mean(label, lufs, expected):
    assert audible(lufs, gate("label"), label)[0] is expected


def test_fixed_rule_needs_no_table():
    assert audible(-40.0, gate("fixed", {}, fixed=-40.0), None)[0] is True
    assert audible(-40.1, gate("fixed", {}, fixed=-40.0), "anal")[0] is False


def test_reason_is_one_line_for_people():
    assert audible(-60.04, gate("label"), "kissing") == (
        False,
        "loudness -60.0 LUFS is below -51.1 LUFS (threshold of kissing)",
    )


@pytest.mark.parametrize(
    "broken",
    [gate("mean", {}), gate("label", {}), gate("fixed", THRESHOLDS_LUFS)],
    ids=["mean", "label", "fixed"],
)
def test_rule_without_a_threshold_is_a_profile_error(broken):
    with pytest.raises(ProfileError) as error:
        audible(-10.0, broken, None)
    assert "\n" not in str(error.value)
