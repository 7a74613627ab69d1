"""Figures of windows against values worked out by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scored import LABELS, answers_of, table_of, true_video
from sklearn.metrics import average_precision_score, f1_score, top_k_accuracy_score

from phar.evaluate.controls import commonest, shuffled
from phar.evaluate.metrics import WindowMetrics
from phar.evaluate.resampling import draws
from phar.evaluate.table import Answers, Table

#: Two videos of 40 and 20 s: jog, jog, sing, none | sing, jog.
TRUTHS = (
    true_video("a", ("jog", 0, 20), ("sing", 20, 30), category="x"),
    true_video("b", ("sing", 0, 10), ("jog", 10, 20), category="y"),
)
SCORES = (
    [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.3, 0.6, 0.1], [0.4, 0.35, 0.25]],
    [[0.0, 0.0, 0.0], [0.7, 0.2, 0.1]],
)


@pytest.fixture
def table() -> Table:
    return table_of(TRUTHS, (40.0, 20.0))


@pytest.fixture
def answers(table: Table) -> Answers:
    return answers_of(table, SCORES, threshold=0.45)


@pytest.fixture
def metrics(table: Table, answers: Answers) -> WindowMetrics:
    return WindowMetrics(table, answers, draws(2))


def test_truth_and_what_was_said(table: Table, answers: Answers) -> None:
    assert [LABELS[i] for i in table.truth] == ["jog", "jog", "sing", "none", "sing", "jog"]
    # 3 is silence: the first window of the second video scored nothing.
    assert answers.said.tolist() == [0, 1, 1, 0, 3, 0]
    assert answers.spoke.tolist() == [True, True, True, True, False, True]
    # 0.4 does not pass the threshold; what was silent is none as well.
    assert answers.named.tolist() == [0, 1, 1, 2, 2, 0]


def test_accuracies(metrics: WindowMetrics) -> None:
    assert metrics.topk(1).value == pytest.approx(3 / 6)
    # Second places: none scores 0.25 in a window of none and is third, jog 0.2 in one of jog and is third.
    assert [metrics.topk(k).value for k in (2, 3, 5)] == pytest.approx([3 / 6, 5 / 6, 5 / 6])
    assert metrics.named().value == pytest.approx(4 / 6)
    # Recalls: jog 2/3, sing 1/2, none 0.
    assert metrics.mean_class_accuracy().value == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_topk_is_scikit_learns_where_nobody_is_silent() -> None:
    rng = np.random.default_rng(5)
    labels = rng.choice(LABELS, 30)
    truth = true_video("v", *((label, 10.0 * i, 10.0 * i + 10) for i, label in enumerate(labels)))
    table = table_of([truth], [300.0])
    scores = rng.uniform(0.01, 1, (30, 3))
    metrics = WindowMetrics(table, answers_of(table, [scores]), draws(1))
    for k in (1, 2):
        assert metrics.topk(k).value == pytest.approx(
            top_k_accuracy_score([LABELS.index(label) for label in labels], scores, k=k)
        )


def test_precision_recall_and_f1(metrics: WindowMetrics) -> None:
    found = metrics.by_label()
    jog, sing, none = found["jog"], found["sing"], found["none"]
    assert (jog["windows"], sing["windows"], none["windows"]) == (3, 2, 1)
    # jog was named three times, twice rightly; sing twice, once; none never.
    assert [jog[key].value for key in ("precision", "recall", "f1")] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert [sing[key].value for key in ("precision", "recall", "f1")] == pytest.approx([1 / 2, 1 / 2, 1 / 2])
    assert none["precision"].value is None
    assert [none[key].value for key in ("recall", "f1")] == [0.0, 0.0]
    assert metrics.macro_f1().value == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_average_precision(metrics: WindowMetrics) -> None:
    found = metrics.by_label()
    # jog by score: right 0.9, right 0.7, wrong 0.4, wrong 0.3, right 0.2: (1 + 1 + 3/5) / 3.
    assert found["jog"]["ap"].value == pytest.approx((1 + 1 + 3 / 5) / 3)
    # none: 0.3 wrong, 0.25 right: 1/2.
    assert found["none"]["ap"].value == pytest.approx(1 / 2)
    # sing: 0.6 right, 0.5, 0.35, 0.2, 0.1 wrong, 0 right at rank 6: (1 + 2/6) / 2.
    assert found["sing"]["ap"].value == pytest.approx((1 + 2 / 6) / 2)
    assert metrics.mean_average_precision().value == pytest.approx((2.6 / 3 + 1 / 2 + 4 / 6) / 3)


def test_categories_share_the_false_alarms_of_their_label(metrics: WindowMetrics) -> None:
    rows = {(row["label"], row["category"]): row for row in metrics.by_category()}
    # jog of category x: one of two named so; the window of none named jog is false for both categories.
    assert rows["jog", "x"]["recall"].value == pytest.approx(1 / 2)
    assert rows["jog", "x"]["precision"].value == pytest.approx(1 / 2)
    assert rows["jog", "y"]["recall"].value == 1.0
    assert rows["jog", "y"]["precision"].value == pytest.approx(1 / 2)
    assert rows["jog", "y"]["f1"].value == pytest.approx(2 / 3)
    assert rows["sing", "y"]["f1"].value == 0.0
    # Draws without the second video have no window of category y, and say nothing of it.
    assert (rows["jog", "y"]["recall"].low, rows["jog", "y"]["recall"].high) == (1.0, 1.0)
    assert rows["jog", "y"]["f1"].low == pytest.approx(2 / 3)
    assert rows["none", "beside"]["windows"] == 1


def test_calibration(metrics: WindowMetrics) -> None:
    found = metrics.reliability()
    # Best scores 0.9 right, 0.5 wrong, 0.6 right, 0.4 wrong, 0.7 right; each alone in its bin.
    assert [(row["from"], row["windows"], row["score"], row["right"]) for row in found["bins"]] == [
        (0.3, 1, 0.4, 0.0),
        (0.4, 1, 0.5, 0.0),
        (0.5, 1, 0.6, 1.0),
        (0.6, 1, 0.7, 1.0),
        (0.8, 1, 0.9, 1.0),
    ]
    assert found["error"].value == pytest.approx((0.4 + 0.5 + 0.4 + 0.3 + 0.1) / 5)


def test_confusion_counts_silence_apart(metrics: WindowMetrics) -> None:
    assert metrics.counts.sum(axis=0).tolist() == [[2, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]]


def test_either_of_two_labels_is_right() -> None:
    truth = true_video("v", ("jog", 0, 10), ("sing", 0, 10), ("jog", 10, 20))
    table = table_of([truth], [20.0])
    metrics = WindowMetrics(table, answers_of(table, [[[0.1, 0.9, 0.0], [0.2, 0.8, 0.0]]]), draws(1))
    assert metrics.topk(1).value == 0.5
    assert metrics.by_label()["sing"]["recall"].value == 1.0
    assert metrics.by_label()["jog"]["windows"] == 1


def test_a_draw_is_the_figure_of_the_videos_drawn() -> None:
    """Two draws of three videos, held against scikit-learn on the windows repeated."""
    rng = np.random.default_rng(3)
    truths, rows = [], []
    for name in "abc":
        labels = rng.choice(LABELS[:2], 6)
        truths.append(true_video(name, *((label, 10.0 * i, 10.0 * i + 10) for i, label in enumerate(labels))))
        rows.append(np.round(rng.uniform(0.05, 1, (6, 3)), 1))
    table = table_of(truths, [60.0] * 3)
    weights = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    metrics = WindowMetrics(table, answers_of(table, rows), weights)
    _, ap = metrics._average_precision(0)
    right, true, named = metrics._drawn_counts
    for draw, videos in enumerate(([0, 1, 1], [2, 2, 2])):
        windows = np.concatenate([np.flatnonzero(table.video == video) for video in videos])
        truth, said = table.truth[windows], metrics.answers.said[windows]
        assert ap[draw] == pytest.approx(
            average_precision_score(truth == 0, metrics.answers.scores[windows, 0])
        )
        f1 = 2 * right[draw, 1] / (true[draw, 1] + named[draw, 1])
        assert f1 == pytest.approx(f1_score(truth, said, labels=[1], average="macro"))


def test_intervals_hold_the_value_and_need_two_videos(metrics: WindowMetrics, table: Table) -> None:
    top1 = metrics.topk(1)
    # Both videos are half right, so every draw is.
    assert (top1.low, top1.value, top1.high) == pytest.approx((0.5, 0.5, 0.5))
    # jog's recall is 1/2 in one video and 1 in the other.
    recall = metrics.by_label()["jog"]["recall"]
    assert (recall.low, recall.high) == pytest.approx((0.5, 1.0))
    alone = table_of(TRUTHS[:1], [40.0])
    single = WindowMetrics(alone, answers_of(alone, SCORES[:1]), draws(1)).topk(1)
    assert (single.value, single.low, single.high) == (0.5, None, None)


def test_draws_are_of_as_many_videos_as_there_are() -> None:
    found = draws(7)
    assert found.shape == (1000, 7)
    assert (found.sum(axis=1) == 7).all()
    assert (found == draws(7)).all()
    assert found.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)


def test_controls(metrics: WindowMetrics) -> None:
    # Named: jog 3, sing 2, silence 1 of 6; true: jog 3, sing 2: a deal is right with (3*3 + 2*2) / 36.
    found = shuffled(metrics)
    assert found.value == pytest.approx(13 / 36, abs=0.02)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 13 / 36 < found.high
    common = commonest(metrics)
    assert (common["label"], common["top1"].value) == ("jog", 0.5)
