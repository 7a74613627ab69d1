import numpy as np
import pytest
from clips import make_clip, steady, tone

from phar.media import MediaReader


def hear(path, audio_hz=16000, window_s=2.0):
    """All samples of the first channel, windows joined, and the reader."""
    with MediaReader(path, window_s, window_s, lambda *_: (), audio_hz) as reader:
        parts = [media.audio for media in reader]
    assert all(part.dtype == np.float32 for part in parts)
    return np.concatenate(parts)[:, 0], reader


def loud_spans(samples, rate_hz):
    """Where the sound is loud: start and end of each stretch, in seconds, in steps of 10 ms."""
    step = rate_hz // 100
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    loud = np.concatenate([[False], np.sqrt((blocks**2).mean(axis=1)) > 0.1, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1]) / 100
    return edges.reshape(-1, 2).tolist()


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000, 8000])
def test_sound_is_resampled_and_lies_where_it_was(tmp_path, rate_hz):
    path = make_clip(tmp_path / "clip.mkv", steady(50, 10), fps=10, sounds=[(0.0, tone(5, rate_hz), rate_hz)])
    samples, reader = hear(path)
    assert len(samples) == 80000
    np.testing.assert_allclose(samples[400:-400], tone(5, 16000)[400:-400], atol=2e-3)
    assert reader.video.has_audio
    assert reader.warnings == ()


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus", "flac"])
def test_coded_sound_lies_where_it_was(tmp_path, codec):
    silence = np.zeros(48000, np.float32)
    sound = np.concatenate([silence, tone(1, 48000), silence])
    path = make_clip(
        tmp_path / "clip.mkv", steady(30, 10), fps=10, sounds=[(0.0, sound, 48000)], sound_codec=codec
    )
    samples, _ = hear(path)
    assert loud_spans(samples, 16000) == [pytest.approx([1.0, 2.0], abs=0.03)]


@pytest.mark.parametrize(
    ("video_starts_s", "sound_starts_s", "expected"),
    [
        (0.0, 0.0, [0.0, 1.0]),
        (0.0, 1.5, [1.5, 2.5]),
        (0.5, 0.0, [0.0, 0.5]),
        (3.0, 4.0, [1.0, 2.0]),
        (0.0, 3.5, [3.5, 4.0]),
    ],
)
def test_sound_is_placed_against_the_first_frame(tmp_path, video_starts_s, sound_starts_s, expected):
    path = make_clip(
        tmp_path / "clip.mkv",
        [video_starts_s + t for t in steady(40, 10)],
        fps=10,
        sounds=[(sound_starts_s, tone(1, 16000), 16000)],
    )
    samples, _ = hear(path)
    assert len(samples) == 64000
    assert loud_spans(samples, 16000) == [pytest.approx(expected, abs=0.011)]


def test_a_gap_in_the_sound_is_silence(tmp_path):
    path = tmp_path / "clip.mkv"
    late = np.concatenate([tone(1, 16000), np.zeros(16000, np.float32), tone(1, 16000)])
    make_clip(path, steady(40, 10), fps=10, sounds=[(0.0, late, 16000)])
    samples, _ = hear(path)
    assert loud_spans(samples, 16000) == [
        pytest.approx([0, 1], abs=0.011),
        pytest.approx([2, 3], abs=0.011),
    ]
    assert not samples[-15000:].any()


def test_both_channels_are_heard(tmp_path):
    sound = np.stack([tone(2, 16000, 300.0), tone(2, 16000, 1100.0)], axis=1)
    path = make_clip(tmp_path / "clip.mkv", steady(20, 10), fps=10, sounds=[(0.0, sound, 16000)])
    with MediaReader(path, 2, 2, lambda *_: (), 16000) as reader:
        samples = next(iter(reader)).audio
    np.testing.assert_allclose(samples, sound, atol=1e-4)


def test_one_channel_stays_one_so_that_it_is_not_measured_twice_as_loud(tmp_path):
    path = make_clip(tmp_path / "clip.mkv", steady(20, 10), fps=10, sounds=[(0.0, tone(2, 16000), 16000)])
    with MediaReader(path, 2, 2, lambda *_: (), 16000) as reader:
        assert next(iter(reader)).audio.shape == (32000, 1)


def test_the_first_of_two_tracks_is_heard(tmp_path):
    path = make_clip(
        tmp_path / "clip.mkv",
        steady(20, 10),
        fps=10,
        sounds=[(0.0, tone(2, 16000), 16000), (0.0, np.zeros(32000, np.float32), 16000)],
    )
    samples, _ = hear(path)
    np.testing.assert_allclose(samples, tone(2, 16000), atol=1e-4)


def test_no_sound(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", steady(20, 10), fps=10)
    with MediaReader(path, 1, 1, lambda *_: (), 16000) as reader:
        assert [media.audio for media in reader] == [None, None]
    assert not reader.video.has_audio
    assert reader.warnings == ()


def test_sound_nobody_asked_for_is_noticed_all_the_same(tmp_path):
    path = make_clip(tmp_path / "clip.mkv", steady(20, 10), fps=10, sounds=[(0.0, tone(2, 16000), 16000)])
    with MediaReader(path, 1, 1, lambda *_: ()) as reader:
        assert [media.audio for media in reader] == [None, None]
    assert reader.video.has_audio


def test_sound_that_cannot_be_decoded_counts_as_none(tmp_path):
    path = make_clip(
        tmp_path / "clip.mkv",
        steady(20, 10),
        fps=10,
        sounds=[(0.0, tone(2, 16000), 16000)],
        sound_codec="flac",
    )
    data = path.read_bytes()
    # Every FLAC frame begins with these fourteen set bits.
    path.write_bytes(data.replace(b"\xff\xf8", b"\0\0"))
    with MediaReader(path, 1, 1, lambda *_: (), 16000) as reader:
        windows = list(reader)
    assert [media.audio for media in windows] == [None, None]
    assert not reader.video.has_audio
    assert reader.warnings[-1] == "audio: no sound could be decoded from the audio track"


def test_windows_join_without_a_seam(tmp_path):
    path = make_clip(tmp_path / "clip.mkv", steady(70, 10), fps=10, sounds=[(0.0, tone(7, 44100), 44100)])
    whole, _ = hear(path, 16000, 7.0)
    parts, _ = hear(path, 16000, 0.7)
    np.testing.assert_array_equal(whole, parts)


def test_overlapping_windows_hear_the_same(tmp_path):
    path = make_clip(tmp_path / "clip.mkv", steady(40, 10), fps=10, sounds=[(0.0, tone(4, 16000), 16000)])
    with MediaReader(path, 2.0, 1.0, lambda *_: (), 16000) as reader:
        first, second, third = (media.audio for media in reader)
    np.testing.assert_array_equal(first[16000:], second[:16000])
    np.testing.assert_array_equal(second[16000:], third[:16000])
