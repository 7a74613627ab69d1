"""What single windows are worth: accuracies, precision and recall, ranking, calibration.

The figures themselves are scikit-learn's; their intervals come from sums by video, which give the same
figures with every video counted once.

A window that was silent, or of which nothing scored above 0, is wrong. Where two labels cover half of a
window or more each, either is right, and the window counts for the one that was named.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, balanced_accuracy_score, precision_recall_fscore_support

from phar.evaluate.resampling import (
    Array,
    Figure,
    average_precision_drawn,
    figure,
    per_video,
    ratio,
)
from phar.evaluate.table import Answers, Indices, Table

TOPK = (1, 2, 3, 4, 5)
#: Bins of equal width for calibration. Source: Guo et al., "On Calibration of Modern Neural Networks", 2017.
NUM_BINS = 10


@dataclass(frozen=True)
class WindowMetrics:
    """The figures of one set of answers; each is computed when it is asked for."""

    table: Table
    answers: Answers
    weights: Array
    """(draws, V) how often each video is in each draw."""

    @cached_property
    def truth(self) -> Indices:
        """(W,) the label a window counts for."""
        nothing = len(self.table.labels)
        spoke = self.answers.said < nothing
        said = np.where(spoke, self.answers.said, 0)
        right = spoke & self.table.right[np.arange(self.table.num_windows), said]
        return np.where(right, self.answers.said, self.table.truth)

    @cached_property
    def ranks(self) -> Indices:
        """(W,) place of the best right label, from 1; 0 where none scored above 0."""
        order = np.argsort(-self.answers.scores, axis=1, kind="stable")
        scored = np.take_along_axis(self.answers.scores, order, 1) > 0
        hit = np.take_along_axis(self.table.right, order, 1) & scored & self.answers.spoke[:, None]
        return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0)

    @cached_property
    def counts(self) -> Array:
        """(V, L, L + 1) windows by true label and named label, the last for silence."""
        size = len(self.table.labels)
        found = np.zeros((len(self.table.truths), size, size + 1))
        np.add.at(found, (self.table.video, self.truth, self.answers.said), 1)
        return found

    @cached_property
    def _drawn_counts(self) -> tuple[Array, Array, Array]:
        """(draws, L) windows rightly named, windows of the label, windows named it."""
        size = len(self.table.labels)
        right = np.diagonal(self.counts, axis1=1, axis2=2)
        return (
            self.weights @ right,
            self.weights @ self.counts.sum(axis=2),
            self.weights @ self.counts[:, :, :size].sum(axis=1),
        )

    def mean(self, values: NDArray[Any], rows: NDArray[np.bool_] | None = None) -> Figure:
        """Mean of (W,) values over all windows, or over some."""
        chosen = np.ones(len(values), bool) if rows is None else rows
        if not chosen.any():
            return Figure(None)
        sums = per_video(np.where(chosen, values, 0).astype(float), self.table.video, len(self.table.truths))
        numbers = per_video(chosen.astype(float), self.table.video, len(self.table.truths))
        return figure(
            float(values[chosen].mean()), self._drawn(ratio(self.weights @ sums, self.weights @ numbers))
        )

    def topk(self, k: int) -> Figure:
        """Share of windows with a right label among the best `k`."""
        return self.mean((self.ranks > 0) & (self.ranks <= k))

    def named(self) -> Figure:
        """Share of windows that are rightly named once the threshold has spoken."""
        size = len(self.table.labels)
        padded = np.c_[self.table.right, np.zeros(self.table.num_windows, bool)]
        return self.mean(padded[np.arange(self.table.num_windows), np.minimum(self.answers.named, size)])

    def mean_class_accuracy(self) -> Figure:
        """Mean of the recalls of all labels that are true somewhere."""
        with warnings.catch_warnings():
            # What was silent is a class that is never true.
            warnings.simplefilter("ignore")
            value = balanced_accuracy_score(self.truth, self.answers.said)
        right, true, _ = self._drawn_counts
        return figure(float(value), self._drawn(_nanmean(ratio(right, true))))

    def by_label(self) -> dict[str, dict[str, Any]]:
        """Windows, precision, recall, F1 and average precision of labels that are true or named somewhere."""
        precision, recall, f1, support = precision_recall_fscore_support(
            self.truth,
            self.answers.said,
            labels=np.arange(len(self.table.labels)),
            average=None,
            zero_division=np.nan,
        )
        right, true, named = self._drawn_counts
        drawn = (ratio(right, named), ratio(right, true), _drawn_f1(right, true, named))
        found = {}
        for i, label in enumerate(self.table.labels):
            if support[i] == 0 and not (self.answers.said == i).any():
                continue
            found[label] = {
                "windows": int(support[i]),
                "precision": figure(precision[i], self._drawn(drawn[0][:, i])),
                "recall": figure(recall[i], self._drawn(drawn[1][:, i])),
                "f1": figure(f1[i], self._drawn(drawn[2][:, i])),
                "ap": self._average_precision(i)[0],
            }
        return found

    def macro_f1(self) -> Figure:
        """Mean F1 of all labels that are true somewhere."""
        present = np.flatnonzero(self.counts.sum(axis=(0, 2)))
        _, _, f1, _ = precision_recall_fscore_support(
            self.truth, self.answers.said, labels=present, average="macro", zero_division=0.0
        )
        right, true, named = (drawn[:, present] for drawn in self._drawn_counts)
        return figure(float(f1), self._drawn(_nanmean(_drawn_f1(right, true, named))))

    def mean_average_precision(self) -> Figure:
        """Mean over the labels that are true somewhere of the average precision of windows by score."""
        present = np.flatnonzero(self.table.right.any(axis=0))
        values, drawn = zip(*(self._average_precision(i) for i in present), strict=True)
        return figure(
            float(np.mean([each.value or 0.0 for each in values])),
            self._drawn(_nanmean(np.stack(drawn, axis=1))),
        )

    def by_category(self) -> list[dict[str, Any]]:
        """Recall of each category of a label; precision against the windows of all other labels.

        Other categories of the same label are left out: nobody named a category.
        """
        categories = np.array(self.table.category)
        rows = []
        for i, label in enumerate(self.table.labels):
            names = sorted(set(categories[self.truth == i]))
            if names in ([], [""]):
                continue
            false = (self.answers.said == i) & (self.truth != i)
            for name in names:
                own = (self.truth == i) & (categories == name)
                named = self.answers.said == i
                rows.append(
                    {
                        "label": label,
                        "category": name,
                        "windows": int(own.sum()),
                        **self._one(own & named, own, (own & named) | false),
                    }
                )
        return rows

    def reliability(self) -> dict[str, Any]:
        """How often the best label is right for its score: bins, and the expected calibration error.

        Over the windows where there is an answer; `score` and `right` are the means of a bin.
        """
        rows = self.answers.said < len(self.table.labels)
        if not rows.any():
            return {"error": Figure(None), "bins": []}
        score = np.clip(self.answers.scores.max(axis=1), 0, 1)
        right = (self.ranks == 1).astype(float)
        shares, means = calibration_curve(right[rows], score[rows], n_bins=NUM_BINS, strategy="uniform")
        # As scikit-learn does it: a bin holds its upper edge, the first one both.
        edges = np.linspace(0, 1, NUM_BINS + 1)
        bins = np.searchsorted(edges[1:-1], score, side="left")
        one = np.eye(NUM_BINS)[bins] * rows[:, None]
        sums = [
            per_video(one * values[:, None], self.table.video, len(self.table.truths))
            for values in (np.ones(len(score)), score, right)
        ]
        numbers, scores, rights = (self.weights @ each for each in sums)
        drawn = ratio(np.abs(scores - rights).sum(axis=1), numbers.sum(axis=1))
        filled = np.flatnonzero(sums[0].sum(axis=0))
        number = sums[0].sum(axis=0)[filled]
        error = float(np.average(np.abs(shares - means), weights=number))
        return {
            "error": figure(error, self._drawn(drawn)),
            "bins": [
                {
                    "from": round(float(edges[at]), 3),
                    "to": round(float(edges[at + 1]), 3),
                    "windows": int(count),
                    "score": round(float(mean), 6),
                    "right": round(float(share), 6),
                }
                for at, count, mean, share in zip(filled, number, means, shares, strict=True)
            ],
        }

    def _average_precision(self, label: int) -> tuple[Figure, Array]:
        positive, scores = self.table.right[:, label], self.answers.scores[:, label]
        if not positive.any():
            return Figure(None), np.full(len(self.weights), np.nan)
        drawn = average_precision_drawn(positive, scores, self.table.video, self.weights)
        return figure(float(average_precision_score(positive, scores)), self._drawn(drawn)), drawn

    def _one(
        self, right: NDArray[np.bool_], true: NDArray[np.bool_], named: NDArray[np.bool_]
    ) -> dict[str, Figure]:
        """Precision, recall and F1 of one category; undefined in draws without any window of it."""
        num_videos = len(self.table.truths)
        sums = [per_video(each.astype(float), self.table.video, num_videos) for each in (right, true, named)]
        whole = [each.sum(keepdims=True) for each in sums]
        drawn = [self.weights @ each for each in sums]
        precision = np.where(drawn[1] > 0, ratio(drawn[0], drawn[2]), np.nan)
        return {
            "precision": figure(float(ratio(whole[0], whole[2])[0]), self._drawn(precision)),
            "recall": figure(float(ratio(whole[0], whole[1])[0]), self._drawn(ratio(drawn[0], drawn[1]))),
            "f1": figure(float(_drawn_f1(*whole)[0]), self._drawn(_drawn_f1(*drawn))),
        }

    def _drawn(self, values: Array) -> Array | None:
        return values if len(self.table.truths) > 1 else None


def _drawn_f1(right: Array, true: Array, named: Array) -> Array:
    """F1; undefined where there is nothing to find."""
    return np.where(true > 0, ratio(2 * right, true + named), np.nan)


def _nanmean(values: Array) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean: Array = np.nanmean(values, axis=1)
        return mean
