"""Streams' scores of many windows as arrays, and what a fusion with given settings makes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from phar.evaluate.resampling import Array
from phar.evaluate.table import Table, spread
from phar.fusion import LEADER, RULES, by_label, soften
from phar.schema import Report, UsageError

Rows = NDArray[np.int64]

#: Least probability that a logarithm is taken of when fusions are compared.
_LEAST = 1e-6


@dataclass(frozen=True)
class Setting:
    """A fusion: its rule, and how every stream takes part."""

    rule: str
    weights: Mapping[str, float]
    temperatures: Mapping[str, float] = field(default_factory=dict)
    """1 where a stream is not named."""
    label_weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    biases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("weights", "temperatures", "label_weights", "biases"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


@dataclass(frozen=True)
class FusionData:
    """W windows with their truth, and what every stream said of them."""

    labels: tuple[str, ...]
    """(L,) the profile's labels."""
    truth: Rows
    """(W,) the true label; -1 where the profile does not know it."""
    right: NDArray[np.bool_]
    """(W, L) labels that are right to name."""
    video: Rows
    """(W,) number of the video."""
    vocabularies: Mapping[str, tuple[str, ...]]
    probs: Mapping[str, Array]
    """By stream, (W, L) probabilities over the profile's labels; 0 where it was silent."""
    spoke: Mapping[str, NDArray[np.bool_]]
    """By stream, (W,) whether it spoke."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self.vocabularies)

    @cached_property
    def known(self) -> Mapping[str, NDArray[np.bool_]]:
        """By stream, (L,) which labels it knows."""
        return {name: np.isin(self.labels, own) for name, own in self.vocabularies.items()}

    @classmethod
    def of(cls, table: Table, reports: Sequence[Report], labels: Sequence[str]) -> FusionData:
        """Take the scores of (V,) reports for a table's windows.

        Raises UsageError where no window shows any of the labels.
        """
        probs, spoke = {}, {}
        for name, own in reports[0].vocabularies.items():
            blank = np.zeros(len(own), np.float32)
            rows, heard = [], []
            for report, kept in zip(reports, table.kept, strict=True):
                given = [report.predictions[at].streams[name].probs for at in kept]
                rows.append(spread([blank if p is None else p for p in given], own, labels))
                heard.append(np.array([p is not None for p in given], dtype=bool))
            probs[name], spoke[name] = np.concatenate(rows), np.concatenate(heard)
        place = {label: i for i, label in enumerate(labels)}
        at = [table.labels.index(label) for label in labels]
        truth = np.array([place.get(table.labels[i], -1) for i in table.truth], dtype=np.int64)
        if (truth < 0).all():
            raise UsageError("no window shows a label that the profile knows; check the labels of the truth")
        vocabularies = dict(reports[0].vocabularies)
        return cls(tuple(labels), truth, table.right[:, at], table.video, vocabularies, probs, spoke)

    def only(self, streams: Collection[str]) -> FusionData:
        """Return the data as if the profile had these streams alone."""
        return replace(
            self,
            vocabularies={name: own for name, own in self.vocabularies.items() if name in streams},
            probs={name: rows for name, rows in self.probs.items() if name in streams},
            spoke={name: rows for name, rows in self.spoke.items() if name in streams},
        )

    def rows(self, chosen: Rows) -> FusionData:
        """Return some of the windows."""
        return replace(
            self,
            truth=self.truth[chosen],
            right=self.right[chosen],
            video=self.video[chosen],
            probs={name: rows[chosen] for name, rows in self.probs.items()},
            spoke={name: rows[chosen] for name, rows in self.spoke.items()},
        )

    def with_lead_alone(self) -> FusionData:
        """Return the windows, and after them the same as if RGB alone had spoken in them."""
        return replace(
            self,
            truth=np.tile(self.truth, 2),
            right=np.tile(self.right, (2, 1)),
            video=np.tile(self.video, 2),
            probs={name: np.tile(rows, (2, 1)) for name, rows in self.probs.items()},
            spoke={
                name: np.concatenate([rows, rows & (name == LEADER)]) for name, rows in self.spoke.items()
            },
        )

    @cached_property
    def groups(self) -> list[tuple[tuple[str, ...], Rows]]:
        """Windows in which the same streams spoke; where none did is in no group."""
        names = self.streams
        if not names:
            return []
        pattern = np.stack([self.spoke[name] for name in names], axis=1)
        found = []
        for each in np.unique(pattern, axis=0):
            spoken = tuple(name for name, heard in zip(names, each, strict=True) if heard)
            if spoken:
                found.append((spoken, np.flatnonzero((pattern == each).all(axis=1))))
        return found

    def fused(self, setting: Setting) -> Array:
        """Return (W, L) fused scores, as `phar.fusion.fuse` gives them window by window."""
        scores = np.zeros((len(self.truth), len(self.labels)))
        weights = {
            name: by_label(self.labels, setting.weights.get(name, 0.0), setting.label_weights.get(name, {}))
            for name in self.streams
        }
        biases = {name: by_label(self.labels, 0.0, setting.biases.get(name, {})) for name in self.streams}
        softened = {
            name: soften(rows, setting.temperatures.get(name, 1.0)) for name, rows in self.probs.items()
        }
        for spoken, rows in self.groups:
            scores[rows] = RULES[setting.rule](
                {name: softened[name][rows] for name in spoken},
                {name: self.known[name] for name in spoken},
                {name: weights[name] for name in spoken},
                {name: biases[name] for name in spoken},
            )
        return scores

    def hits(self, scores: Array) -> NDArray[np.bool_]:
        """(W,) whether the best label is a right one; nothing scored is wrong."""
        best = scores.argmax(axis=1)
        every = np.arange(len(scores))
        hit: NDArray[np.bool_] = self.right[every, best] & (scores[every, best] > 0)
        return hit

    def losses(self, scores: Array) -> Array:
        """(W,) negative logarithm of the share of the score that the true label has.

        Where nothing was scored all labels share alike, as they do where the profile does not know the label.
        """
        total = scores.sum(axis=1)
        share = np.full(len(scores), 1 / len(self.labels))
        seen = (total > 0) & (self.truth >= 0)
        share[seen] = scores[seen, self.truth[seen]] / total[seen]
        losses: Array = -np.log(np.maximum(share, _LEAST))
        return losses
