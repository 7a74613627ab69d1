"""Clips of other places: the statistics of photographs, movement, nobody in them."""

from __future__ import annotations

import numpy as np

from phar.synth import Elsewhere


def test_a_picture_follows_from_seed_index_and_time() -> None:
    first = Elsewhere(0, 3).frame(2.0)
    other = Elsewhere(0, 3)
    other.frame(5.0)
    np.testing.assert_array_equal(first, other.frame(2.0))
    for clip in (Elsewhere(0, 4), Elsewhere(1, 3)):
        assert clip.frame(2.0).shape != first.shape or (clip.frame(2.0) != first).any()


def test_a_side_that_is_not_given_keeps_the_shape() -> None:
    clip = next(c for c in map(Elsewhere, [0] * 20, range(20)) if (c.width_px, c.height_px) == (426, 240))
    assert clip.frame(1.0, height_px=120).shape == (120, 213, 3)
    assert clip.frame(1.0, width_px=213).shape == (120, 213, 3)
    assert clip.frame(1.0, 64, 64).shape == (64, 64, 3)


def test_pictures_have_the_spectrum_of_photographs() -> None:
    # The amplitude of natural images falls roughly as 1/f, that of white noise not at all. Source: Field,
    # Relations between the statistics of natural images and the response properties of cortical cells, 1987.
    size, slopes = 128, []
    for index in range(60):
        grey = Elsewhere(0, index).frame(2.0, size, size).astype(float).mean(-1)
        window = np.outer(np.hanning(size), np.hanning(size))
        amplitude = np.abs(np.fft.fft2((grey - grey.mean()) * window))
        radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size) * size] * 2))
        rings = np.array([amplitude[(radius >= r) & (radius < 2 * r)].mean() for r in (2, 4, 8, 16)])
        slopes.append(np.polyfit(np.log2([2, 4, 8, 16]), np.log2(rings + 1e-6), 1)[0])
    assert -1.6 < np.median(slopes) < -0.8


def test_most_clips_move_and_some_stand_still() -> None:
    moved = []
    for index in range(40):
        clip = Elsewhere(1, index)
        early, late = (clip.frame(t, 96, 64).astype(float) for t in (1.0, 5.0))
        moved.append(np.abs(early - late).mean() > 6)
    assert 0.4 < np.mean(moved) < 0.95


def test_nobody_is_in_them() -> None:
    clip = Elsewhere(0, 0)
    assert clip.label == "none"
    assert clip.window_label(0.0, 7.0) == ("none", 1.0)
    assert np.isnan(clip.keypoints([0.0, 1.0])).all()
    assert clip.keypoints([0.0, 1.0]).shape == (2, 2, 17, 2)
    assert len(clip.truth(1.0).boxes) == 0
    assert clip.places(1.0) == []
    assert clip.audio(0.0, 1.0, 16000) is None
