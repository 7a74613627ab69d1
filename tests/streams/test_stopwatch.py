"""The stopwatch counts nested stages once."""

from phar.streams import stopwatch


def test_an_inner_stage_is_not_counted_twice(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 7.0, 12.0, 20.0])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(now))
    clock = stopwatch.Stopwatch()  # at 0
    with clock.stage("outer"), clock.stage("inner"):  # from 1 to 12, from 3 to 7
        pass
    assert clock.seconds == {"inner": 4.0, "outer": 7.0}
    assert clock.total_s == 20.0


def test_restart_forgets(monkeypatch):
    clock = stopwatch.Stopwatch()
    with clock.stage("a"):
        pass
    clock.restart()
    assert clock.seconds == {}
