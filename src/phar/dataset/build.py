"""From annotations and shots to the clips of a data set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from phar.dataset.annotation import Annotation
from phar.dataset.atoms import ANNOTATED, Atom, Contested, atoms_of
from phar.dataset.checks import DROPPED, flags_of
from phar.dataset.detectors import DetectorSettings
from phar.dataset.duplicates import Likeness, likeness
from phar.dataset.index import VideoIndex
from phar.dataset.indexing import Indexed
from phar.dataset.manifest import Clip
from phar.dataset.problem import CHANGED, KEPT, LEFT_OUT, Problem
from phar.dataset.ranking import place, short_hash
from phar.dataset.sampling import Support, sample
from phar.dataset.spans import Span, pieces
from phar.dataset.splits import SPLITS, Group, assign
from phar.schema import NONE, MediaError, UsageError

#: A group of look-alike videos with more than this share of all clips upsets every split.
_LARGE_GROUP = 0.5


@dataclass(frozen=True)
class BuildSettings:
    """What decides which clips a data set holds, besides the annotations and the videos."""

    num_samples: Mapping[str, int | None] = field(default_factory=dict)
    """Clips wanted of each split; where none are, every clip is taken once."""
    shares: Mapping[str, float] = field(
        default_factory=lambda: dict(zip(SPLITS, (0.8, 0.1, 0.1), strict=True))
    )
    """Share of the clips that each split should hold."""
    seed: int = 0
    drop: tuple[str, ...] = DROPPED
    """Checks whose finds are left out; names of CHECKS."""
    shortest_s: float = 2.0
    """Spans below this are short."""
    longest_s: float = 10.0
    """A longer span becomes several clips of equal length."""
    negative: str | None = NONE
    """Label of negatives; None for a data set without."""
    margin_s: float = 1.0
    """Distance that the unlabelled rest of a shot keeps from annotations."""
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    pinned: Mapping[Path, str] = field(default_factory=dict)
    """Splits of single videos that a person chose."""
    remembered: Mapping[str, str] = field(default_factory=dict)
    """Splits of videos in an earlier build, by content: they keep them."""

    def __post_init__(self) -> None:
        for name in ("num_samples", "shares", "pinned", "remembered"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if not 0 <= self.shortest_s < self.longest_s:
            raise UsageError(
                f"clips of {self.shortest_s} to {self.longest_s} s make no sense; the first is less"
            )


@dataclass(frozen=True)
class Dataset:
    """What was built."""

    clips: tuple[Clip, ...]
    """Sorted by split, label, category, video and time."""
    supports: tuple[Support, ...]
    problems: tuple[Problem, ...]
    num_videos: int
    num_groups: int


def build(annotations: Sequence[Annotation], indexed: Sequence[Indexed], settings: BuildSettings) -> Dataset:
    """Make the clips of a data set.

    The clips depend on the content of videos and annotations and on the settings, not on order or paths.

    Args:
        annotations: the rows of all tables.
        indexed: what was found in each of their videos.
        settings: see `BuildSettings`.

    Raises:
        UsageError: there is nothing to build from.
        MediaError: no video can be read.
    """
    if not annotations:
        raise UsageError("the annotation tables hold no row; `phar dataset import` makes them")
    problems: list[Problem] = []
    rows, indexes = _by_content(annotations, indexed, problems)
    if not indexes:
        raise MediaError(f"none of the {len(indexed)} videos can be read, such as {indexed[0].error}")
    videos = sorted(indexes, key=lambda video: indexes[video].content)
    alike = likeness([indexes[video] for video in videos])
    numbers = _shot_numbers(videos, indexes, alike)
    atoms: dict[Path, list[Atom]] = {}
    for video in videos:
        atoms[video], contested = atoms_of(
            video,
            indexes[video],
            rows[video],
            negative=settings.negative,
            margin_s=settings.margin_s,
            keep_contested="clash" not in settings.drop,
        )
        problems += [_clash(each, settings) for each in contested]
    clusters = {key: int(alike.cluster[number]) for key, number in numbers.items()}
    owners = _owners(videos, atoms, clusters, problems)
    kept: dict[Path, list[Clip]] = {}
    for video in videos:
        marks = {
            start_s: _marks(video, cluster, owners, alike)
            for (of, start_s), cluster in clusters.items()
            if of == video and cluster >= 0
        }
        kept[video] = _clips(atoms[video], indexes[video], marks, settings, problems)
    splits = _split(videos, indexes, alike, kept, settings, problems)
    placed = [
        replace(clip, split=splits[video][0], group=splits[video][1])
        for video in videos
        for clip in kept[video]
    ]
    problems += _leaks(placed, clusters)
    chosen, supports = sample(placed, settings.num_samples, settings.seed)
    problems += _gaps(placed, settings)
    order = {name: rank for rank, name in enumerate(SPLITS)}
    chosen.sort(key=lambda c: (order[c.split], c.label, c.category, str(c.video), c.start_s, c.repeat))
    ordered = sorted(supports, key=lambda row: (order[row.split], row.label, row.category))
    return Dataset(tuple(chosen), tuple(ordered), tuple(problems), len(videos), len(np.unique(alike.group)))


def _by_content(
    annotations: Sequence[Annotation], indexed: Sequence[Indexed], problems: list[Problem]
) -> tuple[dict[Path, list[Annotation]], dict[Path, VideoIndex]]:
    """Rows and index of each video; copies of a file count as one."""
    rows: dict[Path, list[Annotation]] = defaultdict(list)
    for row in annotations:
        rows[row.video].append(row)
    indexes: dict[Path, VideoIndex] = {}
    first: dict[str, Path] = {}
    for each in sorted(indexed, key=lambda each: str(each.video)):
        name = str(each.video)
        if each.index is None:
            mend = "mend or replace the file"
            problems.append(Problem(name, "", "unreadable-video", each.error, mend, LEFT_OUT))
        elif (same := first.setdefault(each.index.content, each.video)) != each.video:
            what = f"holds the same bytes as {same}; their annotations were joined"
            problems.append(Problem(name, "", "same-file", what, "delete one", CHANGED))
            rows[same] += rows.pop(each.video, [])
        else:
            indexes[each.video] = each.index
            late = [row for row in rows[each.video] if row.start_s >= each.index.duration_s]
            for row in late:
                what = f"begins after the video's {each.index.duration_s:.3f} s"
                problems.append(_of_row(row, "out-of-range", what, "check the video", LEFT_OUT))
            rows[each.video] = [row for row in rows[each.video] if row not in late]
    return rows, indexes


def _shot_numbers(
    videos: Sequence[Path], indexes: Mapping[Path, VideoIndex], alike: Likeness
) -> dict[tuple[Path, float], int]:
    """Number of the shot that begins at a time of a video."""
    return {
        (video, start_s): alike.first_shot[number] + offset
        for number, video in enumerate(videos)
        for offset, (start_s, _) in enumerate(indexes[video].shots())
    }


def _owners(
    videos: Sequence[Path],
    atoms: Mapping[Path, Sequence[Atom]],
    clusters: Mapping[tuple[Path, float], int],
    problems: list[Problem],
) -> dict[int, Path]:
    """The video of each cluster whose shots stay when duplicates are dropped: the first with a label there.

    Videos stand in the order of their hashes, so it is the same one in any set that holds it.
    """
    labels: dict[int, dict[Path, set[str]]] = defaultdict(dict)
    for video in videos:
        for atom in atoms[video]:
            cluster = clusters[video, atom.shot_s]
            if cluster >= 0:
                labels[cluster].setdefault(video, set()).add(atom.label)
    for theirs in labels.values():
        one, said = next(iter(theirs.items()))
        other = next((video for video, names in theirs.items() if len(names) == 1 and names != said), None)
        if other is not None and len(said) == 1:
            what = f"a shot labelled {min(said)!r} is labelled {min(theirs[other])!r} in {other}"
            problems.append(Problem(str(one), "", "copy-clash", what, "make them agree", KEPT))
    return {cluster: next(iter(theirs)) for cluster, theirs in labels.items()}


def _marks(video: Path, cluster: int, owners: Mapping[int, Path], alike: Likeness) -> tuple[str, ...]:
    """`duplicate` if another video's shot stands for this one, `repeated` if many videos have it."""
    found = ["duplicate"] if owners.get(cluster, video) != video else []
    return tuple(found + (["repeated"] if cluster in alike.repeated else []))


