"""Which packets of a video are copied and which of its pictures are encoded anew. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from phar.media.editing.packets import Flags, Ints, PacketIndex

Span = tuple[float, float]

#: A picture that reaches into a span by less than this does so by rounding: Matroska counts milliseconds.
_ROUNDING_S = Fraction(1, 1000)


class Fate(IntEnum):
    """What becomes of a picture."""

    KEPT = 0
    CHANGED = 1
    """Shown, but not as it was."""
    DROPPED = 2


@dataclass(frozen=True, eq=False)
class Copied:
    """Packets taken over as they are."""

    packets: Ints
    """Positions in the order of decoding."""


@dataclass(frozen=True)
class Encoded:
    """Pictures decoded and encoded anew: positions [first, last) in the order of showing."""

    first: int
    last: int


Piece = Copied | Encoded


def fates(index: PacketIndex, spans: Sequence[Span], fate: Fate) -> NDArray[np.int8]:
    """Give every picture, in the order of showing, its fate.

    A picture that is on show at any moment of a span belongs to it: spans grow to whole pictures.
    """
    order = np.argsort(index.shown)
    starts = index.shown[order]
    ends = np.append(starts[1:], index.end)
    found = np.full(len(order), Fate.KEPT, np.int8)
    for start_s, end_s in spans:
        low = index.origin + (Fraction(start_s) + _ROUNDING_S) / index.time_base
        high = index.origin + (Fraction(end_s) - _ROUNDING_S) / index.time_base
        found[(ends > float(low)) & (starts < float(high))] = fate
    found[index.hidden[order]] = Fate.DROPPED
    return found


def pieces(index: PacketIndex, fate: NDArray[np.int8]) -> list[Piece]:
    """Cut the video into pieces, in the order of showing, that hold every picture not dropped.

    A copy begins where decoding can begin and ends where no picture copied needs a later one, so
    each piece can be decoded by itself. Pictures shown before the key picture that they follow in
    the file (of an open group) are copied only where the copy began earlier.
    """
    return list(_Planner(index, fate).run())


class _Planner:
    def __init__(self, index: PacketIndex, fate: NDArray[np.int8]) -> None:
        self._fate = fate
        self._num = index.num_packets
        self._rank: Ints = np.empty(self._num, np.int64)
        self._rank[np.argsort(index.shown)] = np.arange(self._num)
        starts = np.flatnonzero(index.safe)
        self._starts = {int(self._rank[start]): number for number, start in enumerate(starts)}
        self._bounds: list[int] = [*starts.tolist(), self._num]

    def run(self) -> list[Piece]:
        found: list[Piece] = []
        begun: int | None = None
        rank = 0
        while rank < self._num:
            copied = self._copy(rank) if rank in self._starts else None
            if copied is None and self._fate[rank] != Fate.DROPPED:
                begun = rank if begun is None else begun
                rank += 1
                continue
            if begun is not None:
                found.append(Encoded(begun, rank))
                begun = None
            if copied is None:
                rank += 1
            else:
                found.append(copied)
                rank += len(copied.packets)
        if begun is not None:
            found.append(Encoded(begun, self._num))
        return found

    def _copy(self, rank: int) -> Copied | None:
        """Return the longest copy that begins with the picture at `rank`."""
        number = self._starts[rank]
        taken: list[Ints] = []
        end = rank
        fresh = True
        while number < len(self._bounds) - 1:
            packets = np.arange(self._bounds[number], self._bounds[number + 1])
            if fresh:
                packets = packets[self._rank[packets] >= rank]
            whole = len(packets)
            packets = packets[: self._closed(packets, end)]
            taken.append(packets)
            end += len(packets)
            number += 1
            fresh = False
            if len(packets) < whole:
                break
        return Copied(np.concatenate(taken)) if end > rank else None

    def _closed(self, packets: Ints, start: int) -> int:
        """Count the first packets that are all kept and fill the places from `start` without a hole."""
        ranks = self._rank[packets]
        kept = self._fate[ranks] == Fate.KEPT
        allowed = len(packets) if kept.all() else int(np.argmin(kept))
        reached = np.maximum.accumulate(ranks[:allowed], dtype=np.int64)
        full = np.flatnonzero(reached - start + 1 == np.arange(1, allowed + 1))
        return int(full[-1]) + 1 if len(full) else 0


@dataclass(frozen=True, eq=False)
class Order:
    """The packets that will be written, in the order of decoding; ticks from the new beginning."""

    ranks: Ints
    """(m,) the source picture of each packet, by its place in the order of showing."""
    shown: Ints
    """(m,) when it is shown."""
    decoded: Ints
    """(m,) when it is decoded: increasing, and never after it is shown."""
    copied: Flags
    """(m,) whether the packet is the source's."""
    piece: Ints
    """(m,) the piece it belongs to."""


def order(index: PacketIndex, plan: Sequence[Piece]) -> Order:
    """Give each packet of a plan its times."""
    by_rank = np.argsort(index.shown)
    rank_of = np.empty(len(by_rank), np.int64)
    rank_of[by_rank] = np.arange(len(by_rank))
    ranks, copied, piece = [], [], []
    for number, part in enumerate(plan):
        these = rank_of[part.packets] if isinstance(part, Copied) else np.arange(part.first, part.last)
        ranks.append(these)
        copied.append(np.full(len(these), isinstance(part, Copied)))
        piece.append(np.full(len(these), number))
    all_ranks = np.concatenate(ranks)
    shown = _new_times(index, all_ranks)
    places = np.argsort(np.argsort(shown))
    delay = int((np.arange(len(shown)) - places).max())
    earlier = shown.min() - index.step * np.arange(delay, 0, -1)
    decoded = np.concatenate([earlier, np.sort(shown)])[: len(shown)]
    return Order(all_ranks, shown, decoded, np.concatenate(copied), np.concatenate(piece))


def kept_spans(index: PacketIndex, ranks: Ints) -> list[tuple[int, int]]:
    """Return the spans of the source, in ticks on the file's clock, that pictures at `ranks` fill."""
    starts = np.sort(index.shown)
    ends = np.append(starts[1:], index.end)
    there = np.sort(ranks)
    breaks = np.flatnonzero(np.diff(there) > 1)
    firsts = np.concatenate([there[:1], there[breaks + 1]])
    lasts = np.concatenate([there[breaks], there[-1:]])
    return [(int(starts[a]), int(ends[b])) for a, b in zip(firsts, lasts, strict=True)]


def _new_times(index: PacketIndex, ranks: Ints) -> Ints:
    """Close up the time between kept spans."""
    starts = np.sort(index.shown)
    spans = kept_spans(index, ranks)
    lengths = np.array([end - start for start, end in spans])
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    firsts = np.array([start for start, _ in spans])
    shown = starts[ranks]
    span = np.searchsorted(firsts, shown, side="right") - 1
    times: Ints = shown - firsts[span] + offsets[span]
    return times
