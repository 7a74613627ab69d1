"""Late fusion: several streams' scores of one window into one score per label.

The contract of every rule in `RULES`:

* Streams, weights and vocabularies are bound by name, never by position.
* A silent stream takes no part: it is not a vector of zeros, and its weight
  does not enter any sum.
* If no stream spoke, every fused score is 0.
* Fused scores are in [0, 1] whenever the streams' are.

A rule takes the spoken streams' probabilities spread over the profile's labels
(0 where a stream does not know a label), which labels each stream knows, and
the weights, and returns (L,) fused scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from phar.schema import Prediction, ProfileError, StreamScore

Vector = NDArray[np.float64]
Known = NDArray[np.bool_]
Rule = Callable[[Mapping[str, Vector], Mapping[str, Known], Mapping[str, float]], Vector]

#: The stream whose labels are the whole vocabulary, and whose mass others redistribute.
LEADER = "rgb"


def fuse(
    rule: str,
    labels: Sequence[str],
    vocabularies: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
    scores: Mapping[str, StreamScore],
    temperatures: Mapping[str, float] | None = None,
) -> Prediction:
    """Fuse the streams' scores of one window.

    Args:
        rule: a name in `RULES`.
        labels: (L,) the profile's labels.
        vocabularies: each stream's own labels, all of them among `labels`.
        weights: each stream's weight, at least 0.
        scores: each stream's score of the same window, at least one.
        temperatures: each stream's temperature, 1 where not named; see `soften`.

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
    used = {name: float(weights[name]) for name in vectors}
    fused = RULES[rule](vectors, known, used) if vectors else np.zeros(len(labels))
    window = next(iter(scores.values())).window
    return Prediction(window, fused.astype(np.float32), scores, used)


def soften(probs: NDArray[np.float32], temperature: float) -> Vector:
    """Divide the logits of (C,) probabilities by `temperature` and normalise again.

    Above 1 softens, below 1 sharpens; 1 changes nothing.

    Source: temperature scaling, Guo et al., "On Calibration of Modern Neural
    Networks", ICML 2017; `p ** (1 / T)` normalised is softmax(log p / T).
    """
    exact = probs.astype(np.float64)
    if temperature == 1.0:
        return exact
    powered = exact ** (1.0 / temperature)
    total = powered.sum()
    scaled: Vector = powered / total if total > 0 else exact
    return scaled


def weighted_sum(
    vectors: Mapping[str, Vector], known: Mapping[str, Known], weights: Mapping[str, float]
) -> Vector:
    """Return `sum(w_s * p_s) / sum(w_s)` over the streams that spoke.

    It ranks the labels of one window; scores of windows in which different
    streams spoke are not comparable, since a label that a stream does not know
    gets 0 from it.

    Source: the original project's late fusion, with weights bound by name.
    """
    total = sum(weights[name] for name in vectors)
    size = next(iter(vectors.values())).size
    if total <= 0:
        return np.zeros(size)
    summed: Vector = sum((weights[name] * vector for name, vector in vectors.items()), np.zeros(size)) / total
    return summed


def within_vocabulary(
    vectors: Mapping[str, Vector], known: Mapping[str, Known], weights: Mapping[str, float]
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
    size = next(iter(vectors.values())).size
    lead = vectors.get(LEADER, np.full(size, 1.0 / size))
    lead_weight = weights.get(LEADER, 0.0) if LEADER in vectors else 0.0
    others = [name for name in vectors if name != LEADER and weights[name] > 0]
    summed = lead_weight * lead
    total = np.full(size, lead_weight)
    for name in others:
        mask = known[name]
        heard = vectors[name].sum()
        if heard > 0:
            summed = summed + weights[name] * lead[mask].sum() * vectors[name] / heard
            total = total + weights[name] * mask
    fused = np.divide(summed, total, out=lead.copy(), where=total > 0)
    for group in _overlapping([known[name] for name in others]):
        mass = fused[group].sum()
        if mass > 0:
            fused[group] *= lead[group].sum() / mass
    return np.clip(fused, 0.0, 1.0)


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
    {"weighted_sum": weighted_sum, "within_vocabulary": within_vocabulary}
)
