"""How long a batch still takes."""

from __future__ import annotations

from phar.batch.pace import Pace


def test_hours_are_extrapolated_from_sizes() -> None:
    pace = Pace({1: 100, 2: 300, 3: 200})
    assert pace.standing(1).total_s is None
    pace.told(1, 20, 50)
    # Half a second a byte, so 600 bytes are 300 s.
    standing = pace.standing(10)
    assert (standing.done_s, standing.total_s, standing.real_time, standing.left_s) == (20, 300, 2, 140)
    pace.finished(1, 50)
    pace.failed(2)
    standing = pace.standing(25)
    assert (standing.done_s, standing.total_s, standing.real_time, standing.left_s) == (50, 150, 2, 50)
    assert (standing.num_done, standing.num_failed, standing.num_videos) == (1, 1, 3)
    pace.dropped(3)
    standing = pace.standing(25)
    assert (standing.total_s, standing.left_s, standing.num_videos) == (50, 0, 2)


def test_earlier_runs_tell_the_ratio() -> None:
    assert Pace({1: 100}, known_s=1000, known_bytes=500).standing(1).total_s == 200
