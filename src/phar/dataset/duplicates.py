"""Shots that look alike in different videos: copies, other cuts of one recording, bumpers and logos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from phar.dataset.index import SAMPLE_S, VideoIndex

#: Two pictures are alike if at most this many of the 64 bits of their perceptual hashes differ.
NEAR_BITS = 8
#: Two shots are alike if this share of the shorter one's pictures is like one of the other's.
_SHARE = 0.6
#: Two videos are versions of one if they share this share of the shorter one's length.
_VERSION_SHARE = 0.3
#: A shot that is in this many recordings is a bumper, a logo or a title.
REPEATED_IN = 3
#: Pictures flatter than this, in levels of luma, have hashes of noise.
_FLAT = 4.0
_BLOCK = 4096


@dataclass(frozen=True)
class Likeness:
    """What looks alike in a set of videos; shots are numbered video by video."""

    first_shot: tuple[int, ...]
    """Number of each video's first shot."""
    cluster: NDArray[np.int64]
    """(shots,) number of the shot's cluster, or -1 if no shot of another video is like it."""
    repeated: frozenset[int]
    """Clusters that are in `REPEATED_IN` recordings or more."""
    group: NDArray[np.int64]
    """(videos,) number of the video's group: videos that must not be parted."""


def likeness(indexes: Sequence[VideoIndex], near_bits: int = NEAR_BITS) -> Likeness:
    """Compare every shot of every video with those of the others.

    Versions of one recording are joined first. A cluster of alike shots in many recordings is a bumper and
    joins nothing; any other shot that two videos share puts them into one group.
    """
    shots = [index.shots() for index in indexes]
    first_shot = tuple(int(number) for number in np.cumsum([0, *map(len, shots)])[:-1])
    video_of = np.repeat(np.arange(len(indexes)), [len(each) for each in shots])
    lengths_s = np.array([end - start for each in shots for start, end in each])
    pairs = _alike(indexes, shots, video_of, near_bits)
    cluster = np.full(len(video_of), -1, np.int64)
    if len(pairs):
        numbers = _components(len(video_of), pairs)
        alike = np.unique(pairs)
        cluster[alike] = np.unique(numbers[alike], return_inverse=True)[1]
    families = _components(len(indexes), _versions(pairs, video_of, lengths_s))
    repeated = set()
    links = [np.empty((0, 2), np.int64)]
    for number in range(int(cluster.max(initial=-1)) + 1):
        videos = np.unique(video_of[cluster == number])
        if len(np.unique(families[videos])) >= REPEATED_IN:
            repeated.add(number)
        else:
            links.append(np.stack([videos[:-1], videos[1:]], 1))
    versions = [np.flatnonzero(families == family) for family in np.unique(families)]
    links += [np.stack([each[:-1], each[1:]], 1) for each in versions]
    group = _components(len(indexes), np.concatenate(links))
    return Likeness(first_shot, cluster, frozenset(repeated), group)


def _alike(
    indexes: Sequence[VideoIndex],
    shots: Sequence[Sequence[tuple[float, float]]],
    video_of: NDArray[np.int64],
    near_bits: int,
) -> NDArray[np.int64]:
    """(n, 2) pairs of shots of different videos that look alike, the lower number first."""
    import polars

    hashes, owners, number = [], [], 0
    for index, each in zip(indexes, shots, strict=True):
        for start_s, end_s in each:
            looks = _looks(index, start_s, end_s)
            hashes.append(index.hashes[looks])
            owners.append(np.full(len(looks), number, np.int64))
            number += 1
    values, owner = np.concatenate(hashes), np.concatenate(owners)
    # Of two vectors of signs the product is 64 less twice the number of bits that differ.
    signs = (((values[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).astype(np.float32) * 2) - 1
    found = [np.empty((0, 2), np.int64)]
    for low in range(0, len(signs), _BLOCK):
        for high in range(low, len(signs), _BLOCK):
            near = signs[low : low + _BLOCK] @ signs[high : high + _BLOCK].T >= 64 - 2 * near_bits
            rows, columns = np.nonzero(near)
            rows, columns = rows + low, columns + high
            apart = video_of[owner[rows]] < video_of[owner[columns]]
            found.append(np.stack([rows[apart], columns[apart]], 1))
    matches = np.concatenate(found)
    frame = polars.DataFrame(
        {
            "one": owner[matches[:, 0]],
            "other": owner[matches[:, 1]],
            "row": matches[:, 0],
            "column": matches[:, 1],
        }
    )
    counted = frame.group_by("one", "other").agg(polars.col("row", "column").n_unique())
    one, other, row, column = (counted[name].to_numpy() for name in ("one", "other", "row", "column"))
    totals = np.bincount(owner, minlength=number)
    share = np.where(totals[one] <= totals[other], row / totals[one], column / totals[other])
    pairs: NDArray[np.int64] = np.stack([one, other], 1)[share >= _SHARE].astype(np.int64)
    return pairs


def _looks(index: VideoIndex, start_s: float, end_s: float) -> NDArray[np.int64]:
    """Numbers of one look a second, at the same places of every copy of a shot; none where all are flat."""
    inside = index.looks(start_s, end_s)
    # The first look of a shot may lie on the cut.
    middle_s = min(0.5, (end_s - start_s) / 2)
    places = np.arange(start_s + middle_s, max(end_s, start_s + middle_s + 1e-3), 1.0)
    numbers = np.unique(np.clip((places / SAMPLE_S).round().astype(np.int64), inside.start, inside.stop - 1))
    return numbers[index.contrast[numbers] >= _FLAT]


def _versions(
    pairs: NDArray[np.int64], video_of: NDArray[np.int64], lengths_s: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n, 2) pairs of videos that share much of their length."""
    totals_s = np.bincount(video_of, lengths_s)
    shared_s: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for one, other in pairs:
        sides = shared_s.setdefault((int(video_of[one]), int(video_of[other])), (set(), set()))
        sides[0].add(int(one))
        sides[1].add(int(other))
    found = []
    for (video, second), sides in shared_s.items():
        shorter = 0 if totals_s[video] <= totals_s[second] else 1
        share = lengths_s[list(sides[shorter])].sum() / totals_s[(video, second)[shorter]]
        if share >= _VERSION_SHARE:
            found.append((video, second))
    return np.array(found, np.int64).reshape(-1, 2)


def _components(count: int, links: NDArray[np.int64]) -> NDArray[np.int64]:
    ones = np.ones(len(links), np.int8)
    graph = coo_array((ones, (links[:, 0], links[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
