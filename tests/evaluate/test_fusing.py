"""Fusions fitted on windows whose best fusion is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from phar.evaluate.fusion_choice import PRESENT, choose, document, folds
from phar.evaluate.fusion_data import FusionData, Setting
from phar.evaluate.fusion_fits import METHODS, Method, logistic, strength_of
from phar.fusion import RULES, fuse
from phar.schema import StreamScore, UsageError, Window

LABELS = ("march", "wave", "ring", "none")
VOCABULARIES = {"rgb": LABELS, "skeleton": ("march", "wave"), "audio": ("ring",)}


def made(num_videos: int = 12, seed: int = 0) -> FusionData:
    """RGB knows ring and none but guesses between march and wave; the skeleton tells these, where it speaks.

    The skeleton is right there, and too sure; the audio says ring whenever it speaks, and speaks anywhere.
    """
    rng = np.random.default_rng(seed)
    size = 10 * num_videos
    truth = rng.integers(0, 4, size)
    rgb = np.full((size, 4), 0.05)
    rgb[np.arange(size), truth] = 0.85
    limb = truth < 2
    rgb[limb] = [0.45, 0.45, 0.05, 0.05]
    rgb[limb, rng.integers(0, 2, limb.sum())] += 0.02
    skeleton = np.zeros((size, 4))
    skeleton[:, :2] = 0.3
    said = np.where(limb, truth, rng.integers(0, 2, size))
    skeleton[np.arange(size), said] = 0.7
    audio = np.zeros((size, 4))
    audio[:, 2] = 1.0
    spoke = {
        "rgb": np.ones(size, bool),
        "skeleton": rng.uniform(size=size) < 0.8,
        "audio": rng.uniform(size=size) < 0.4,
    }
    probs = {"rgb": rgb / rgb.sum(axis=1, keepdims=True), "skeleton": skeleton, "audio": audio}
    return FusionData(
        labels=LABELS,
        truth=truth,
        right=np.eye(4, dtype=bool)[truth],
        video=np.repeat(np.arange(num_videos), 10),
        vocabularies=VOCABULARIES,
        probs={name: rows * spoke[name][:, None] for name, rows in probs.items()},
        spoke=spoke,
    )


@pytest.fixture(scope="module")
def data() -> FusionData:
    return made()


#: Audio drowns the others wherever it speaks.
POOR = Setting("weighted_sum", {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0})


@pytest.mark.parametrize("rule", list(RULES))
def test_all_windows_at_once_are_what_fuse_gives_one_by_one(rule: str, data: FusionData) -> None:
    setting = Setting(
        rule,
        {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0},
        {"skeleton": 2.0},
        {"rgb": {"wave": 0.7}},
        {"audio": {"none": -0.5}},
    )
    fused = data.fused(setting)
    for row in (0, 1, 2, 3, 4, 5):
        window = Window(0, 0, 7)
        scores = {
            name: StreamScore(name, window, data.probs[name][row][data.known[name]].astype(np.float32))
            if data.spoke[name][row]
            else StreamScore(name, window, silent="gate")
            for name in data.streams
        }
        alone = fuse(
            rule,
            LABELS,
            VOCABULARIES,
            setting.weights,
            scores,
            setting.temperatures,
            setting.label_weights,
            setting.biases,
        )
        assert fused[row] == pytest.approx(alone.probs, abs=1e-5)


def test_losses_by_hand() -> None:
    data = made(1)
    scores = np.zeros((10, 4))
    scores[0] = [0.2, 0.2, 0.4, 0.0]
    truth = data.truth.copy()
    truth[:3] = [2, 1, -1]
    some = FusionData(LABELS, truth, data.right, data.video, VOCABULARIES, data.probs, data.spoke)
    # Half of the score; nobody scored anything: one label of four; a label that is none of the four.
    assert some.losses(scores)[:3] == pytest.approx([np.log(2), np.log(4), np.log(4)])


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_mends_what_is_poor(name: str, data: FusionData) -> None:
    method = METHODS[name]
    setting = method.fit(data, 0.01)
    held_out = made(seed=1)
    poor = held_out.hits(held_out.fused(POOR)).mean()
    found = held_out.hits(held_out.fused(setting)).mean()
    rgb = held_out.hits(
        held_out.fused(Setting("weighted_sum", {"rgb": 1.0, "skeleton": 0, "audio": 0}))
    ).mean()
    assert found >= poor + 0.3
    # Under a weighted sum, what is right of march and wave is wrong of ring: nothing may be gained.
    assert found >= rgb + (0.0 if name == "log loss, weighted sum" else 0.05)
    assert set(setting.weights) == {"rgb", "skeleton", "audio"}
    assert min(min(values.values()) for values in (setting.weights, *setting.label_weights.values())) >= 0
    for stream, values in setting.label_weights.items():
        assert set(values) == set(VOCABULARIES[stream])


def test_a_temperature_is_found() -> None:
    """One stream whose scores are the truth's odds to the third power: it is three times too sure."""
    rng = np.random.default_rng(8)
    honest = rng.dirichlet(np.ones(4), 4000)
    truth = np.array([rng.choice(4, p=row) for row in honest])
    sure = honest**3 / (honest**3).sum(axis=1, keepdims=True)
    data = FusionData(
        LABELS,
        truth,
        np.eye(4, dtype=bool)[truth],
        np.arange(4000) % 20,
        {"rgb": LABELS},
        {"rgb": sure},
        {"rgb": np.ones(4000, bool)},
    )
    setting = METHODS["log loss, weighted sum"].fit(data, 0.0)
    assert setting.temperatures["rgb"] == pytest.approx(3.0, rel=0.1)
    # For logarithms it is a weight of a third.
    stacked = METHODS["class weights"].fit(data, 1.0)
    assert stacked.weights["rgb"] == pytest.approx(1 / 3, rel=0.1)


