"""Which videos train, validate and test: whole groups of videos, each at a place of its own."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phar.dataset.formats.document import read_text
from phar.dataset.ranking import place
from phar.schema import UsageError

SPLITS = ("train", "val", "test")

#: A split may hold this much less or more than its share before groups are moved.
_LEAST, _MOST = 0.5, 1.5


@dataclass(frozen=True)
class Group:
    """Videos that must stay together, since they look alike."""

    contents: tuple[str, ...]
    """Content hashes of the videos."""
    weight: float
    """How much there is to learn from, such as a number of clips."""
    labels: frozenset[str]
    """What it shows."""
    pinned: str | None = None
    """The split that a person chose."""


def assign(groups: Sequence[Group], shares: Mapping[str, float], seed: int) -> list[str]:
    """Return the split of each group.

    A group has a place in [0, 1) that follows from the seed and its own videos: those in the first stretch
    train, those in the next validate, the rest test. So a group that comes or goes moves no other. Only
    where a split would hold less than half or more than one and a half times its share, or lack a label
    that three groups show, the groups are moved that change least.

    Raises:
        UsageError: the shares are not of train, val and test, or do not add up to 1.
    """
    if tuple(shares) != SPLITS or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        shown = ", ".join(f"{name}={share:g}" for name, share in shares.items())
        raise UsageError(f"shares {shown} do not split into train, val and test adding up to 1")
    places = [_place(group, seed) for group in groups]
    splits = [group.pinned or _stretch(at, shares) for at, group in zip(places, groups, strict=True)]
    free = [number for number, group in enumerate(groups) if group.pinned is None]
    _even_out(groups, splits, places, free, shares)
    _cover_labels(groups, splits, places, free, shares)
    return splits


def read_pins(path: Path) -> dict[Path, str]:
    """Read which split some videos belong to from a CSV with the columns video and split.

    Raises:
        UsageError: it cannot be read, or a row names no split or a video that is not there.
    """
    text = read_text(path)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    pins = {}
    for row in rows:
        video = (path.resolve().parent / (row.get("video") or "")).resolve()
        split = (row.get("split") or "").strip()
        if split not in SPLITS or not video.is_file():
            said = f"video {row.get('video')!r}, split {split!r}"
            raise UsageError(f"{path}: row {rows.line_num} has {said}; give a file and train, val or test")
        pins[video] = split
    return pins


def _place(group: Group, seed: int) -> float:
    """The place of one of the group's videos, which stays the same one when another joins, but for luck."""
    speaker = min(group.contents, key=lambda content: place(seed, "speaker", content))
    return place(seed, "split", speaker)


def _stretch(at: float, shares: Mapping[str, float]) -> str:
    reached = 0.0
    for name, share in shares.items():
        reached += share
        if at < reached:
            return name
    return next(name for name in reversed(SPLITS) if shares[name] > 0)


def _even_out(
    groups: Sequence[Group],
    splits: list[str],
    places: Sequence[float],
    free: Sequence[int],
    shares: Mapping[str, float],
) -> None:
    """Move single groups until no split is far from its share."""
    total = sum(group.weight for group in groups)
    for _ in range(len(free)):
        held = _held(groups, splits)
        off = {name: held[name] / (share * total) for name, share in shares.items() if share and total}
        if not off:
            return
        poor, rich = min(off, key=lambda name: off[name]), max(off, key=lambda name: off[name])
        if off[poor] >= _LEAST and off[rich] <= _MOST:
            return
        if off[poor] < _LEAST:
            # Who is far above a small share may hold but one group; the fullest split can best give.
            rich = max(off, key=lambda name: sum(splits[number] == name for number in free))
        before = _distance(held, shares, total)
        givers = [number for number in free if splits[number] == rich]
        if splits.count(rich) < 2:
            return
        able = [
            number
            for number in givers
            if _distance(_moved(held, rich, poor, groups[number].weight), shares, total) < before - 1e-9
        ]
        if not able and not held[poor]:
            # Of very few groups each is more than its share, and still better than none.
            able = givers
        if not able:
            return
        splits[min(able, key=lambda number: _off(places[number], poor, shares))] = poor


def _cover_labels(
    groups: Sequence[Group],
    splits: list[str],
    places: Sequence[float],
    free: Sequence[int],
    shares: Mapping[str, float],
) -> None:
    """Let labels that enough groups show be in every split, as far as the shares allow."""
    wanted = [name for name, share in shares.items() if share > 0]
    total = sum(group.weight for group in groups)
    for label in sorted({label for group in groups for label in group.labels}):
        showing = [number for number, group in enumerate(groups) if label in group.labels]
        if len(showing) < len(wanted):
            continue
        for name in reversed(wanted):
            counts = Counter(splits[number] for number in showing)
            if counts[name]:
                continue
            donors = [
                number
                for number in showing
                if number in free and counts[splits[number]] > 1 and not _alone(groups, splits, number)
            ]
            if not donors:
                continue
            comer = min(donors, key=lambda number: _off(places[number], name, shares))
            room = max(_MOST * shares[name] * total, held := _held(groups, splits)[name])
            if held + groups[comer].weight <= room:
                splits[comer] = name
                continue
            # Where there is no room one group goes as the other comes.
            goers = [
                number
                for number in free
                if splits[number] == name
                and held + groups[comer].weight - groups[number].weight <= room
                and not _alone(groups, splits, number)
            ]
            if goers:
                giver = splits[comer]
                goer = min(goers, key=lambda number: _off(places[number], giver, shares))
                splits[comer], splits[goer] = name, giver


def _held(groups: Sequence[Group], splits: Sequence[str]) -> dict[str, float]:
    """How much each split holds."""
    held = dict.fromkeys(SPLITS, 0.0)
    for group, split in zip(groups, splits, strict=True):
        held[split] += group.weight
    return held


def _moved(held: Mapping[str, float], giver: str, taker: str, weight: float) -> dict[str, float]:
    return {**held, giver: held[giver] - weight, taker: held[taker] + weight}


def _distance(held: Mapping[str, float], shares: Mapping[str, float], total: float) -> float:
    """How far weights are from their shares; small shares count as much as large ones."""
    return sum((held[name] / total - share) ** 2 / share for name, share in shares.items() if share)


def _off(at: float, name: str, shares: Mapping[str, float]) -> float:
    """How far a place is from a split's stretch: who is nearest moves first, whoever else there is."""
    start = sum(shares[each] for each in SPLITS[: SPLITS.index(name)])
    return max(start - at, at - start - shares[name], 0.0)


def _alone(groups: Sequence[Group], splits: Sequence[str], number: int) -> bool:
    """Whether a group is the only one of its split to show one of its labels."""
    others = {
        label
        for other, group in enumerate(groups)
        if other != number and splits[other] == splits[number]
        for label in group.labels
    }
    return not groups[number].labels <= others
