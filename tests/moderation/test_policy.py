"""Policies: what they say is checked whole, and scores become probabilities and verdicts as they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from phar.fusion import fuse
from phar.moderation.policy import Calibration, Policy, bundled_policies, load_policy, worst
from phar.profile import load_profile
from phar.profile.document import merged
from phar.schema import ProfileError, StreamScore, Window

BASE: dict[str, Any] = {
    "policy": "house",
    "version": 3,
    "categories": {
        "noise": {"labels": ["ring"], "stream": "audio", "actions": {"review": 0.4, "block": 0.8}},
        "motion": {"labels": ["march", "wave"], "combine": "sum", "actions": {"review": 0.6}},
    },
}
LABELS = ("march", "wave", "ring", "none")
VOCABULARIES = {"rgb": LABELS, "audio": ("ring",)}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(changes: dict[str, Any] | None = None) -> Path:
        path = tmp_path / "house.yaml"
        path.write_text(yaml.safe_dump(merged(BASE, changes or {}), sort_keys=False))
        return path

    return make


def prediction(rgb: list[float] | str, audio: list[float] | str):
    window = Window(0, 0, 7)
    streams = {
        name: StreamScore(name, window, silent=said)
        if isinstance(said, str)
        else StreamScore(name, window, np.array(said, np.float32))
        for name, said in (("rgb", rgb), ("audio", audio))
    }
    return fuse("weighted_sum", LABELS, VOCABULARIES, {"rgb": 1.0, "audio": 1.0}, streams)


def test_a_policy_is_read_whole(write: Callable[..., Path]) -> None:
    path = write()
    policy = load_policy(path)
    assert (policy.name, policy.version, policy.unjudged, policy.damaged) == ("house", 3, "review", "safe")
    assert policy.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    noise, motion = {category.name: category for category in policy.categories}.values()
    assert (noise.name, noise.stream, noise.alarm, noise.actions) == (
        "noise",
        "audio",
        0.4,
        {"review": 0.4, "block": 0.8},
    )
    assert (motion.labels, motion.combine, motion.truth) == (("march", "wave"), "sum", ("march", "wave"))


@pytest.mark.parametrize(
    "probability, verdict",
    [(0.0, "safe"), (0.399, "safe"), (0.4, "review"), (0.79, "review"), (0.8, "block"), (1, "block")],
)
def test_a_threshold_itself_counts(write: Callable[..., Path], probability: float, verdict: str) -> None:
    assert load_policy(write()).categories[0].action(probability) == verdict


def test_scores_come_from_a_stream_or_from_the_fusion(write: Callable[..., Path]) -> None:
    noise, motion = load_policy(write()).categories
    both = prediction([0.3, 0.2, 0.5, 0.0], [0.9])
    # One audio label: the stream itself says 0.9, the fusion (0.5 + 0.9) / 2.
    assert noise.score(both, LABELS, VOCABULARIES["audio"]) == pytest.approx(0.9)
    assert motion.score(both, LABELS) == pytest.approx((0.3 + 0.2) / 2)


def test_silence_is_no_score(write: Callable[..., Path]) -> None:
    noise, motion = load_policy(write()).categories
    quiet = prediction([0.3, 0.2, 0.5, 0.0], "too quiet")
    assert noise.score(quiet, LABELS, VOCABULARIES["audio"]) is None
    assert motion.score(quiet, LABELS) == pytest.approx(0.5)
    assert motion.score(prediction("off", "off"), LABELS) is None


def test_a_curve_is_straight_between_its_points_and_flat_beyond(write: Callable[..., Path]) -> None:
    curve = Calibration((0.2, 0.6, 0.8), (0.1, 0.3, 0.9))
    assert [curve(score) for score in (0.0, 0.2, 0.4, 0.7, 0.8, 1.0)] == pytest.approx(
        [0.1, 0.1, 0.2, 0.6, 0.9, 0.9]
    )
    given = {"scores": [0.2, 0.6, 0.8], "probabilities": [0.1, 0.3, 0.9]}
    policy = load_policy(write({"categories": {"noise": {"calibration": given}}}))
    assert policy.categories[0].probability(0.7) == pytest.approx(0.6)
    assert policy.categories[1].probability(0.7) == 0.7


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"version": 0}, r"house\.yaml: version: 0 is less than the minimum"),
        ({"categories": {"noise": {"actions": {"review": 0.9}}}}, "block below review"),
        ({"categories": {"noise": {"actions": {"review": 0}}}}, "takes every window"),
        ({"categories": {"noise": {"actions": {"delete": 0.5}}}}, "categories.noise.actions"),
        ({"categories": {"noise": {"lables": ["ring"]}}}, "'lables' was unexpected"),
        (
            {"categories": {"noise": {"calibration": {"scores": [0.5, 0.5], "probabilities": [0.1, 0.2]}}}},
            "both increase; calibrate anew",
        ),
        ({"unjudged": "ignore"}, "unjudged: 'ignore' is not one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    write: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        load_policy(write(changes))
    assert "\n" not in str(caught.value)


def test_labels_and_streams_that_are_not_there_are_refused(write: Callable[..., Path]) -> None:
    policy = load_policy(write())
    policy.require(LABELS, VOCABULARIES, "the profile x")
    with pytest.raises(ProfileError, match="asks the stream 'audio', which the profile x has not"):
        policy.require(LABELS, {"rgb": LABELS}, "the profile x")
    with pytest.raises(ProfileError, match="asks for the label 'wave', which the profile x does not know"):
        policy.require(("march", "ring"), VOCABULARIES, "the profile x")


def test_a_missing_file_and_an_unknown_name() -> None:
    with pytest.raises(ProfileError, match="does not exist; check the path"):
        load_policy("nowhere/house.yaml")
    with pytest.raises(ProfileError, match="policy 'nothing' is unknown; use one of demo, moderation"):
        load_policy("nothing")


@pytest.mark.parametrize("name", bundled_policies())
def test_bundled_policies_go_with_the_profile_of_their_name(name: str) -> None:
    profile = load_profile(name)
    policy: Policy = load_policy(name)
    vocabularies = {stream: spec.labels for stream, spec in profile.streams.items()}
    policy.require(profile.labels, vocabularies, name)
    assert policy.name == name


def test_the_worst_of_nothing_is_safe() -> None:
    assert [worst([]), worst(["safe", "block", "review"]), worst(["review", "safe"])] == [
        "safe",
        "block",
        "review",
    ]