def _clips(
    atoms: Sequence[Atom],
    index: VideoIndex,
    marks: Mapping[float, tuple[str, ...]],
    settings: BuildSettings,
    problems: list[Problem],
) -> list[Clip]:
    clips = []
    for atom in atoms:
        for span in pieces(atom.span, settings.longest_s):
            flags = {*flags_of(index, span), *marks.get(atom.shot_s, ())}
            if span[1] - span[0] < settings.shortest_s - 1e-6:
                flags.add("short")
            dropped = sorted(flags & set(settings.drop))
            for flag in sorted(flags):
                problems.append(_finding(atom, span, flag, LEFT_OUT if dropped else KEPT))
            if not dropped:
                clips.append(_clip(atom, span, tuple(sorted(flags))))
    return clips


def _clip(atom: Atom, span: Span, flags: tuple[str, ...]) -> Clip:
    name = short_hash(atom.content, f"{span[0]:.3f}", f"{span[1]:.3f}", atom.label, atom.category)
    return Clip(
        name,
        SPLITS[0],
        atom.label,
        atom.category,
        atom.video,
        *span,
        atom.shot_s,
        0,
        atom.origin,
        flags,
        "",
        atom.content,
    )


def _split(
    videos: Sequence[Path],
    indexes: Mapping[Path, VideoIndex],
    alike: Likeness,
    kept: Mapping[Path, Sequence[Clip]],
    settings: BuildSettings,
    problems: list[Problem],
) -> dict[Path, tuple[str, str]]:
    """Split and name of the group of each video."""
    groups, members = [], []
    total = sum(map(len, kept.values()))
    for number in np.unique(alike.group):
        theirs = [videos[each] for each in np.flatnonzero(alike.group == number)]
        clips = [clip for video in theirs for clip in kept[video]]
        pins = sorted({settings.pinned[video] for video in theirs if video in settings.pinned})
        if len(pins) > 1:
            what = f"looks like {len(theirs) - 1} videos pinned to another split; all went to {pins[0]}"
            problems.append(Problem(str(theirs[0]), "", "pinned-apart", what, "pin them together", CHANGED))
        if len(videos) > len(theirs) and len(clips) > _LARGE_GROUP * max(total, 1):
            what = f"{len(theirs)} videos look alike and hold {len(clips)} of {total} clips"
            mend = "splits cannot be even; look at their shared shots"
            problems.append(Problem(str(theirs[0]), "", "large-group", what, mend, KEPT))
        contents = tuple(indexes[video].content for video in theirs)
        labels = frozenset(clip.label for clip in clips)
        groups.append(Group(contents, len(clips), labels, pins[0] if pins else _earlier(contents, settings)))
        members.append(theirs)
    splits = assign(groups, settings.shares, settings.seed)
    return {
        video: (split, min(group.contents, key=lambda content: place(0, "name", content))[:16])
        for group, theirs, split in zip(groups, members, splits, strict=True)
        for video in theirs
    }


