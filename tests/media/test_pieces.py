"""Which packets are copied, on streams written out by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from phar.media.editing.mapping import TimeMap
from phar.media.editing.packets import PacketIndex
from phar.media.editing.pieces import Copied, Fate, fates, kept_spans, order, pieces

K, C, D = Fate.KEPT, Fate.CHANGED, Fate.DROPPED


def index(shown: list[int], safe: list[int], hidden: tuple[int, ...] = ()) -> PacketIndex:
    """A stream of 10 pictures per second; places of packets in the order of decoding."""
    num = len(shown)
    return PacketIndex(
        time_base=Fraction(1, 10),
        origin=min(time for place, time in enumerate(shown) if place not in hidden),
        shown=np.array(shown),
        safe=np.isin(np.arange(num), safe),
        hidden=np.isin(np.arange(num), hidden),
        end=max(shown) + 1,
        step=1,
        codec="h264",
        header=None,
    )


#: Two closed groups, I P B B each.
CLOSED = index([0, 3, 1, 2, 4, 7, 5, 6], [0, 4])
#: Two groups of which the second is open: its first two B-pictures are shown before its I-picture.
OPEN = index([0, 3, 1, 2, 6, 4, 5, 9, 7, 8], [0, 4])


def plan(of: PacketIndex, fate: list[Fate]) -> list[object]:
    return [
        piece.packets.tolist() if isinstance(piece, Copied) else (piece.first, piece.last)
        for piece in pieces(of, np.array(fate))
    ]


@pytest.mark.parametrize(
    ("of", "fate", "expected"),
    [
        (CLOSED, [K] * 8, [[0, 1, 2, 3, 4, 5, 6, 7]]),
        # The second group is dropped; the first ends by itself.
        (CLOSED, [K] * 4 + [D] * 4, [[0, 1, 2, 3]]),
        # Of the first group two pictures are left: the third would need the P-picture after it.
        (CLOSED, [K, K, D, D] + [K] * 4, [[0], (1, 2), [4, 5, 6, 7]]),
        (CLOSED, [D, K, K, K] + [K] * 4, [(1, 4), [4, 5, 6, 7]]),
        (CLOSED, [K] * 4 + [K, K, K, D], [[0, 1, 2, 3, 4], (5, 7)]),
        (CLOSED, [K, C, C, K] + [K] * 4, [[0], (1, 4), [4, 5, 6, 7]]),
        (OPEN, [K] * 10, [list(range(10))]),
        # Where copying begins at the open group, what is shown before its I-picture is encoded.
        (OPEN, [K, D, K, K, K, K, K, K, K, K], [[0], (2, 6), [4, 7, 8, 9]]),
        # Where it ends before, too.
        (OPEN, [K] * 6 + [D] * 4, [[0, 1, 2, 3], (4, 6)]),
        (OPEN, [D] * 6 + [K] * 4, [[4, 7, 8, 9]]),
        (CLOSED, [D] * 8, []),
    ],
)
def test_pieces(of: PacketIndex, fate: list[Fate], expected: list[object]) -> None:
    assert plan(of, fate) == expected


def test_times_close_up_and_packets_are_decoded_in_time() -> None:
    found = order(OPEN, pieces(OPEN, np.array([K, D, K, K, K, K, K, K, K, K])))
    assert found.ranks.tolist() == [0, 2, 3, 4, 5, 6, 9, 7, 8]
    assert found.shown.tolist() == [0, 1, 2, 3, 4, 5, 8, 6, 7]
    assert found.decoded.tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, 7]
    assert found.copied.tolist() == [True] + [False] * 4 + [True] * 4
    assert kept_spans(OPEN, found.ranks) == [(0, 1), (2, 10)]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0.2, 0.4), [2, 3]),
        # Pictures on show for any moment of it, but not those that only touch it.
        ((0.25, 0.31), [2, 3]),
        ((0.25, 0.3), [2]),
        ((0.2999, 0.4), [3]),
        ((0.79, 5.0), [7]),
        ((0.3, 0.3005), []),
    ],
)
def test_spans_grow_to_whole_pictures(span: tuple[float, float], expected: list[int]) -> None:
    assert np.flatnonzero(fates(CLOSED, [span], D) == D).tolist() == expected


def test_hidden_pictures_are_never_shown() -> None:
    of = index([0, 3, 1, 2, 4, 7, 5, 6], [0, 4], hidden=(0, 2))
    fate = fates(of, [], D)
    assert fate.tolist() == [D, D, K, K, K, K, K, K]
    # Time 0 is the first picture that is shown.
    assert np.flatnonzero(fates(of, [(0.0, 0.1)], D) == D).tolist() == [0, 1, 2]


def test_time_map() -> None:
    times = TimeMap([(Fraction(1), Fraction(3)), (Fraction(5), None)])
    mapped = {0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 5: 2, 6: 3, 100: 97}
    assert {time: times.out(Fraction(time)) for time in mapped} == mapped
    assert [time for time in range(8) if times.has(Fraction(time))] == [1, 2, 5, 6, 7]
