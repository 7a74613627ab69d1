"""What figures are worth nothing: with the truth shuffled, and with the commonest label for everything."""

from __future__ import annotations

from typing import Any

import numpy as np

from phar.evaluate.metrics import WindowMetrics
from phar.evaluate.resampling import NUM_DRAWS, Figure, figure


def shuffled(metrics: WindowMetrics, seed: int = 0) -> Figure:
    """Top-1 with the true labels dealt out to the windows at random: its mean, and 95 % of all deals."""
    rng = np.random.default_rng(seed)
    padded = np.c_[metrics.table.right, np.zeros(metrics.table.num_windows, bool)]
    deals = [padded[rng.permutation(len(padded)), metrics.answers.said].mean() for _ in range(NUM_DRAWS)]
    return figure(float(np.mean(deals)), np.array(deals))


def commonest(metrics: WindowMetrics) -> dict[str, Any]:
    """Top-1 of naming every window by the label that is right most often."""
    label = int(metrics.table.right.sum(axis=0).argmax())
    return {"label": metrics.table.labels[label], "top1": metrics.mean(metrics.table.right[:, label])}