def _earlier(contents: Sequence[str], settings: BuildSettings) -> str | None:
    """The split of a group in an earlier build; where its videos were parted, the one that trains.

    A test video that looks like a training video has been seen; it must not be tested on.
    """
    known = {settings.remembered[content] for content in contents if content in settings.remembered}
    return next((split for split in SPLITS if split in known), None)


def _leaks(clips: Sequence[Clip], clusters: Mapping[tuple[Path, float], int]) -> list[Problem]:
    """Look-alike shots that ended in different splits: bumpers that were not dropped."""
    where: dict[int, dict[str, Clip]] = defaultdict(dict)
    for clip in clips:
        cluster = clusters[clip.video, clip.shot_s]
        if cluster >= 0:
            where[cluster].setdefault(clip.split, clip)
    found = []
    for by_split in where.values():
        if len(by_split) > 1:
            one, *others = by_split.values()
            said = ", ".join(
                f"{other.split} ({other.video.name} at {other.start_s:.1f} s)" for other in others
            )
            what = f"a shot of {one.split} is in {said} too"
            span = f"{one.start_s:.3f} to {one.end_s:.3f} s"
            found.append(Problem(str(one.video), span, "leak", what, "drop duplicate or repeated", KEPT))
    return found


def _gaps(clips: Sequence[Clip], settings: BuildSettings) -> list[Problem]:
    """Labels that a split does not show."""
    labels = sorted({clip.label for clip in clips})
    shown = {(clip.split, clip.label) for clip in clips}
    return [
        Problem("", split, "missing-label", f"{split} has no clip of {label!r}", "annotate more videos", KEPT)
        for split in SPLITS
        if settings.shares[split] > 0
        for label in labels
        if (split, label) not in shown
    ]


def _clash(each: Contested, settings: BuildSettings) -> Problem:
    span = f"{each.start_s:.3f} to {each.end_s:.3f} s"
    said = (
        " and ".join(map(repr, each.labels))
        if len(each.labels) > 1
        else f"{each.labels[0]!r} and its rejection"
    )
    outcome = LEFT_OUT if "clash" in settings.drop else KEPT
    return Problem(str(each.video), span, "clash", f"{said} hold at once", "move a boundary", outcome)


def _finding(atom: Atom, span: Span, flag: str, outcome: str) -> Problem:
    where = f"{span[0]:.3f} to {span[1]:.3f} s"
    origin = "" if atom.origin == ANNOTATED else f" ({atom.origin})"
    return Problem(str(atom.video), where, flag, f"{atom.label!r}{origin} is {flag}", "look at it", outcome)


def _of_row(row: Annotation, kind: str, what: str, mend: str, outcome: str) -> Problem:
    return Problem(str(row.video), f"{row.start_s:.3f} to {row.end_s:.3f} s", kind, what, mend, outcome)
