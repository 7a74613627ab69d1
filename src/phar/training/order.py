"""Which example each position of a training shows: a pure function of seed and position."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


class Shuffled:
    """Every example once, in an order of its own, then all again in another."""

    def __init__(self, count: int, seed: int, *names: int) -> None:
        self._count = count
        self._seed = (seed, *names)
        self._held: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, position: int) -> int:
        turn, place = divmod(position, self._count)
        if self._held is None or self._held[0] != turn:
            self._held = (turn, np.random.default_rng([*self._seed, turn]).permutation(self._count))
        return int(self._held[1][place])


class Balanced:
    """Classes take turns, within each its categories, within each of these its examples.

    So every class, and every category of a class, is seen as often as the others, however many examples it
    has; a class is seen again only once all have been.

    Args:
        classes: the class of each example.
        categories: the category of each.
        seed: another one gives another order.
    """

    def __init__(self, classes: Sequence[Hashable], categories: Sequence[Hashable], seed: int) -> None:
        grouped: dict[Hashable, dict[Hashable, list[int]]] = {}
        for number, (name, category) in enumerate(zip(classes, categories, strict=True)):
            grouped.setdefault(name, {}).setdefault(category, []).append(number)
        self._members = [list(kinds.values()) for kinds in grouped.values()]
        self._classes = Shuffled(len(self._members), seed, 0)
        self._categories = [
            Shuffled(len(kinds), seed, 1, number) for number, kinds in enumerate(self._members)
        ]
        self._examples = [
            [Shuffled(len(own), seed, 2, number, kind) for kind, own in enumerate(kinds)]
            for number, kinds in enumerate(self._members)
        ]

    def __getitem__(self, position: int) -> int:
        # A class comes up once a turn, so its turns count how often it was seen; so do those of categories.
        number = self._classes[position]
        turn = position // len(self._members)
        kind = self._categories[number][turn]
        example = self._examples[number][kind][turn // len(self._members[number])]
        return self._members[number][kind][example]
