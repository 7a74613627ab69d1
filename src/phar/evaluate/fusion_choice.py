"""Ways to fit a fusion compared by cross-validation over videos, and what each stream adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from phar.evaluate.fusion_data import FusionData, Rows, Setting
from phar.evaluate.fusion_fits import METHODS, Method, strength_of
from phar.evaluate.resampling import Array, Figure, draws, figure, per_video, ratio
from phar.schema import UsageError

#: What the profile has now, among the methods.
PRESENT = "as it is"
_NUM_FOLDS, _NUM_INNER = 5, 3


@dataclass(frozen=True)
class Judged:
    """One way to fuse, judged on windows of videos that it was not fitted on."""

    top1: Figure
    loss: Figure
    """Mean negative logarithm of the share of the true label."""
    gain: Figure
    """Top-1 less that of the fusion as it is, with all streams."""
    seen: float
    """Top-1 on the very windows that it was fitted on."""


@dataclass(frozen=True)
class Choice:
    """What was fitted, what was chosen, and why."""

    methods: Mapping[str, Judged]
    chosen: str
    setting: Setting
    """Fitted by the chosen method on all windows."""
    ablation: Mapping[tuple[str, ...], Judged]
    """The chosen method with every set of streams: each, each pair, ..., all."""


def choose(
    data: FusionData, present: Setting, names: Sequence[str], criterion: str, anew: bool = False
) -> Choice:
    """Fit by each of the named methods and choose the best by cross-validation.

    criterion: `top1` or `log-loss`; of equals by the first, the other decides. anew: the present fusion is
    judged but not chosen, as where it was fitted on these very windows.

    Raises:
        UsageError: there are fewer than two videos.
    """
    if len(np.unique(data.video)) < 2:
        raise UsageError("fusion is fitted on some videos and judged on others; give at least two")
    fused = data.fused(present)
    before = data.hits(fused)
    judged = {PRESENT: _judged(data, fused, fused, before)}
    settings = {PRESENT: present}
    for name in names:
        judged[name], settings[name] = _cross_validated(data, METHODS[name], before)

    def rank(name: str) -> tuple[float, float]:
        top1, loss = judged[name].top1.value or 0.0, judged[name].loss.value or 0.0
        return (top1, -loss) if criterion == "top1" else (-loss, top1)

    chosen = max(names if anew and names else judged, key=rank)
    return Choice(judged, chosen, settings[chosen], _ablation(data, chosen, present, before))


def folds(data: FusionData, num: int) -> list[tuple[Rows, Rows]]:
    """Return (train, test) windows; those of one video are always together."""
    num = min(num, len(np.unique(data.video)))
    if num < 2:
        every = np.arange(len(data.truth))
        return [(every, every)]
    return list(GroupKFold(num).split(data.truth, groups=data.video))


def document(choice: Choice) -> dict[str, Any]:
    """Return a choice as JSON holds it."""

    def row(judged: Judged) -> dict[str, Any]:
        return {
            "top1": judged.top1.document(),
            "gain": judged.gain.document(),
            "log_loss": judged.loss.document(),
            "top1_seen": round(judged.seen, 6),
        }

    return {
        "methods": {name: row(judged) for name, judged in choice.methods.items()},
        "chosen": choice.chosen,
        "ablation": [{"streams": list(names), **row(judged)} for names, judged in choice.ablation.items()],
    }


def _cross_validated(
    data: FusionData, method: Method, before: NDArray[np.bool_], strength: float | None = None
) -> tuple[Judged, Setting]:
    """Judge a method on the test part of every fold, and fit it on all windows.

    strength: that of regularisation; without it, every fold chooses its own on its training part.
    """

    def fit(part: FusionData) -> Setting:
        return method.fit(
            part, strength_of(method, part, folds(part, _NUM_INNER)) if strength is None else strength
        )

    scores = np.zeros((len(data.truth), len(data.labels)))
    for train, test in folds(data, _NUM_FOLDS):
        scores[test] = data.rows(test).fused(fit(data.rows(train)))
    setting = fit(data)
    return _judged(data, scores, data.fused(setting), before), setting


def _ablation(
    data: FusionData, chosen: str, present: Setting, before: NDArray[np.bool_]
) -> dict[tuple[str, ...], Judged]:
    found = {}
    method = METHODS.get(chosen)
    strength = strength_of(method, data, folds(data, _NUM_INNER)) if method else None
    for num in range(1, len(data.streams) + 1):
        for names in combinations(data.streams, num):
            some = data.only(names)
            if method is None:
                found[names] = _judged(some, some.fused(present), some.fused(present), before)
            else:
                found[names], _ = _cross_validated(some, method, before, strength)
    return found


def _judged(data: FusionData, scores: Array, seen: Array, before: NDArray[np.bool_]) -> Judged:
    numbers, video = np.unique(data.video, return_inverse=True)
    weights = draws(len(numbers))
    counts = weights @ per_video(np.ones(len(video)), video, len(numbers))

    def mean(values: Array) -> Figure:
        return figure(float(values.mean()), ratio(weights @ per_video(values, video, len(numbers)), counts))

    hits = data.hits(scores).astype(float)
    return Judged(
        top1=mean(hits),
        loss=mean(data.losses(scores)),
        gain=mean(hits - before),
        seen=float(data.hits(seen).mean()),
    )