def test_regularisation_draws_labels_to_their_stream_and_biases_to_nothing(data: FusionData) -> None:
    free, drawn = logistic(True, data, 0.001), logistic(True, data, 10.0)

    def spread(setting: Setting) -> float:
        return max(
            abs(w - setting.weights[s]) for s, own in setting.label_weights.items() for w in own.values()
        )

    def largest(setting: Setting) -> float:
        return max(abs(b) for own in setting.biases.values() for b in own.values())

    assert spread(drawn) < 0.05 < spread(free)
    assert largest(drawn) < 0.05 < largest(free)


def test_windows_of_one_video_stay_together(data: FusionData) -> None:
    parts = folds(data, 5)
    tested = np.concatenate([test for _, test in parts])
    assert sorted(tested) == list(range(len(data.truth)))
    for train, test in parts:
        assert set(data.video[train]).isdisjoint(data.video[test])


def test_the_strength_with_the_least_loss_elsewhere_is_taken(data: FusionData) -> None:
    tried: list[float] = []

    def fit(part: FusionData, strength: float) -> Setting:
        tried.append(strength)
        return Setting("weighted_sum", {"rgb": 1.0, "skeleton": 0.5, "audio": strength})

    # The more audio the worse.
    assert strength_of(Method(fit, (0.9, 0.1, 2.0)), data, folds(data, 3)) == 0.1
    assert sorted(tried) == sorted([0.9, 0.1, 2.0] * 3)
    assert strength_of(Method(fit), data, folds(data, 3)) == 0.0


def test_choice_and_ablation(data: FusionData) -> None:
    names: Sequence[str] = ("grid, within vocabulary", "class weights")
    choice = choose(data, POOR, names, "log-loss")
    assert list(choice.methods) == [PRESENT, *names]
    assert choice.chosen in names
    losses = {name: judged.loss.value for name, judged in choice.methods.items()}
    assert losses[choice.chosen] == min(losses.values())
    assert len(choice.ablation) == 7
    top1 = {streams: judged.top1.value or 0 for streams, judged in choice.ablation.items()}
    everything = top1["rgb", "skeleton", "audio"]
    assert everything == choice.methods[choice.chosen].top1.value
    assert everything > max(top1[("rgb",)], top1[("skeleton",)], top1[("audio",)]) + 0.05
    # The skeleton knows two of four labels, and is silent now and then.
    assert top1[("skeleton",)] < 0.5
    found = document(choice)
    assert found["chosen"] == choice.chosen
    assert [row["streams"] for row in found["ablation"]][-1] == ["rgb", "skeleton", "audio"]


def test_what_is_there_stays_if_nothing_is_better(data: FusionData) -> None:
    best = METHODS["stacking"].fit(data, 0.001)
    hopeless = choose(data, best, ["grid, weighted sum"], "log-loss")
    assert hopeless.chosen == PRESENT
    assert hopeless.setting is best


def test_anew_chooses_among_what_was_fitted_now(data: FusionData) -> None:
    best = METHODS["stacking"].fit(data, 0.001)
    choice = choose(data, best, ["grid, weighted sum"], "log-loss", anew=True)
    assert choice.chosen == "grid, weighted sum"
    assert choice.methods[PRESENT].loss.value < choice.methods[choice.chosen].loss.value  # type: ignore[operator]


def test_rgb_alone_is_as_sure_as_it_is_right_where_the_others_are_never_silent() -> None:
    """Two streams that always say the same, and are honest: together they deserve the weight of one."""
    rng = np.random.default_rng(3)
    honest = rng.dirichlet(np.ones(4), 3000)
    truth = np.array([rng.choice(4, p=row) for row in honest])
    names = ("rgb", "skeleton")
    data = FusionData(
        LABELS,
        truth,
        np.eye(4, dtype=bool)[truth],
        np.arange(3000) % 20,
        dict.fromkeys(names, LABELS),
        dict.fromkeys(names, honest),
        dict.fromkeys(names, np.ones(3000, bool)),
    )
    again = data.with_lead_alone()
    assert again.spoke["rgb"].all() and again.spoke["skeleton"].tolist() == [True] * 3000 + [False] * 3000
    np.testing.assert_array_equal(again.probs["rgb"], np.concatenate([honest, honest]))
    np.testing.assert_array_equal(again.truth, np.concatenate([truth, truth]))

    # Half the weight each would be as good with both, and far too unsure with one.
    assert np.abs(np.sqrt(honest) / np.sqrt(honest).sum(1, keepdims=True) - honest).mean() > 0.06
    alone = data.only(["rgb"]).fused(METHODS["stacking"].fit(data, 0.001))
    assert np.abs(alone - honest).mean() < 0.03


def test_one_video_is_too_few() -> None:
    with pytest.raises(UsageError, match="give at least two"):
        choose(made(1), POOR, [], "top1")
