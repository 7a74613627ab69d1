"""Pictures that show nothing: every kind in every size, drawn from seeds, and what their names say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from phar.media import read_frames
from phar.synth.noncontent import FPS, KINDS, SIZES, NonContent, non_content


def of(kind: str, seed: int = 0) -> NonContent:
    return NonContent(kind, seed, 128, 72, 4.0)


def test_every_kind_comes_in_every_size_with_pictures_of_its_own() -> None:
    videos = non_content(0, 4)
    assert {(video.kind, (video.width_px, video.height_px)) for video in videos} == {
        (kind, size) for kind in KINDS for size in SIZES
    }
    assert len({video.name for video in (*videos, *non_content(1, 4))}) == 2 * len(videos)
    assert not np.array_equal(of("logo", 0).picture(0), of("logo", 1).picture(0))
    assert np.array_equal(of("cards").picture(2.3), of("cards").picture(2.3))


@pytest.mark.parametrize(
    "kind, low, high, moves",
    [
        ("black", 0, 20, True),
        ("white", 235, 255, False),
        ("bars", 0, 255, False),
        ("static", 0, 255, False),
        ("logo", 0, 255, True),
        ("noise", 0, 255, True),
        ("credits", 0, 255, True),
        ("cards", 0, 255, True),
        ("fade", 0, 255, True),
    ],
)
def test_kinds_are_what_they_are_called(kind: str, low: int, high: int, moves: bool) -> None:
    video = of(kind)
    first, later = video.picture(0.5), video.picture(1.75)
    assert (first.shape, first.dtype) == ((72, 128, 3), np.uint8)
    assert low <= first.mean() <= high
    assert np.array_equal(first, later) != moves


def test_fades_reach_black_and_come_back() -> None:
    levels = [of("fade").picture(t).mean() for t in (0, 2, 3.99)]
    assert levels[1] < 2
    assert levels[0] > 20
    assert levels[2] == pytest.approx(levels[0], rel=0.05)


def test_files_are_as_long_as_asked_and_some_have_sound(tmp_path: Path) -> None:
    for kind, heard in (("bars", True), ("black", False)):
        video = NonContent(kind, 0, 128, 72, 1.0)
        video.write(tmp_path / f"{kind}.mp4")
        assert len(list(read_frames(tmp_path / f"{kind}.mp4"))) == FPS
        samples = video.samples()
        assert (samples is not None) == heard
    assert samples is None
