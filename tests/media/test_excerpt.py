"""Spans cut out of a video hold exactly its frames, and frames are timed without decoding."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import HEIGHT_PX, WIDTH_PX, make_clip, number_in, tone

from phar.media import MediaReader, frame_times_s, probe, read_frames, write_excerpt
from phar.schema import MediaError, OutputError

EVEN = [number / 25 for number in range(100)]


def numbers(path: Path) -> list[int]:
    return [number_in(frame.to_rgb()) for frame in read_frames(path)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_an_excerpt_holds_the_frames_of_its_span(tmp_path: Path, suffix: str) -> None:
    # A group of pictures is 30 frames long, so no cut falls on a key frame.
    options = {"g": "30"} if suffix == ".avi" else {"g": "30", "bf": "2"}
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    sounds = [(0.0, tone(4, 48000), 48000)]
    video = make_clip(
        tmp_path / f"v{suffix}", EVEN, codec=codec, options=options, sounds=sounds, sound_codec="aac"
    )
    target = tmp_path / "out.mp4"
    write_excerpt(video, 37 / 25, 61 / 25, target)
    assert numbers(target) == list(range(37, 61))
    assert probe(target).has_audio
    write_excerpt(video, 0.0, 0.2, target)
    assert numbers(target) == list(range(5))
    write_excerpt(video, 95 / 25, 4.0, target)
    assert numbers(target) == list(range(95, 100))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", video.name]


def test_a_small_excerpt_keeps_its_shape_and_its_frames(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "v.mp4", EVEN)
    target = tmp_path / "out.mp4"
    write_excerpt(video, 0.4, 0.8, target, 28, max_side_px=WIDTH_PX // 2)
    made = probe(target)
    assert made.width_px == WIDTH_PX // 2
    assert made.height_px == pytest.approx(HEIGHT_PX / 2, abs=2)
    assert len([*read_frames(target)]) == 10
    write_excerpt(video, 0.4, 0.8, target, max_side_px=4 * WIDTH_PX)
    assert (probe(target).width_px, probe(target).height_px) == (WIDTH_PX, HEIGHT_PX)
    with pytest.raises(OutputError, match=r"took more than 0\.001 s; ask for less"):
        write_excerpt(video, 0.0, 4.0, tmp_path / "late.mp4", timeout_s=0.001)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "v.mp4"]


def test_an_excerpt_of_an_odd_clock(tmp_path: Path) -> None:
    """The first frame is shown at 1.5 s, sound begins before it, and frames come irregularly."""
    rng = np.random.default_rng(0)
    times = 1.5 + np.cumsum(rng.uniform(0.02, 0.2, 40))
    sounds = [(0.0, tone(9, 16000), 16000)]
    video = make_clip(tmp_path / "v.mkv", [round(time, 3) for time in times], sounds=sounds)
    starts = [round(time - times[0], 3) for time in times]
    assert frame_times_s(video) == pytest.approx(starts, abs=0.0015)
    target = tmp_path / "out.mp4"
    write_excerpt(video, starts[10], starts[20], target)
    assert numbers(target) == list(range(10, 20))
    shown = [frame.time_s for frame in read_frames(target)]
    assert shown == pytest.approx([start - starts[10] for start in starts[10:20]], abs=0.002)


def test_sound_stays_where_it_was(tmp_path: Path) -> None:
    silence, beep = np.zeros(16000, np.float32), tone(0.5, 16000)
    samples = np.concatenate([silence, silence, beep, silence])
    video = make_clip(tmp_path / "v.mp4", EVEN, sounds=[(0.0, samples, 16000)], sound_codec="aac")
    target = tmp_path / "out.mp4"
    write_excerpt(video, 1.2, 3.2, target)
    with MediaReader(target, 10, 10, lambda *_: [], audio_hz=16000) as reader:
        (media,) = list(reader)
    loud = np.flatnonzero(np.abs(media.audio[:, 0]) > 0.2) / 16000
    assert (loud[0], loud[-1]) == (pytest.approx(0.8, abs=0.03), pytest.approx(1.3, abs=0.03))


def test_an_excerpt_is_upright_with_square_pixels_and_even_sides(tmp_path: Path) -> None:
    turned = make_clip(tmp_path / "t.mp4", EVEN[:5], rotation=90)
    write_excerpt(turned, 0, 0.2, tmp_path / "turned.mp4")
    assert next(iter(read_frames(tmp_path / "turned.mp4"))).to_rgb().shape == (WIDTH_PX, HEIGHT_PX, 3)
    wide = make_clip(tmp_path / "w.mp4", EVEN[:5], pixel_aspect=Fraction(4, 3))
    write_excerpt(wide, 0, 0.2, tmp_path / "wide.mp4")
    height, width, _ = next(iter(read_frames(tmp_path / "wide.mp4"))).to_rgb().shape
    assert (height, width) == (HEIGHT_PX, 170)


def test_excerpts_that_cannot_be(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "v.mp4", EVEN[:10])
    with pytest.raises(OutputError):
        write_excerpt(video, 0, 0.2, tmp_path / "no folder" / "out.mp4")
    with pytest.raises(OutputError, match="holds no frame"):
        write_excerpt(video, 5, 6, tmp_path / "out.mp4")
    with pytest.raises(MediaError):
        write_excerpt(tmp_path / "none.mp4", 0, 1, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
