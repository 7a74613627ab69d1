"""Key frames alone, and groups of pictures that nobody needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import make_clip, number_in, tone

from phar.media import MediaReader, read_stills

FPS = 10


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s, 200 pictures, a key frame every 2.5 s, frames that refer forwards, and a tone."""
    path = tmp_path_factory.mktemp("stills") / "keys.mp4"
    options = {"g": "25", "keyint_min": "25", "sc_threshold": "0", "bf": "2"}
    sound = (0.0, tone(20, 16000), 16000)
    return make_clip(
        path, [i / FPS for i in range(200)], fps=FPS, options=options, sounds=[sound], sound_codec="aac"
    )


def shown(path: Path, every_s: float, max_gap_s: float) -> list[tuple[float, int]]:
    return [
        (round(f.time_s, 3), number_in(f.to_rgb(None, None))) for f in read_stills(path, every_s, max_gap_s)
    ]


def test_key_frames_alone(clip: Path) -> None:
    expected = [(2.5 * i, 25 * i) for i in range(8)]
    assert shown(clip, 2, 10) == expected


def test_no_more_often_than_asked(clip: Path) -> None:
    assert shown(clip, 5, 10) == [(0, 0), (5, 50), (10, 100), (15, 150)]


def test_between_key_frames_that_lie_too_far_apart(clip: Path) -> None:
    found = shown(clip, 1, 2)
    gaps = np.diff([time_s for time_s, _ in found])
    assert gaps.min() >= 0.99 and gaps.max() <= 1.5
    assert all(number == round(time_s * FPS) for time_s, number in found)


def read(path: Path, **options: object) -> list[tuple[float, float, int, dict[int, int], float]]:
    """Windows of 3 s: bounds, number of frames, numbers of the first and middle picture, loudest sample."""
    rows = []
    with MediaReader(path, 3, 3, lambda n, *_: {0, n // 2}, 16000, **options) as reader:  # type: ignore[arg-type]
        for media in reader:
            numbers = {i: number_in(frame.to_rgb(None, None)) for i, frame in media.frames.items()}
            window = media.window
            assert media.audio is not None
            loudest = round(float(np.abs(media.audio).max()), 1)
            rows.append((window.start_s, window.end_s, media.num_frames, numbers, loudest))
        assert reader.warnings == ()
        assert reader.video.duration_s == 20 and reader.video.fps == FPS
    return rows


def test_groups_that_nobody_needs_are_not_decoded_and_all_else_stays(clip: Path) -> None:
    asked: list[tuple[float, float]] = []

    def needed(start_s: float, end_s: float) -> bool:
        asked.append((round(start_s, 3), round(end_s, 3)))
        return start_s < 12 and end_s > 9

    whole, part = read(clip), read(clip, needed=needed)
    assert [row[:3] for row in part] == [row[:3] for row in whole]
    assert [row[4] for row in part] == [row[4] for row in whole], "sound is read throughout"
    # The first group fixes time 0 and the last one the end: neither is asked about.
    assert asked == [(2.5 * i, 2.5 * (i + 1)) for i in range(1, 7)]
    assert part[3][3] == whole[3][3] == {0: 90, 15: 105}
    assert part[0][3][0] == 0
    # Nothing of 2.5 to 7.5 s was decoded: what stands in comes from beside it.
    assert part[1][3] != whole[1][3]
