"""Some windows of a video are read exactly as they are when all are read."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import make_clip, number_in, tone

from phar.media import Frame, MediaReader, average_fps, joined_counts

#: Pictures at odd times, with a gap of four windows in the middle.
UNEVEN_S = [*(i / 25 + (i % 3) * 0.004 for i in range(60)), *(6.5 + i / 10 for i in range(40))]


def read(path: Path, windows: tuple[int, int | None], stride_s: float) -> tuple[list[Any], MediaReader]:
    found = []
    with MediaReader(
        path, 1.0, stride_s, lambda count, *_: range(0, count, 7), audio_hz=16000, windows=windows
    ) as reader:
        for media in reader:
            numbers = {i: (f.time_s, number_in(f.to_rgb(128, 48))) for i, f in media.frames.items()}
            found.append((media.window, media.frame_times_s.tolist(), numbers, media.audio.copy()))
    return found, reader


@pytest.mark.parametrize("stride_s", [1.0, 0.4])
@pytest.mark.parametrize(
    ("suffix", "codec", "times_s", "options"),
    [
        ("mp4", "libx264", [i / 25 for i in range(200)], {"g": "12", "bf": "3"}),
        ("mkv", "libx264", UNEVEN_S, {"g": "10", "bf": "2"}),
        # Groups that lean on the one before, and one group for all.
        ("mp4", "libx264", [i / 25 for i in range(200)], {"x264-params": "open-gop=1:keyint=10:bframes=3"}),
        ("mkv", "libx264", [i / 25 for i in range(200)], {"g": "1000"}),
        ("avi", "mpeg4", [i / 25 for i in range(200)], {"g": "12"}),
        ("ts", "mpeg2video", [i / 25 for i in range(200)], {"g": "12", "bf": "2"}),
    ],
)
def test_spans_are_cut_out_of_the_whole(
    tmp_path: Path, suffix: str, codec: str, times_s: list[float], options: dict[str, str], stride_s: float
) -> None:
    sound = "mp2" if suffix in ("avi", "ts") else "aac"
    path = make_clip(
        tmp_path / f"clip.{suffix}",
        times_s,
        codec=codec,
        options=options,
        sounds=[(0.1, tone(times_s[-1], 44100), 44100)],
        sound_codec=sound,
        tick=Fraction(1, 25) if suffix in ("avi", "ts") else Fraction(1, 1000),
    )
    whole, reader = read(path, (0, None), stride_s)
    ends = [0, len(whole) // 3, 2 * len(whole) // 3, None]
    parts = [read(path, (ends[i], ends[i + 1]), stride_s) for i in range(3)]
    assert [len(found) for found, _ in parts] == np.diff([*ends[:3], len(whole)]).tolist()
    for one, other in zip(whole, [each for found, _ in parts for each in found], strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_array_equal(one[3], other[3])
    duration_s = reader.video.duration_s
    assert dataclasses.replace(parts[-1][1].video, fps=reader.video.fps) == reader.video
    num_frames = sum(part.num_own_frames for _, part in parts)
    assert average_fps(reader.claimed_fps, num_frames, duration_s) == reader.video.fps
    assert num_frames == reader.num_own_frames
    assert joined_counts([part.warning_counts for _, part in parts]) == reader.warning_counts


def test_pictures_before_a_span_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "clip.mp4", [i / 25 for i in range(500)], options={"g": "25"})
    decoded: set[int] = set()

    def noted(time_s: float, *given: Any) -> Frame:
        decoded.add(int(time_s))
        return Frame(time_s, *given)

    monkeypatch.setattr("phar.media.assembly.Frame", noted)
    found, _ = read_all(path, (15, 17))
    assert [media.window.index for media in found] == [15, 16]
    # The first second tells where time begins; reading stops when the last window is full.
    assert decoded == {0, 14, 15, 16, 17}


def test_a_span_behind_the_end_has_no_windows_and_tells_the_length(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", [i / 25 for i in range(50)])
    found, reader = read_all(path, (7, None))
    assert found == []
    assert reader.video.duration_s == 2.0


def read_all(path: Path, windows: tuple[int, int | None]) -> tuple[list[Any], MediaReader]:
    with MediaReader(path, 1.0, 1.0, lambda *_: (), windows=windows) as reader:
        return list(reader), reader


def test_what_went_wrong_is_counted_once() -> None:
    damaged, lost = "video: a damaged packet was skipped", "audio: a damaged packet was skipped"
    # Sound is decoded by every part up to its own end, pictures by one part each.
    assert joined_counts([{damaged: 2, lost: 1}, {damaged: 1, lost: 4}]) == {damaged: 3, lost: 4}
