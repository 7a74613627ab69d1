"""How far figures would move with other videos: the bootstrap, by whole videos.

Windows of one video are alike, so they are drawn together: an interval over single windows would be
far too narrow.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: percentile intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Draws of as many videos as there are.
NUM_DRAWS = 1000
_QUANTILES = (0.025, 0.975)
#: Draws times rows that are held at once.
_CELLS = 4_000_000


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval."""

    value: float | None
    """None where it is not defined, such as the precision of a label that was never named."""
    low: float | None = None
    high: float | None = None
    """None where it would not be worth anything: with a single video."""

    def document(self) -> dict[str, float | None]:
        """Return it as JSON holds it."""
        return {name: _rounded(getattr(self, name)) for name in ("value", "low", "high")}


def draws(num_videos: int, seed: int = 0) -> Array:
    """Return (draws, num_videos) how often each video is in each draw; the same for the same number."""
    rng = np.random.default_rng(seed)
    share = np.full(num_videos, 1 / num_videos)
    return rng.multinomial(num_videos, share, size=NUM_DRAWS).astype(np.float64)


def figure(value: float | None, drawn: Array | None) -> Figure:
    """Return a figure of its value and of its (draws,) values over the draws; NaN is undefined."""
    if value is None or np.isnan(value):
        return Figure(None)
    if drawn is None or np.isnan(drawn).all():
        return Figure(float(value))
    low, high = np.nanquantile(drawn, _QUANTILES)
    return Figure(float(value), float(low), float(high))


def ratio(top: Array, bottom: Array) -> Array:
    """Divide; NaN where there is nothing to divide by."""
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom > 0)


def per_video(values: Array, video: NDArray[np.int64], num_videos: int) -> Array:
    """Sum (rows, ...) values by the video each row belongs to: (num_videos, ...)."""
    sums = np.zeros((num_videos, *values.shape[1:]))
    np.add.at(sums, video, values)
    return sums


def in_parts(weights: Array, num_rows: int, work: Callable[[Array], Array]) -> Array:
    """Do work on the draws in parts that fit into memory, and join what it returns."""
    step = max(1, _CELLS // max(1, num_rows))
    return np.concatenate([work(weights[at : at + step]) for at in range(0, len(weights), step)])


def average_precision_drawn(
    positive: NDArray[np.bool_],
    scores: Array,
    video: NDArray[np.int64],
    weights: Array,
    num_true: Array | None = None,
    *,
    envelope: bool = False,
) -> Array:
    """Return (draws,) average precisions of rows ranked by score.

    positive: (N,) which rows are right. video: (N,) whose rows they are. weights: (draws, V). num_true:
    (V,) how many there are to be found, where some may be missing among the rows. envelope: precision at a
    recall is the best at that recall or beyond, as ActivityNet's and PASCAL's evaluations have it.
    """
    order = np.argsort(-scores, kind="stable")
    positive, ranked, video = positive[order], scores[order], video[order]
    # Rows of one score are met together.
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True]) if len(ranked) else np.zeros(0, np.int64)

    def work(part: Array) -> Array:
        each = part[:, video]
        total = part @ num_true if num_true is not None else (each * positive).sum(axis=1)
        right = np.cumsum(each * positive, axis=1)[:, last]
        precision = ratio(right, np.cumsum(each, axis=1)[:, last])
        precision = np.nan_to_num(precision)
        if envelope:
            precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        gained = np.diff(right, axis=1, prepend=0.0)
        return ratio((precision * gained).sum(axis=1), total)

    if not len(scores):
        total = weights @ num_true if num_true is not None else np.zeros(len(weights))
        return np.where(total > 0, 0.0, np.nan)
    return in_parts(weights, len(scores), work)


def median_drawn(values: Array, video: NDArray[np.int64], weights: Array) -> Array:
    """Return (draws,) medians of (N,) values, each counted as often as its video is drawn; NaN for none."""
    order = np.argsort(values, kind="stable")
    ranked, video = values[order], video[order]

    def work(part: Array) -> Array:
        counts = np.cumsum(part[:, video], axis=1)
        total = counts[:, -1:]
        low = (counts >= total / 2).argmax(axis=1)
        high = (counts > total / 2).argmax(axis=1)
        return np.where(total[:, 0] > 0, (ranked[low] + ranked[high]) / 2, np.nan)

    if not len(values):
        return np.full(len(weights), np.nan)
    return in_parts(weights, len(values), work)


def documented(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures, in mappings and lists however deep, as JSON holds them."""
    return {key: _document(value) for key, value in values.items()}


def _document(value: Any) -> Any:
    if isinstance(value, Figure):
        return value.document()
    if isinstance(value, Mapping):
        return documented(value)
    if isinstance(value, list | tuple):
        return [_document(each) for each in value]
    return value


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 6)
