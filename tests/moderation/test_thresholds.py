"""Thresholds keep what is promised of them: bounds by hand, and often enough on data that chose nothing."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from phar.moderation.policy import Category
from phar.moderation.thresholds import GRID, Outcome, Promise, choose, outcome, precision_bound, rate_bound
from phar.moderation.truth import Watched, cases
from phar.schema import Prediction, StreamScore, UsageError, Window

NOISE = Category("noise", ("ring",), {"review": 0.5}, truth=("bell",))


def report(scores: list[float | None], window_s: float = 10) -> Any:
    predictions = []
    for i, score in enumerate(scores):
        window = Window(i, i * window_s, (i + 1) * window_s)
        said = (
            StreamScore("rgb", window, silent="dark")
            if score is None
            else StreamScore("rgb", window, np.array([score, 1 - score], np.float32))
        )
        probs = np.zeros(2, np.float32) if said.probs is None else said.probs
        predictions.append(Prediction(window, probs, {"rgb": said}, {}))
    return SimpleNamespace(predictions=tuple(predictions), labels=("ring", "none"), vocabularies={})


def watched(events: list[tuple[float, float, str]], known: list[tuple[float, float]], **more: Any) -> Watched:
    return Watched(Path("/v.mp4"), tuple(events), tuple(known), **more)


@pytest.mark.parametrize("count, hours, upper", [(0, 10, 0.29957), (1, 10, 0.47439), (5, 20, 0.52565)])
def test_rate_bound_is_garwoods(count: int, hours: float, upper: float) -> None:
    # The bound is the rate at which `count` or fewer happen one time in twenty.
    bound = rate_bound([count], [hours], 0.95)
    assert bound == pytest.approx(upper, abs=1e-4)
    mean = bound * hours
    seen = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count + 1))
    assert seen == pytest.approx(0.05, abs=1e-9)


def test_bunches_widen_the_bound() -> None:
    even = rate_bound([2, 2, 2, 2], [1, 1, 1, 1], 0.95)
    assert even == rate_bound([8], [4], 0.95)
    # All eight in one video: variance 16 over a mean of 2 is 8 times chance, as if one had been seen.
    bunched = rate_bound([8, 0, 0, 0], [1, 1, 1, 1], 0.95)
    assert bunched == pytest.approx(8 * rate_bound([1], [4], 0.95))
    # A video ten times as long may have ten times as many.
    assert rate_bound([10, 1], [10, 1], 0.95) == rate_bound([11], [11], 0.95)
    assert rate_bound([], [], 0.95) == math.inf


@pytest.mark.parametrize("right, wrong, lower", [(59, 0, 0.95049), (18, 2, 0.71738), (0, 3, 0.0)])
def test_precision_bound_is_clopper_pearsons(right: int, wrong: int, lower: float) -> None:
    bound = precision_bound(right, wrong, 0.95)
    assert bound == pytest.approx(lower, abs=1e-4)
    if right:
        total = right + wrong
        tail = sum(
            math.comb(total, k) * bound**k * (1 - bound) ** (total - k) for k in range(right, total + 1)
        )
        assert tail == pytest.approx(0.05, abs=1e-9)


def test_what_counts_as_what() -> None:
    truth = watched([(20, 34, "bell"), (60, 70, "dog")], [(0, 60)])
    data = cases(NOISE, [truth], [report([0.1, 0.7, 0.8, 0.9, 0.2, None, 0.6, 0.7])])
    # 20 to 30 is covered, 30 to 40 for 4 of 10 s; from 60 s on nobody knows of bells.
    assert [(row.window.start_s, row.truth) for row in data.rows] == [
        (0, False),
        (10, False),
        (20, True),
        (30, None),
        (40, False),
        (60, None),
        (70, None),
    ]
    assert data.events == ((0, (20, 34)),)
    assert data.clean_h == (pytest.approx(30 / 3600),)
    # One alarm from 10 to 40 touches the event, one from 60 on is nobody's fault.
    seen = outcome(data, 0.5)
    assert (seen.true_alarms, seen.false_alarms, seen.found, seen.events) == (1, 0, 1, 1)
    assert (seen.hits, seen.misses, seen.slips) == (1, 0, 1)
    assert (seen.precision, seen.recall, seen.f1) == (0.5, 1.0, pytest.approx(2 / 3))
    high = outcome(data, 0.85)
    assert (high.true_alarms, high.false_alarms, high.found) == (1, 0, 1)
    low = outcome(data, 0.05)
    assert (low.true_alarms, low.false_alarms) == (1, 0)


def test_neighbouring_windows_are_one_false_alarm() -> None:
    data = cases(
        NOISE, [watched([], [(0, 100)])] * 2, [report([0.9, 0.9, 0.1, 0.9] + [0.1] * 6), report([0.1] * 10)]
    )
    seen = outcome(data, 0.5)
    assert (seen.false_alarms, seen.false_by_video, seen.slips) == (2, (2, 0), 3)
    assert seen.per_hour == pytest.approx(2 / (200 / 3600))


def test_hours_are_those_in_which_a_window_could_have_alarmed() -> None:
    """Clips shorter than a window once made promises of hours that nobody had looked at."""
    short = watched([], [(0, 4), (20, 24), (40, 60)])
    data = cases(NOISE, [short], [report([0.9] * 5 + [None])])
    assert data.clean_h == (pytest.approx(10 / 3600),)
    assert outcome(data, 0.5).false_alarms == 1


def test_a_refused_label_is_known_not_to_happen_and_nothing_else() -> None:
    truth = watched([], [], refused=((0, 10, "bell"), (10, 20, "dog")))
    data = cases(NOISE, [truth], [report([0.9, 0.9])])
    assert [row.truth for row in data.rows] == [False, None]


def row_of(threshold: float, false: int, true: int = 0, hours: float = 10, events: int = 0) -> Outcome:
    return Outcome(threshold, true, false, (false,), (hours,), 0, events, 0, 0, 0)


def test_the_lowest_threshold_before_the_first_that_fails() -> None:
    rows = [row_of(0.9, 0), row_of(0.8, 1), row_of(0.7, 4), row_of(0.6, 1)]
    # Bounds an hour: 0.30, 0.47, 0.92, and a lucky 0.47 that comes too late.
    assert choose(rows, Promise("false_alarms_per_hour", 0.5), "x").threshold == 0.8
    assert choose(rows, Promise("false_alarms_per_hour", 1.0), "x").threshold == 0.6
    with pytest.raises(
        UsageError, match=r"takes at least 30\.0 h known to be without it, the data have 10\.0 h"
    ):
        choose(rows, Promise("false_alarms_per_hour", 0.1), "x")
    with pytest.raises(UsageError, match=r"no threshold keeps the promise; even above 0\.700000"):
        choose(rows[2:3], Promise("false_alarms_per_hour", 0.5), "x")


def test_a_precision_takes_as_many_alarms_as_show_it() -> None:
    rows = [row_of(0.9, 1, 0), row_of(0.8, 1, 58), row_of(0.7, 1, 100), row_of(0.6, 30, 100)]
    # 29 right ones without a wrong one show 0.9; 58 of 59 show 0.92, 100 of 101 0.954, 100 of 130 0.70.
    assert choose(rows, Promise("precision", 0.9), "x").threshold == 0.7
    with pytest.raises(UsageError, match="takes at least 299 alarms to be seen, the data give 130"):
        choose(rows, Promise("precision", 0.99), "x")


def test_the_promise_is_kept_nineteen_times_in_twenty() -> None:
    """Ten hours of windows that score by chance: the true rate above the chosen threshold is known."""
    grid = np.array(GRID)
    windows_an_hour, hours, target = 500, 10.0, 0.5
    # Scores are u ** 0.05 of a uniform u, so the rate of windows above t is 500 (1 - t ** 20) an hour.
    rates = windows_an_hour * (1 - grid**20)
    broken, recalls = 0, []
    for seed in range(300):
        scores = np.sort(np.random.default_rng(seed).random(int(windows_an_hour * hours)) ** 0.05)
        counts = len(scores) - np.searchsorted(scores, grid, side="left")
        rows = [row_of(float(t), int(n), hours=hours) for t, n in zip(grid, counts, strict=True)]
        chosen = choose(rows, Promise("false_alarms_per_hour", target), "x")
        rate = rates[GRID.index(chosen.threshold)]
        broken += rate > target
        recalls.append(rate)
    # 15 of 300 are expected at most; 4 standard deviations more would be 30.
    assert broken <= 24
    # And the promise is not kept by promising nothing.
    assert np.median(recalls) > 0.05
