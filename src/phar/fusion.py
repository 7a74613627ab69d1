"""Late fusion: several streams' scores of one window into one score per label.

The contract of every rule in `RULES`:

* Streams, weights and vocabularies are bound by name, never by position.
* A silent stream takes no part: it is not a vector of zeros, and its weight
  does not enter any sum.
* If no stream spoke, every fused score is 0.
* Fused scores are in [0, 1] whenever the streams' are.

A rule takes the spoken streams' probabilities spread over the profile's labels (0 where a stream does not
know a label), which labels each stream knows, and each stream's weight and bias for every label, and returns
fused scores. All of it works on one window, (L,), or on many in which the same streams spoke, (..., L).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.schema import Prediction, ProfileError, StreamScore

Vector = NDArray[np.float64]
Known = NDArray[np.bool_]
Rule = Callable[
    [Mapping[str, Vector], Mapping[str, Known], Mapping[str, Vector], Mapping[str, Vector]], Vector
]

#: The stream whose labels are the whole vocabulary, and whose mass others redistribute.
LEADER = "rgb"

#: Probabilities below this are taken for it where logarithms are.
FLOOR = 1e-6


def fuse(
    rule: str,
    labels: Sequence[str],
    vocabularies: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
    scores: Mapping[str, StreamScore],
    temperatures: Mapping[str, float] | None = None,
    label_weights: Mapping[str, Mapping[str, float]] | None = None,
    biases: Mapping[str, Mapping[str, float]] | None = None,
) -> Prediction:
    """Fuse the streams' scores of one window.

    Args:
        rule: a name in `RULES`.
        labels: (L,) the profile's labels.
        vocabularies: each stream's own labels, all of them among `labels`.
        weights: each stream's weight, at least 0.
        scores: each stream's score of the same window, at least one.
        temperatures: each stream's temperature, 1 where not named; see `soften`.
        label_weights: each stream's weight for single labels of its own, used instead of its weight.
        biases: what it adds to single labels that a stream spoke at all, for rules that add logarithms.

    Raises:
        ProfileError: the rule is unknown, or a stream has no vocabulary or weight.
    """
    if rule not in RULES:
        raise ProfileError(f"fusion rule {rule!r} is unknown; use one of {', '.join(RULES)}")
    column = {label: i for i, label in enumerate(labels)}
    vectors: dict[str, Vector] = {}
    known: dict[str, Known] = {}
    for name, score in scores.items():
        if name not in vocabularies or name not in weights:
            raise ProfileError(f"stream {name!r} has no labels or no weight; name both in the profile")
        if score.probs is None:
            continue
        vocabulary = vocabularies[name]
        if len(vocabulary) != score.probs.size:
            raise ProfileError(
                f"stream {name!r} gave {score.probs.size} scores for {len(vocabulary)} labels; "
                "give the label file its model was trained with"
            )
        index = [column[label] for label in vocabulary]
        known[name] = np.zeros(len(labels), dtype=bool)
        known[name][index] = True
        vectors[name] = np.zeros(len(labels))
        vectors[name][index] = soften(score.probs, (temperatures or {}).get(name, 1.0))
    fused = np.zeros(len(labels))
    if vectors:
        fused = RULES[rule](
            vectors,
            known,
            {name: by_label(labels, weights[name], (label_weights or {}).get(name, {})) for name in vectors},
            {name: by_label(labels, 0.0, (biases or {}).get(name, {})) for name in vectors},
        )
    used = {name: float(weights[name]) for name in vectors}
    window = next(iter(scores.values())).window
    return Prediction(window, fused.astype(np.float32), scores, used)


def by_label(labels: Sequence[str], value: float, single: Mapping[str, float]) -> Vector:
    """Return (L,) a value for every label, but for single ones another."""
    return np.array([single.get(label, value) for label in labels], dtype=np.float64)


def soften(probs: NDArray[np.floating[Any]], temperature: float) -> Vector:
    """Divide the logits of (..., C) probabilities by `temperature` and normalise again.

    Above 1 softens, below 1 sharpens; 1 changes nothing.

    Source: temperature scaling, Guo et al., "On Calibration of Modern Neural
    Networks", ICML 2017; `p ** (1 / T)` normalised is softmax(log p / T).
    """
    exact = probs.astype(np.float64)
    if temperature == 1.0:
        return exact
    powered = exact ** (1.0 / temperature)
    total = powered.sum(axis=-1, keepdims=True)
    scaled: Vector = np.divide(powered, total, out=exact, where=total > 0)
    return scaled


def weighted_sum(
    vectors: Mapping[str, Vector],
    known: Mapping[str, Known],
    weights: Mapping[str, Vector],
    biases: Mapping[str, Vector],
) -> Vector:
    """Return `sum(w_s * p_s) / sum(w_s)` over the streams that spoke.

    It ranks the labels of one window; scores of windows in which different
    streams spoke are not comparable, since a label that a stream does not know
    gets 0 from it.

    Source: the original project's late fusion, with weights bound by name.
    """
    blank = np.zeros(next(iter(vectors.values())).shape)
    total = sum((weights[name] for name in vectors), blank)
    summed = sum((weights[name] * vector for name, vector in vectors.items()), blank)
    fused: Vector = np.divide(summed, total, out=blank, where=total > 0)
    return fused


def within_vocabulary(
    vectors: Mapping[str, Vector],
    known: Mapping[str, Known],
    weights: Mapping[str, Vector],
    biases: Mapping[str, Vector],
) -> Vector:
    """Let each stream redistribute only the RGB probability that lies on its own labels.

    With `m_s` the RGB mass on stream s's labels and `q_s` the stream's scores
    normalised, each label gets the weighted mean of RGB's `p` and of `m_s * q_s`
    over the streams that know it. Streams whose labels overlap share the mass
    on the union of their labels, which is scaled back to RGB's. So the fused
    scores sum to what RGB's sum to, and a label that only RGB knows keeps its
    score: scores stay comparable whoever spoke. A silent RGB counts as
    knowing nothing: equal mass on every label, weight 0.
    """
    shape = next(iter(vectors.values())).shape
    lead = vectors.get(LEADER, np.full(shape, 1.0 / shape[-1]))
    lead_weight = weights[LEADER] if LEADER in vectors else np.zeros(shape[-1])
    others = [name for name in vectors if name != LEADER and (weights[name] > 0).any()]
    summed = lead_weight * lead
    total: Vector = np.broadcast_to(lead_weight, shape)
    for name in others:
        mask = known[name]
        heard = vectors[name].sum(axis=-1, keepdims=True)
        share = np.divide(vectors[name], heard, out=np.zeros(shape), where=heard > 0)
        summed = summed + weights[name] * lead[..., mask].sum(axis=-1, keepdims=True) * share
        total = total + weights[name] * mask * (heard > 0)
    fused = np.divide(summed, total, out=lead.copy(), where=total > 0)
    for group in _overlapping([known[name] for name in others]):
        mass = fused[..., group].sum(axis=-1, keepdims=True)
        whole = lead[..., group].sum(axis=-1, keepdims=True)
        fused[..., group] *= np.divide(whole, mass, out=np.ones(mass.shape), where=mass > 0)
    return np.clip(fused, 0.0, 1.0)


def stacked(
    vectors: Mapping[str, Vector],
    known: Mapping[str, Known],
    weights: Mapping[str, Vector],
    biases: Mapping[str, Vector],
) -> Vector:
    """Return the softmax of `sum(w_s * log p_s + b_s)` over the streams that spoke.

    A stream adds to the logits of the labels it knows; what it means for the others is in its bias, which
    counts wherever it spoke. With one stream, weight 1 and no bias its probabilities come out. Weights and
    biases are meant to be fitted: `phar fuse`.

    Sources: stacking, Wolpert, "Stacked Generalization", 1992; a weight and a bias for each label are the
    vector scaling of Guo et al., 2017, of several nets at once.
    """
    blank = np.zeros(next(iter(vectors.values())).shape)
    logits = sum(
        (
            biases[name] + np.where(known[name], weights[name] * np.log(np.maximum(vector, FLOOR)), 0.0)
            for name, vector in vectors.items()
        ),
        blank,
    )
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    fused: Vector = raised / raised.sum(axis=-1, keepdims=True)
    return fused


def _overlapping(masks: Sequence[Known]) -> list[Known]:
    """Merge masks that share an element until none do."""
    groups: list[Known] = []
    for mask in masks:
        merged = mask.copy()
        apart = []
        for group in groups:
            if (group & merged).any():
                merged |= group
            else:
                apart.append(group)
        groups = [*apart, merged]
    return groups


#: Every fusion rule by the name a profile gives it.
RULES: Mapping[str, Rule] = MappingProxyType(
    {"weighted_sum": weighted_sum, "within_vocabulary": within_vocabulary, "stacked": stacked}
)
