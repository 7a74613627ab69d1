"""Spans of a video read by seeking, and shorts put together from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import make_clip, number_in, steady
from edited import FPS, RATE_HZ, ffmpeg, heard_at, shown_at, timed_clip

from phar.media import probe
from phar.media.comment import read_comment
from phar.media.compose import compose_short
from phar.media.span import frames_between, sound_between
from phar.schema import MediaError, OutputError


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return timed_clip(tmp_path_factory.mktemp("shorts") / "source.mp4")


def test_pictures_of_a_span(source: Path, tmp_path: Path) -> None:
    ffmpeg("-i", source, "-c", "copy", "-output_ts_offset", "7.7", tmp_path / "late.mkv")
    ffmpeg("-i", source, "-c:v", "mpeg4", "-q:v", "3", "-an", tmp_path / "old.avi")
    for path in (source, tmp_path / "late.mkv", tmp_path / "old.avi"):
        for start_s, end_s in ((0.0, 0.2), (5.1, 6.0), (23.9, 30.0)):
            found = [
                (frame.time_s, number_in(frame.to_rgb())) for frame in frames_between(path, start_s, end_s)
            ]
            first, last = int(start_s * FPS + 1e-6), min(600, round(end_s * FPS))
            if path.suffix == ".avi":
                # Its writer shows the second picture twice; the numbers are one behind.
                assert found[0][0] <= start_s and found[-1][0] < end_s
                continue
            assert [number for _, number in found] == [number % 256 for number in range(first, last)]
            assert [time for time, _ in found] == pytest.approx(
                [n / FPS for n in range(first, last)], abs=0.001
            )


def test_sound_of_a_span(source: Path) -> None:
    heard = sound_between(source, 5.5, 7.25, RATE_HZ)
    assert heard is not None
    assert heard.shape == (round(1.75 * RATE_HZ), 2)
    loud = np.flatnonzero(np.abs(heard[:, 0]) > 0.2) / RATE_HZ
    # A beep at 6 s and one at 7 s.
    assert loud[np.diff(loud, prepend=-1) > 0.1] == pytest.approx([0.5, 1.5], abs=0.003)


def test_silent_files_have_none(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "silent.mp4", steady(20, FPS), fps=FPS)
    assert sound_between(path, 0.0, 0.5, RATE_HZ) is None


def test_a_short_has_the_pictures_and_the_sound_of_its_span(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "-short 'x'.mp4"
    compose_short(source, target, (5.5, 8.5), FPS, comment="phar test")
    assert read_comment(target) == "phar test"
    times = shown_at(target)
    assert len(times) == 75
    assert times == pytest.approx(np.arange(75) / FPS, abs=0.001)
    frames = [number_in(frame.to_rgb()) for frame in frames_between(target, 0.0, 9.0)]
    assert frames == [(n + 137) % 256 for n in range(75)]
    # Beeps of the 6th to 8th second.
    assert heard_at(target) == pytest.approx([0.5, 1.5, 2.5], abs=0.02)
    assert [entry.name for entry in tmp_path.iterdir()] == [target.name]


def test_a_crop_moves_and_a_title_goes_away(tmp_path: Path) -> None:
    # A white square moves from the left to the right at 40 pixels a second.
    from phar.media import at_rate, write_video

    def picture(number: int) -> np.ndarray:
        drawn = np.full((90, 160, 3), 40, np.uint8)
        x = 30 + round(40 * number / FPS)
        drawn[50:70, x - 10 : x + 10] = 235
        return drawn

    write_video(tmp_path / "source.mp4", at_rate((picture(n) for n in range(60)), FPS), FPS)
    title = np.zeros((12, 30, 4), np.uint8)
    title[..., 1] = title[..., 3] = 255
    crop = (50, 90, lambda time_s: (30 + 40 * time_s, 45.0))
    target = tmp_path / "short.mp4"
    compose_short(tmp_path / "source.mp4", target, (0.4, 2.2), FPS, crop=crop, title=title, comment="phar")
    assert (probe(target).width_px, probe(target).height_px) == (50, 90)
    raw = ffmpeg("-i", target, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, 90, 50, 3).astype(int)
    assert len(pictures) == 45
    # The square stays in the middle of the frame that follows it.
    white = pictures[:, 50:70].mean(axis=(1, 3)) > 130
    middles = [np.flatnonzero(row).mean() for row in white]
    assert middles == pytest.approx(np.full(45, 24.5), abs=1.5)
    green = [int(((p[:20, :, 1] > 150) & (p[:20, :, 0] < 90)).sum()) for p in pictures]
    assert green[0] == pytest.approx(12 * 30, rel=0.2)
    assert green[-1] < green[0] // 4


def test_what_cannot_be_made_is_said(source: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        compose_short(tmp_path / "no.mp4", tmp_path / "out.mp4", (0, 1), FPS, comment="phar")
    with pytest.raises(OutputError, match="cannot be written"):
        compose_short(source, tmp_path / "no" / "out.mp4", (0, 1), FPS, comment="phar")
    assert list(tmp_path.iterdir()) == []
