"""Scores into probabilities by a curve that only rises, fitted to what people said of windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phar.moderation.policy import Calibration


def fit(scores: Sequence[float], truths: Sequence[bool]) -> Calibration:
    """Fit a strictly increasing curve through the middles of an isotonic regression's steps.

    A step would give all its scores one probability, and a threshold inside it could not be told; through the
    middles, thresholds on scores and on probabilities are the same. Each step's share of examples is drawn
    towards a half as by half an example and half a counterexample, so that none is 0 or 1.

    Args:
        scores: in [0, 1].
        truths: whether each is an example; both kinds must be there.

    Source: centered isotonic regression, Oron and Flournoy, 2017; Jeffreys' prior for the shares.
    """
    from sklearn.isotonic import IsotonicRegression

    x = np.asarray(scores, np.float64)
    y = np.asarray(truths, np.float64)
    steps = IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(x)
    centres, shares, counts = [], [], []
    for step in np.unique(steps):
        inside = steps == step
        centres.append(x[inside].mean())
        counts.append(inside.sum())
        shares.append((y[inside].sum() + 0.5) / (counts[-1] + 1))
    rising = IsotonicRegression().fit_transform(centres, shares, sample_weight=counts)
    knots, values = _without_steps(np.array(centres), rising, np.array(counts))
    return Calibration(
        (*([0.0] if knots[0] > 0 else []), *map(float, knots), *([1.0] if knots[-1] < 1 else [])),
        (
            *([float(values[0]) / 2] if knots[0] > 0 else []),
            *map(float, values),
            *([(1 + float(values[-1])) / 2] if knots[-1] < 1 else []),
        ),
    )


def _without_steps(
    centres: NDArray[np.float64], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join neighbours of one value into their common middle."""
    kept = np.unique(values)
    middles = [np.average(centres[values == value], weights=counts[values == value]) for value in kept]
    return np.array(middles), kept
