"""Fusion rules against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phar.fusion import RULES, fuse, soften
from phar.schema import ProfileError, StreamScore, Window

WINDOW = Window(0, 0.0, 7.0)
LABELS = ("march", "wave", "ring", "none")
VOCABULARIES = {"rgb": LABELS, "skeleton": ("wave", "march"), "audio": ("ring",)}
WEIGHTS = {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0}


def said(**probs: list[float] | None) -> dict[str, StreamScore]:
    return {
        name: StreamScore(name, WINDOW, silent="gate")
        if values is None
        else StreamScore(name, WINDOW, np.array(values, np.float32))
        for name, values in probs.items()
    }


def fused(rule: str, **probs: list[float] | None) -> list[float]:
    return fuse(rule, LABELS, VOCABULARIES, WEIGHTS, said(**probs)).probs.tolist()


def test_weighted_sum_by_hand() -> None:
    # march: (0.5*0.4 + 0.6*0.25) / 1.1, wave: (0.5*0.2 + 0.6*0.75) / 1.1, ...
    assert fused("weighted_sum", rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25]) == pytest.approx(
        [0.35 / 1.1, 0.55 / 1.1, 0.15 / 1.1, 0.05 / 1.1]
    )


def test_weighted_sum_of_all_three() -> None:
    # Sum of weights 2.1; ring: 0.5*0.3 + 1.0*1.0.
    assert fused(
        "weighted_sum", rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25], audio=[1.0]
    ) == pytest.approx([0.35 / 2.1, 0.55 / 2.1, 1.15 / 2.1, 0.05 / 2.1])


def test_within_vocabulary_by_hand() -> None:
    # RGB has 0.6 on march and wave. The skeleton splits it 0.15 / 0.45:
    # march (0.5*0.4 + 0.6*0.15) / 1.1, wave (0.5*0.2 + 0.6*0.45) / 1.1; the rest stays RGB's.
    assert fused("within_vocabulary", rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25]) == pytest.approx(
        [0.29 / 1.1, 0.37 / 1.1, 0.3, 0.1]
    )


def test_within_vocabulary_streams_with_separate_labels_do_not_disturb_each_other() -> None:
    alone = fused("within_vocabulary", rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25], audio=None)
    both = fused("within_vocabulary", rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25], audio=[1.0])
    assert both == pytest.approx(alone)


def test_within_vocabulary_shares_the_mass_of_overlapping_labels() -> None:
    vocabularies = {"rgb": LABELS, "skeleton": ("march", "wave"), "audio": ("wave", "ring")}
    scores = said(rgb=[0.2, 0.2, 0.4, 0.2], skeleton=[0.5, 0.5], audio=[1.0, 0.0])
    weights = {"rgb": 1.0, "skeleton": 1.0, "audio": 1.0}
    # Before scaling: march (0.2+0.2)/2, wave (0.2+0.2+0.6)/3, ring (0.4+0)/2; RGB has 0.8 on the three.
    raw = np.array([0.2, 1 / 3, 0.2])
    expected = [*(raw * 0.8 / raw.sum()), 0.2]
    assert fuse("within_vocabulary", LABELS, vocabularies, weights, scores).probs.tolist() == pytest.approx(
        expected
    )


def test_within_vocabulary_with_a_silent_rgb_knows_nothing_else() -> None:
    assert fused("within_vocabulary", rgb=None, skeleton=[0.75, 0.25]) == pytest.approx(
        [0.125, 0.375, 0.25, 0.25]
    )


@pytest.mark.parametrize("rule", ["weighted_sum", "within_vocabulary"])
def test_rgb_alone_is_left_as_it_is(rule: str) -> None:
    result = fuse(
        rule, LABELS, VOCABULARIES, WEIGHTS, said(rgb=[0.4, 0.2, 0.3, 0.1], skeleton=None, audio=None)
    )
    assert result.probs.tolist() == pytest.approx([0.4, 0.2, 0.3, 0.1])
    assert result.weights == {"rgb": 0.5}
    assert result.streams["audio"].silent == "gate"


@pytest.mark.parametrize("rule", list(RULES))
def test_nobody_spoke(rule: str) -> None:
    result = fuse(rule, LABELS, VOCABULARIES, WEIGHTS, said(rgb=None, skeleton=None))
    assert result.probs.tolist() == [0, 0, 0, 0]
    assert result.weights == {}


@pytest.mark.parametrize("rule", list(RULES))
def test_order_of_streams_changes_nothing(rule: str) -> None:
    scores = said(rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25], audio=[1.0])
    backwards = dict(reversed(scores.items()))
    assert fuse(rule, LABELS, VOCABULARIES, WEIGHTS, scores).probs.tolist() == pytest.approx(
        fuse(rule, LABELS, VOCABULARIES, WEIGHTS, backwards).probs.tolist()
    )


def _distribution(size: int) -> st.SearchStrategy[list[float]]:
    values = st.lists(st.integers(0, 100), min_size=size, max_size=size).filter(any)
    return values.map(lambda row: [value / sum(row) for value in row])


@settings(deadline=None)
@given(rgb=_distribution(4), skeleton=_distribution(2), rule=st.sampled_from(list(RULES)))
def test_scores_stay_a_distribution(rgb: list[float], skeleton: list[float], rule: str) -> None:
    result = np.array(fused(rule, rgb=rgb, skeleton=skeleton))
    assert result.sum() == pytest.approx(1, abs=1e-5)
    assert (result >= 0).all()


def test_temperature() -> None:
    assert soften(np.array([0.8, 0.2], np.float32), 1.0) == pytest.approx([0.8, 0.2])
    # Square roots 0.8944 and 0.4472, normalised: 2/3 and 1/3.
    assert soften(np.array([0.8, 0.2], np.float32), 2.0) == pytest.approx([2 / 3, 1 / 3])
    assert soften(np.array([0.8, 0.2], np.float32), 0.5) == pytest.approx([0.64 / 0.68, 0.04 / 0.68])
    scores = said(rgb=[0.64, 0.16, 0.16, 0.04])
    calm = fuse("weighted_sum", LABELS, VOCABULARIES, WEIGHTS, scores, {"rgb": 2.0})
    assert calm.probs.tolist() == pytest.approx([4 / 9, 2 / 9, 2 / 9, 1 / 9])


def test_label_weights_count_instead_of_the_weight() -> None:
    scores = said(rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25])
    terms = {"label_weights": {"skeleton": {"wave": 1.5}}}
    # march stays (0.5*0.4 + 0.6*0.25) / 1.1; wave is (0.5*0.2 + 1.5*0.75) / 2.
    summed = fuse("weighted_sum", LABELS, VOCABULARIES, WEIGHTS, scores, **terms).probs.tolist()
    assert summed[:2] == pytest.approx([0.35 / 1.1, 1.225 / 2])
    # Of RGB's 0.6 the skeleton gives 0.15 / 0.45: (0.5*0.4 + 0.6*0.15) / 1.1 and (0.5*0.2 + 1.5*0.45) / 2,
    # scaled so that both hold 0.6 again.
    raw = np.array([0.29 / 1.1, 0.775 / 2])
    within = fuse("within_vocabulary", LABELS, VOCABULARIES, WEIGHTS, scores, **terms).probs.tolist()
    assert within == pytest.approx([*(raw * 0.6 / raw.sum()), 0.3, 0.1])


def test_stacked_by_hand() -> None:
    scores = said(rgb=[0.4, 0.2, 0.3, 0.1], skeleton=[0.75, 0.25], audio=None)
    weights = {"rgb": 1.0, "skeleton": 2.0, "audio": 1.0}
    biases = {"rgb": {"ring": 0.5}, "skeleton": {"none": -1.0, "march": 0.25}, "audio": {"ring": 9.0}}
    found = fuse("stacked", LABELS, VOCABULARIES, weights, scores, biases=biases).probs
    # exp of the logits: p_rgb * p_skeleton ** 2 * exp(biases); the silent audio's bias does not count.
    raised = np.array([0.4 * 0.25**2 * np.exp(0.25), 0.2 * 0.75**2, 0.3 * np.exp(0.5), 0.1 * np.exp(-1.0)])
    assert found == pytest.approx(raised / raised.sum(), rel=1e-5)


def test_stacked_with_one_stream_and_weight_1_is_that_stream() -> None:
    scores = said(rgb=[0.4, 0.2, 0.3, 0.1])
    found = fuse("stacked", LABELS, VOCABULARIES, {"rgb": 1.0}, scores).probs
    assert found.tolist() == pytest.approx([0.4, 0.2, 0.3, 0.1])


def test_stacked_takes_a_zero_for_very_little() -> None:
    found = fuse("stacked", LABELS, VOCABULARIES, WEIGHTS, said(rgb=[1, 0, 0, 0])).probs
    # Weight 0.5: exp(0) to three times exp(0.5 * log 1e-6).
    assert found.tolist() == pytest.approx([1 / 1.003, *[0.001 / 1.003] * 3], rel=1e-4)


@pytest.mark.parametrize("rule", list(RULES))
def test_many_windows_at_once_are_each_one_alone(rule: str) -> None:
    rng = np.random.default_rng(4)
    known = {name: np.isin(LABELS, own) for name, own in VOCABULARIES.items()}
    vectors = {name: rng.dirichlet(np.ones(4), 5) * known[name] for name in VOCABULARIES}
    weights = {name: np.full(4, weight) for name, weight in WEIGHTS.items()}
    biases = {name: rng.normal(size=4) for name in VOCABULARIES}
    together = RULES[rule](vectors, known, weights, biases)
    for row in range(5):
        alone = RULES[rule]({name: v[row] for name, v in vectors.items()}, known, weights, biases)
        assert together[row] == pytest.approx(alone)


def test_faults_are_named() -> None:
    with pytest.raises(ProfileError, match="fusion rule 'magic' is unknown; use one of weighted_sum"):
        fused("magic", rgb=[1, 0, 0, 0])
    with pytest.raises(ProfileError, match="stream 'smell' has no labels or no weight"):
        fused("weighted_sum", smell=[1.0])
    with pytest.raises(ProfileError, match="stream 'audio' gave 2 scores for 1 labels"):
        fused("weighted_sum", rgb=[1, 0, 0, 0], audio=[0.5, 0.5])
