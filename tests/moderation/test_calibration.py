"""Curves rise strictly and say what scores are worth; a policy gets them with its thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from phar.cli.main import main
from phar.moderation.calibrate import calibrate, calibrated_policy, check, write_policy
from phar.moderation.curves import write_curves
from phar.moderation.isotonic import fit
from phar.moderation.policy import Policy, load_policy, parse_policy
from phar.moderation.thresholds import Promise
from phar.moderation.truth import Watched
from phar.profile import RESOURCES
from phar.schema import Report

WINDOW_S = 7.0


def test_a_curve_says_how_often_a_score_is_right() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(4000)
    # Overconfident: a score of s is right s squared of the time.
    truths = rng.random(4000) < scores**2
    curve = fit(scores.tolist(), truths.tolist())
    for score in (0.2, 0.5, 0.8):
        assert curve(score) == pytest.approx(score**2, abs=0.07)
    assert (curve.scores[0], curve.scores[-1]) == (0.0, 1.0)
    grid = [curve(score) for score in np.linspace(0, 1, 500)]
    assert np.all(np.diff(grid) > 0)


@pytest.mark.parametrize(
    "scores, truths",
    [
        ([0.2, 0.8], [False, True]),
        ([0.9, 0.1], [False, True]),
        ([0.5, 0.5], [True, False]),
        ([0.0, 1.0], [False, True]),
    ],
)
def test_few_points_make_a_curve_too(scores: list[float], truths: list[bool]) -> None:
    curve = fit(scores, truths)
    assert 0 < curve(0.5) < 1
    assert curve(0.1) < curve(0.9)


def house(**categories: Any) -> Policy:
    given = categories or {"noise": {"labels": ["ring"], "actions": {"review": 0.5, "block": 0.9}}}
    text = yaml.safe_dump({"policy": "house", "version": 4, "categories": given}, sort_keys=False)
    return parse_policy(text.encode(), Path("house.yaml"))


@pytest.fixture
def streams(make_report: Callable[..., Report]) -> Callable[[int, int], tuple[list[Watched], list[Report]]]:
    """Videos of 35 min with a rare event each: rings score high, and so, rarely, does something else."""

    def make(seed: int, num: int) -> tuple[list[Watched], list[Report]]:
        rng = np.random.default_rng(seed)
        watched, reports = [], []
        for index in range(num):
            count = 300
            ring = np.clip(rng.beta(1, 12, count), 0, 1)
            ring[rng.random(count) < 0.01] = 0.75
            at = int(rng.integers(20, 280))
            ring[at : at + 2] = rng.beta(9, 2, 2)
            rows = [
                {"rgb": [0.0, 0.0, float(p), float(1 - p)], "skeleton": "no person", "audio": "too quiet"}
                for p in ring
            ]
            reports.append(make_report(rows, count * WINDOW_S))
            events = ((at * WINDOW_S, (at + 2) * WINDOW_S, "ring"),)
            watched.append(Watched(Path(f"/{index}.mp4"), events, ((0.0, count * WINDOW_S),)))
        return watched, reports

    return make


def test_a_promise_goes_into_the_policy_and_holds_on_other_videos(
    streams: Callable[..., Any], tmp_path: Path
) -> None:
    watched, reports = streams(1, 18)  # 10.5 h
    promise = Promise("false_alarms_per_hour", 0.5)
    results = calibrate(house(), watched, reports, promise)
    made = calibrated_policy(house(), results, promise, "review", tmp_path / "new.yaml", {"data": "x"})
    write_policy(made)
    again = load_policy(tmp_path / "new.yaml")
    assert (again.name, again.version, again.sha256) == ("house", 5, made.sha256)
    (category,) = again.categories
    kept = again.document["categories"]["noise"]["promise"]
    assert kept["bound"] <= 0.5
    assert (kept["false_alarms_per_hour"], kept["confidence"], kept["events"]) == (0.5, 0.95, 18)
    assert kept["hours"] == pytest.approx(18 * (300 - 2) * WINDOW_S / 3600, abs=1e-3)
    # The rare mistakes, three in 35 min, score 0.75 and must stay below; most rings do not.
    assert category.alarm > category.probability(0.75)
    assert kept["event_recall"] > 0.6
    # The threshold on probabilities is the one on scores, to the last bit.
    raw = results["noise"].chosen.threshold
    assert category.action(category.probability(raw)) == "review"
    assert category.action(category.probability(np.nextafter(raw, 0) - 1e-6)) == "safe"
    unseen = check(again, *streams(2, 18))["noise"]
    assert unseen.per_hour <= 0.5
    assert unseen.event_recall > 0.6


def test_the_other_threshold_moves_to_the_new_curve(streams: Callable[..., Any], tmp_path: Path) -> None:
    watched, reports = streams(1, 18)
    promise = Promise("false_alarms_per_hour", 40.0)
    results = calibrate(house(), watched, reports, promise)
    made = calibrated_policy(house(), results, promise, "review", tmp_path / "new.yaml", {})
    actions = made.categories[0].actions
    assert actions["block"] == made.categories[0].probability(0.9)
    assert actions["review"] < actions["block"]
    strict = calibrated_policy(house(), results, promise, "block", tmp_path / "new.yaml", {})
    # What may block at 0.2 of a score cannot wait for 0.5 to be reviewed.
    assert strict.categories[0].actions["review"] == strict.categories[0].actions["block"]


def test_curves_are_a_picture(streams: Callable[..., Any], tmp_path: Path) -> None:
    watched, reports = streams(1, 18)
    for promise in (Promise("false_alarms_per_hour", 0.5), Promise("precision", 0.6)):
        results = calibrate(house(), watched, reports, promise)
        write_curves(results, promise, tmp_path / f"{promise.kind}.png")
        with Image.open(tmp_path / f"{promise.kind}.png") as picture:
            assert picture.width > 800
            assert len(picture.convert("L").getcolors()) > 20


def test_the_command_goes_from_a_table_to_a_policy(
    make_clip: Callable[..., Path], tmp_path: Path, capsys
) -> None:
    rgb = yaml.safe_load((RESOURCES / "configs/profiles/demo.yaml").read_text())["streams"]["rgb"]
    profile = tmp_path / "pictures.yaml"
    profile.write_text(
        yaml.safe_dump({"name": "pictures", "window_s": 7, "sampling": "seconds", "streams": {"rgb": rgb}})
    )
    policy = tmp_path / "house.yaml"
    ring = {"labels": ["ring"], "actions": {"review": 0.5}}
    policy.write_text(yaml.safe_dump({"policy": "house", "version": 1, "categories": {"noise": ring}}))
    videos = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for video in videos:
        video.write_bytes(make_clip(8 if video.stem == "a" else 20).read_bytes())
    table = tmp_path / "table.csv"
    table.write_text(
        "video,start_s,end_s,label,category,source,verdict\na.mp4,0,8,,,,complete\nb.mp4,0,20,,,,complete\n"
    )
    out = tmp_path / "new.yaml"
    flags = ["--profile", str(profile), "--policy", str(policy), "--data", str(table), "--workers", "1"]
    arguments = ["moderate", "calibrate", str(out), *flags]
    assert main([*arguments, "--max-false-alarms-per-hour", "5"]) == 2
    assert "takes at least 0.6 h known to be without it, the data have 0.0 h" in capsys.readouterr().err
    assert not out.exists()
    # 28 s are enough for a promise of 1000 an hour.
    assert main([*arguments, "--max-false-alarms-per-hour", "1000", "--test", str(table)]) == 0
    said = capsys.readouterr().out
    assert "house version 2" in said
    assert "analysed" not in said
    assert "which chose nothing" in said
    kept = load_policy(out).document["categories"]["noise"]["promise"]
    assert (kept["profile"], kept["events"], kept["hours"]) == (
        "pictures",
        0,
        pytest.approx(28 / 3600, abs=1e-4),
    )
    assert (tmp_path / "new.png").stat().st_size > 5000
    assert json.dumps(load_policy(out).document)
    # It may be replaced, and a file of one's own may not.
    assert main([*arguments, "--max-false-alarms-per-hour", "1000"]) == 0
    assert main(["moderate", "calibrate", str(policy), *flags, "--max-false-alarms-per-hour", "1000"]) == 2
    assert "was not written by phar" in capsys.readouterr().err
