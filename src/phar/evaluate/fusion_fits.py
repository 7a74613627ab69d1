"""Ways to fit a fusion: each takes data and gives a setting.

Sources: the grid of weights in tenths, the original project's search; temperature scaling and vector
scaling, Guo et al., 2017; stacking, Wolpert, 1992.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import MappingProxyType

import numpy as np
from scipy.optimize import minimize

from phar.evaluate.fusion_data import FusionData, Rows, Setting
from phar.evaluate.resampling import Array
from phar.fusion import FLOOR

#: A way to fit: data and the strength of regularisation, where it has one.
Fit = Callable[[FusionData, float], Setting]

#: Strengths of regularisation that cross-validation chooses from.
STRENGTHS = (0.001, 0.005, 0.02, 0.1)
#: Weights of the grid.
_TENTHS = tuple(round(0.1 * i, 1) for i in range(11))
#: How much a weight or temperature that is fitted without choice of strength is drawn to 1, as logarithm.
_DRAWN = 0.003
#: What windows count that are fitted again as if RGB alone had spoken: elsewhere streams fall silent
#: for other reasons than in the videos fitted on, and what RGB says alone must stay as sure as it is right.
_LEAD_ALONE = 0.25


@dataclass(frozen=True)
class Method:
    """One row of `METHODS`."""

    fit: Fit
    strengths: Sequence[float] = (0.0,)
    """More than one: cross-validation inside the data chooses."""


def grid(rule: str, data: FusionData, _: float) -> Setting:
    """Try every combination of weights in tenths; best top-1, of equals the least log loss."""
    best: tuple[float, float] | None = None
    found = Setting(rule, dict.fromkeys(data.streams, 1.0))
    for weights in _directions(len(data.streams)):
        setting = Setting(rule, dict(zip(data.streams, weights, strict=True)))
        scores = data.fused(setting)
        score = (float(data.hits(scores).mean()), -float(data.losses(scores).mean()))
        if best is None or score > best:
            best, found = score, setting
    return found


def optimised(rule: str, data: FusionData, _: float) -> Setting:
    """Find weights and a temperature for each stream that give the least log loss."""
    names = data.streams

    def setting(values: Array) -> Setting:
        raised = np.exp(values)
        weights = raised[: len(names)] / raised[: len(names)].max()
        temperatures = raised[len(names) :]
        return Setting(
            rule,
            dict(zip(names, map(float, weights), strict=True)),
            dict(zip(names, map(float, temperatures), strict=True)),
        )

    def loss(values: Array) -> float:
        return float(data.losses(data.fused(setting(values))).mean() + _DRAWN * (values**2).sum())

    start = np.zeros(2 * len(names))
    found = minimize(
        loss, start, method="L-BFGS-B", bounds=[(-4.0, 4.0)] * len(start), options={"maxiter": 30}
    )
    return setting(found.x)


def logistic(with_biases: bool, data: FusionData, strength: float) -> Setting:
    """Fit rule `stacked`: weights of single labels, drawn to a stream's own weight, and biases, drawn to 0.

    strength: how much they are drawn. Source of the gradient: multinomial logistic regression.
    """
    data = data.rows(np.flatnonzero(data.truth >= 0)).with_lead_alone()
    names, num_labels = data.streams, len(data.labels)
    share = np.repeat([1.0, _LEAD_ALONE], len(data.truth) // 2)[:, None]
    share /= share.sum()
    features = {
        name: np.where(data.known[name], np.log(np.maximum(data.probs[name], FLOOR)), 0.0)
        * data.spoke[name][:, None]
        for name in names
    }
    target = np.eye(num_labels)[data.truth]
    size = len(names) * num_labels
    shape = (len(names), num_labels)

    def split(values: Array) -> tuple[Array, Array, Array]:
        return values[: len(names)], values[len(names) :][:size].reshape(shape), values[-size:].reshape(shape)

    def loss(values: Array) -> tuple[float, Array]:
        common, single, biases = split(values)
        logits = np.zeros(target.shape)
        for at, name in enumerate(names):
            logits += single[at] * features[name]
            if with_biases:
                logits += biases[at] * data.spoke[name][:, None]
        logits -= logits.max(axis=1, keepdims=True)
        raised = np.exp(logits)
        total = raised.sum(axis=1, keepdims=True)
        error = (raised / total - target) * share
        away = (single - common[:, None]) * np.stack([data.known[name] for name in names])
        value = -float(((logits - np.log(total)) * target * share).sum())
        value += strength * float((away**2).sum()) + _DRAWN * float(((common - 1) ** 2).sum())
        slope_single = (
            np.stack([(error * features[name]).sum(axis=0) for name in names]) + 2 * strength * away
        )
        slope_common = -2 * strength * away.sum(axis=1) + 2 * _DRAWN * (common - 1)
        slope_biases = np.zeros(shape)
        if with_biases:
            value += strength * float((biases**2).sum())
            slope_biases = np.stack([(error * data.spoke[name][:, None]).sum(axis=0) for name in names])
            slope_biases += 2 * strength * biases
        return value, np.concatenate([slope_common, slope_single.ravel(), slope_biases.ravel()])

    start = np.concatenate([np.ones(len(names) + size), np.zeros(size)])
    bounds = [(0.0, None)] * (len(names) + size) + [(None, None)] * size
    common, single, biases = split(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)
    return Setting(
        "stacked",
        {name: float(common[at]) for at, name in enumerate(names)},
        label_weights={
            name: {label: float(single[at, i]) for i, label in enumerate(data.labels) if data.known[name][i]}
            for at, name in enumerate(names)
        },
        biases={
            name: {label: float(biases[at, i]) for i, label in enumerate(data.labels)}
            for at, name in enumerate(names)
        }
        if with_biases
        else {},
    )


def _directions(num: int) -> list[tuple[float, ...]]:
    """Weights in tenths of which the largest is 1: only their ratios count."""
    return [weights for weights in product(_TENTHS, repeat=num) if max(weights, default=0.0) == 1.0]


#: Every way to fit, by the name that tables and `--method` use.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "grid, weighted sum": Method(partial(grid, "weighted_sum")),
        "grid, within vocabulary": Method(partial(grid, "within_vocabulary")),
        "log loss, weighted sum": Method(partial(optimised, "weighted_sum")),
        "log loss, within vocabulary": Method(partial(optimised, "within_vocabulary")),
        "class weights": Method(partial(logistic, False), STRENGTHS),
        "stacking": Method(partial(logistic, True), STRENGTHS),
    }
)


def strength_of(method: Method, data: FusionData, folds: Sequence[tuple[Rows, Rows]]) -> float:
    """Return the strength with the least log loss over (train, test) folds; of equals the stronger."""
    if len(method.strengths) == 1:
        return method.strengths[0]

    def loss(strength: float) -> float:
        each = ((data.rows(test), method.fit(data.rows(train), strength)) for train, test in folds)
        return sum(float(rows.losses(rows.fused(setting)).sum()) for rows, setting in each)

    losses = {strength: loss(strength) for strength in method.strengths}
    return min(reversed(method.strengths), key=lambda strength: losses[strength])
