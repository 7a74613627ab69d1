"""The stopwatch counts nested stages once."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from phar import clock as stopwatch
from phar.pipeline import Analyzer
from phar.profile import load_profile


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


def test_a_pause_does_not_count(monkeypatch):
    now = iter([0.0, 3.0, 10.0, 14.0])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(now))
    clock = stopwatch.Stopwatch()  # at 0
    clock.pause()  # at 3
    assert clock.total_s == 3.0
    clock.resume()  # at 10
    assert clock.total_s == 7.0  # at 14


def test_what_passes_between_two_videos_is_in_no_report(
    fake_streams: Callable[..., None], make_clip: Callable[..., Path], small_profile: Path, monkeypatch
):
    fake_streams(
        rgb=lambda start_s: [0.1, 0.3, 0.2, 0.1],
        skeleton=lambda start_s: [1.0, 0.0],
        audio=lambda start_s: [1.0],
    )
    waited_s, clock_s = [0.0], time.perf_counter
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock_s() + waited_s[0])
    analyzer, clip = Analyzer(load_profile(small_profile)), make_clip(8)
    for _ in range(3):
        waited_s[0] += 1000
        assert analyzer.analyze(clip).timing["total_s"] < 500


def test_a_trace_holds_the_spans_of_every_thread(monkeypatch):
    trace = stopwatch.Trace()
    now = iter([10.0, 11.0, 11.5, 12.0])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(now))
    clock = stopwatch.Stopwatch(trace)  # at 10
    with clock.stage("rgb"):  # from 11 to 11.5
        threading.Thread(target=trace.add, args=("decode", 10.5, 11.25), name="reader").start()
    events = trace.document()["traceEvents"]
    assert [(e["tid"], e["args"]["name"]) for e in events if e["ph"] == "M"] == [
        (0, "reader"),
        (1, "MainThread"),
    ]
    assert [e for e in events if e["ph"] == "X"] == [
        {"name": "decode", "ph": "X", "pid": 1, "tid": 0, "ts": 0.0, "dur": 750_000.0},
        {"name": "rgb", "ph": "X", "pid": 1, "tid": 1, "ts": 500_000.0, "dur": 500_000.0},
    ]
