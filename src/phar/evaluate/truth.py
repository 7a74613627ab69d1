"""What is true of videos, whoever says it: the rendered world, annotation tables or a data set."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path

from phar.dataset.annotation import ACCEPT, COMPLETE, REJECT, Annotation
from phar.dataset.importing import read_tables
from phar.dataset.library import facts
from phar.dataset.manifest import Clip, read_manifest
from phar.dataset.spans import Span, difference, intersection, length_s, union
from phar.processes import spread
from phar.schema import NONE, UsageError, Window

#: A window of which more than this share is unknown says nothing about a model.
_MOST_UNKNOWN = 0.5
#: Names that `phar dataset build` gives to what nobody labelled, in videos with labels and without.
_BESIDE, _APART = "beside", "apart"


@dataclass(frozen=True)
class TrueSpan:
    """One label over one half-open span."""

    label: str
    start_s: float
    end_s: float
    category: str = ""
    """Sub-kind of the label; empty if there is none."""


@dataclass(frozen=True)
class WindowTruth:
    """What is true of one window."""

    label: str
    """The label that covers most of it; the earlier one wins a tie."""
    category: str
    purity: float
    """Share of the window that the label covers, in (0, 1]."""
    also: frozenset[str]
    """Labels that are right too, since they cover half of the window or more; `label` is among them."""


@dataclass(frozen=True)
class VideoTruth:
    """What is known of one video; time that nothing is said of is unknown, not `none`."""

    name: str
    """Unlike that of any other video of the same truth."""
    path: Path
    spans: tuple[TrueSpan, ...]
    """Sorted by start; those of two labels may overlap."""
    watched: tuple[Span, ...] = ()
    """Where whatever no span covers is `none`."""
    unsure: tuple[Span, ...] = ()
    """Where people could not tell."""

    @property
    def is_missing(self) -> bool:
        """Whether the file is not there and can be made."""
        return False

    def prepare(self) -> None:
        """Make sure that the file is there, if it can be made."""

    def duration_s(self) -> float:
        """Return the video's length as its container claims it. Raises MediaError."""
        return facts(self.path).duration_s

    def of(self, window: Window) -> WindowTruth | None:
        """Return what is true of a window; None where half of it or more is unknown."""
        whole = [(window.start_s, window.end_s)]
        parts = [(span, intersection([(span.start_s, span.end_s)], whole)) for span in self.spans]
        parts = [(span, inside) for span, inside in parts if inside]
        covered = union(piece for _, inside in parts for piece in inside)
        rest = difference(intersection(union(self.watched), whole), covered)
        rest = difference(rest, union(self.unsure))
        seconds: defaultdict[str, float] = defaultdict(float)
        for label in dict.fromkeys(span.label for span, _ in parts):
            seconds[label] = length_s(
                union(p for span, inside in parts if span.label == label for p in inside)
            )
        if rest:
            seconds[NONE] += length_s(rest)
        if window.duration_s - length_s(covered) - length_s(rest) > _MOST_UNKNOWN * window.duration_s + 1e-6:
            return None
        most = max(seconds.values())
        label = next(label for label, length in seconds.items() if length >= most - 1e-6)
        return WindowTruth(
            label=label,
            category=self._category(label, parts),
            purity=min(1.0, seconds[label] / window.duration_s),
            also=frozenset(
                name for name, length in seconds.items() if length >= window.duration_s / 2 or name == label
            ),
        )

    def segments(self) -> list[TrueSpan]:
        """Return the spans of every label but `none`, those that touch joined, sorted by start."""
        found = []
        for label in dict.fromkeys(span.label for span in self.spans if span.label != NONE):
            joined = union((span.start_s, span.end_s) for span in self.spans if span.label == label)
            found += [TrueSpan(label, start, end) for start, end in joined]
        return list(_sorted(found))

    def known(self, duration_s: float) -> list[Span]:
        """Return where it is known what a video of this length shows."""
        spans = union([*((span.start_s, span.end_s) for span in self.spans), *self.watched])
        return intersection(difference(spans, self._only_unsure()), [(0.0, duration_s)])

    def _only_unsure(self) -> list[Span]:
        return difference(union(self.unsure), union((span.start_s, span.end_s) for span in self.spans))

    def _category(self, label: str, parts: Sequence[tuple[TrueSpan, list[Span]]]) -> str:
        seconds: defaultdict[str, float] = defaultdict(float)
        for span, inside in parts:
            if span.label == label:
                seconds[span.category] += length_s(inside)
        if seconds:
            return max(seconds, key=lambda category: seconds[category])
        return _BESIDE if any(span.label != NONE for span in self.spans) else _APART


