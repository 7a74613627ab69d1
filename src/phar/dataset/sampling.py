"""Choose clips: even over classes, within a class over categories, within those over videos and shots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from phar.dataset.manifest import Clip
from phar.dataset.ranking import place

#: The splits in which a clip may come up more than once; elsewhere it would count twice.
REPEATING = ("train",)


@dataclass(frozen=True)
class Support:
    """How much one category of one class has in one split, and what was taken of it."""

    split: str
    label: str
    category: str
    num_videos: int
    num_shots: int
    """Distinct shots."""
    num_clips: int
    """Distinct clips; a long shot holds several."""
    seconds: float
    num_wanted: int
    """An even share of what was asked for."""
    num_taken: int
    """Clips taken, repeats counted."""

    @property
    def num_repeats(self) -> int:
        """Clips taken more than once, beyond the first time."""
        return max(0, self.num_taken - self.num_clips)


def sample(
    clips: Sequence[Clip], num_samples: Mapping[str, int | None], seed: int
) -> tuple[list[Clip], list[Support]]:
    """Choose clips of each split.

    Every category has its clips in an order that follows from the seed and each video alone; the first of
    them are taken. So a video that comes or goes changes only as many as it brings or takes away. Where a
    category has too few, it is gone through again in train; elsewhere the others of its class fill up.

    Args:
        clips: all there are, each once.
        num_samples: clips wanted of each split; None for every clip once.
        seed: another one gives another choice.
    """
    pools: dict[str, dict[str, dict[str, list[Clip]]]] = {}
    for clip in clips:
        by_label = pools.setdefault(clip.split, {})
        by_label.setdefault(clip.label, {}).setdefault(clip.category, []).append(clip)
    chosen, supports = [], []
    for split, labels in pools.items():
        wanted = _wanted(labels, num_samples.get(split), seed)
        for label, categories in labels.items():
            shares = {category: wanted[label, category] for category in categories}
            if split not in REPEATING:
                shares = _filled(shares, {category: len(pool) for category, pool in categories.items()}, seed)
            for category, pool in categories.items():
                taken = list(islice(_in_order(pool, seed, split in REPEATING), shares[category]))
                chosen += taken
                supports.append(
                    Support(
                        split,
                        label,
                        category,
                        len({clip.video for clip in pool}),
                        len({(clip.video, clip.shot_s) for clip in pool}),
                        len(pool),
                        sum(clip.end_s - clip.start_s for clip in pool),
                        wanted[label, category],
                        len(taken),
                    )
                )
    return chosen, sorted(supports, key=lambda each: (each.split, each.label, each.category))


def before_repeating(supports: Iterable[Support], split: str) -> int:
    """How many clips a split gives, evenly, until the first category has to repeat."""
    rows = [row for row in supports if row.split == split]
    labels = {row.label for row in rows}
    kinds = {label: sum(row.label == label for row in rows) for label in labels}
    return min((row.num_clips * kinds[row.label] * len(labels) for row in rows), default=0)


def _wanted(
    labels: Mapping[str, Mapping[str, Sequence[Clip]]], number: int | None, seed: int
) -> dict[tuple[str, str], int]:
    if number is None:
        return {(label, name): len(pool) for label, pools in labels.items() for name, pool in pools.items()}
    wanted: dict[tuple[str, str], int] = {}
    for label, share in _evenly(number, labels, seed).items():
        wanted |= {(label, name): each for name, each in _evenly(share, labels[label], seed).items()}
    return wanted


def _evenly(number: int, names: Iterable[str], seed: int) -> dict[str, int]:
    """Share a number out; what is left over goes to names in the order of their places."""
    ordered = sorted(names, key=lambda name: place(seed, "remainder", name))
    base, left = divmod(number, len(ordered))
    return {name: base + (rank < left) for rank, name in enumerate(ordered)}


def _filled(shares: dict[str, int], sizes: Mapping[str, int], seed: int) -> dict[str, int]:
    """Let names that have more than their share fill up for those that have less."""
    shares = dict(shares)
    while short := sum(max(0, share - sizes[name]) for name, share in shares.items()):
        shares = {name: min(share, sizes[name]) for name, share in shares.items()}
        roomy = [name for name, share in shares.items() if share < sizes[name]]
        if not roomy:
            break
        for name, more in _evenly(short, roomy, seed).items():
            shares[name] += more
    return shares


def _in_order(pool: Iterable[Clip], seed: int, repeating: bool) -> Iterator[Clip]:
    """Clips of a category: one of each shot, shots in turn over videos, then the next of each shot, ..."""
    by_shot: dict[tuple[str, float], list[Clip]] = defaultdict(list)
    for clip in pool:
        by_shot[str(clip.video), clip.shot_s].append(clip)
    # Clip ids follow from a video's bytes, so another path changes no place.
    shots = [sorted(clips, key=lambda clip: place(seed, "clip", clip.id)) for clips in by_shot.values()]
    by_video: dict[str, list[list[Clip]]] = defaultdict(list)
    for clips in shots:
        by_video[str(clips[0].video)].append(clips)
    turns = []
    for theirs in by_video.values():
        theirs.sort(key=lambda clips: place(seed, "shot", clips[0].id))
        turns += [(turn, place(seed, "turn", clips[0].id), clips) for turn, clips in enumerate(theirs)]
    turns.sort(key=lambda each: each[:2])
    for use in range(max(map(len, shots), default=0)):
        yield from (clips[use] for _, _, clips in turns if use < len(clips))
    repeat = 1
    while repeating and turns:
        for use in range(max(map(len, shots))):
            yield from (replace(clips[use], repeat=repeat) for _, _, clips in turns if use < len(clips))
        repeat += 1
