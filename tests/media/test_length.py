import gc

import numpy as np
import pytest
from clips import make_clip, tone

from phar.media import Frame, MediaReader


@pytest.fixture(scope="module")
def three_hours(tmp_path_factory):
    """3 h at one frame per second with sound for the first two minutes."""
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    times_s = [float(second) for second in range(10800)]
    return make_clip(path, times_s, codec="mpeg4", fps=1, sounds=[(0.0, tone(120, 8000), 8000)])


def test_three_hours_are_read_in_windows(three_hours):
    alive = []
    before = sum(isinstance(thing, Frame) for thing in gc.get_objects())
    options = {"queue_windows": 2, "num_threads": 1}
    with MediaReader(three_hours, 7, 7, lambda n, *_: {0, n - 1}, 16000, **options) as reader:
        num_frames = 0
        for media in reader:
            num_frames += media.num_frames
            last = media
            if media.window.index % 200 == 0:
                alive.append(sum(isinstance(thing, Frame) for thing in gc.get_objects()))
            if media.window.index == 100:
                assert not media.audio.any()
    assert num_frames == 10800
    assert reader.video.duration_s == 10800
    assert (last.window.index, last.window.start_s, last.window.end_s) == (1542, 10794.0, 10800.0)
    # A few windows' worth of the 3086 frames asked for, and what other tests left behind.
    assert max(alive) <= before + 24
    assert reader.warnings == ()
    assert np.isfinite(last.audio).all()