@dataclass
class _Gathered:
    spans: list[TrueSpan] = field(default_factory=list)
    rejected: list[TrueSpan] = field(default_factory=list)
    watched: list[Span] = field(default_factory=list)
    unsure: list[Span] = field(default_factory=list)


def prepare(truths: Iterable[VideoTruth]) -> None:
    """Make the missing files that can be made, one on each core. Raises OutputError, ProcessError."""
    missing = [truth for truth in truths if truth.is_missing]
    num_workers = min(len(missing), os.cpu_count() or 1)
    if num_workers < 2:
        for truth in missing:
            truth.prepare()
        return
    for _ in spread(methodcaller("prepare"), missing, num_workers):
        pass


def read_truth(paths: Sequence[Path], split: str) -> list[VideoTruth]:
    """Read annotation tables, or one split of the folder of a data set.

    A rejected span is `none`, of category `not-<label>` unless it has one. The clips of a data set are
    pieces: what lies between them is unknown.

    Raises:
        UsageError: a file cannot be read, or there is no span in it.
    """
    gathered: defaultdict[Path, _Gathered] = defaultdict(_Gathered)
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise UsageError(f"{folders[0]} is a data set; give it alone, or annotation tables only")
    if folders:
        _add_clips(gathered, read_manifest(folders[0]), split)
        if not gathered:
            raise UsageError(f"{folders[0]} has no clips of split {split!r}; choose another by --split")
    else:
        _add_annotations(gathered, read_tables(paths))
        if not gathered:
            raise UsageError(f"{', '.join(map(str, paths))}: no annotation; give tables that have some")
    names = unique_names(gathered)
    return [
        VideoTruth(
            name=names[path],
            path=path,
            spans=_sorted([*found.spans, *_free(found.rejected, found.spans)]),
            watched=tuple(union(found.watched)),
            unsure=tuple(union(found.unsure)),
        )
        for path, found in sorted(gathered.items())
    ]


def unique_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return for each path the shortest end of it, without suffix, that no other has."""
    tails = {path: (*path.parts[:-1], path.stem) for path in paths}
    names = {}
    for path, parts in tails.items():
        size = 1
        while size < len(parts) and any(
            other[-size:] == parts[-size:] for key, other in tails.items() if key != path
        ):
            size += 1
        names[path] = "/".join(parts[-size:]).lstrip("/")
    return names


def _add_annotations(gathered: defaultdict[Path, _Gathered], rows: Iterable[Annotation]) -> None:
    for row in rows:
        found, span = gathered[row.video], (row.start_s, row.end_s)
        if row.verdict == ACCEPT:
            found.spans.append(TrueSpan(row.label, *span, row.category))
        elif row.verdict == REJECT:
            found.rejected.append(TrueSpan(NONE, *span, row.category or f"not-{row.label}"))
        elif row.verdict == COMPLETE:
            found.watched.append(span)
        else:
            found.unsure.append(span)


def _add_clips(gathered: defaultdict[Path, _Gathered], clips: Iterable[Clip], split: str) -> None:
    for clip in clips:
        if clip.split == split and clip.repeat == 0:
            span = TrueSpan(clip.label, clip.start_s, clip.end_s, clip.category)
            if span not in gathered[clip.video].spans:
                gathered[clip.video].spans.append(span)


def _free(rejected: Iterable[TrueSpan], spans: Iterable[TrueSpan]) -> Iterator[TrueSpan]:
    """Yield what is left of rejected spans where something else is seen."""
    taken = union((span.start_s, span.end_s) for span in spans)
    for span in rejected:
        for start, end in difference([(span.start_s, span.end_s)], taken):
            yield TrueSpan(NONE, start, end, span.category)


def _sorted(spans: Iterable[TrueSpan]) -> tuple[TrueSpan, ...]:
    return tuple(sorted(spans, key=lambda span: (span.start_s, span.end_s, span.label)))


def true_labels(truths: Iterable[VideoTruth]) -> list[str]:
    """Return every label that comes up, sorted, `none` last."""
    found = {span.label for truth in truths for span in truth.spans}
    if any(truth.watched for truth in truths):
        found.add(NONE)
    return sorted(found, key=lambda label: (label == NONE, label))


#: The span of a video that was watched to its end.
WHOLE: Span = (0.0, math.inf)
