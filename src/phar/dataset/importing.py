"""Annotation files in, one checked table out, with a line for each row that had to be changed or left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from phar import foreign
from phar.dataset.annotation import ACCEPT, COMPLETE, VERDICTS, Annotation
from phar.dataset.formats import FORMATS, Mark, ReadOptions, format_of
from phar.dataset.formats.mark import plain_name, verdict_of
from phar.dataset.library import Facts, Library, facts, frame_start_s
from phar.dataset.problem import CHANGED, KEPT, LEFT_OUT, Problem
from phar.schema import NONE, MediaError, UsageError

#: Spans that lie nearer than this are the same; annotation tools round to milliseconds.
_SAME_S = 0.002


@dataclass(frozen=True)
class ImportOptions:
    """How annotation files are read and checked."""

    videos: tuple[Path, ...] = ()
    """Folders beneath which videos are looked for; without any, the folder of each file."""
    format: str | None = None
    """A name of FORMATS; None tells by suffix and content."""
    read: ReadOptions = field(default_factory=ReadOptions)
    labels: tuple[str, ...] = ()
    """Labels that may come up; empty for any. `none` always may."""
    label_map: Mapping[str, str | None] = field(default_factory=dict)
    """Labels to rename: to another, to `label/category`, or to None to leave out."""
    complete: bool = False
    """Whether every video that the files list was annotated from end to end."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label_map", MappingProxyType(dict(self.label_map)))


def read_label_map(path: Path) -> dict[str, str | None]:
    """Read renames from YAML: a mapping of label to label, `label/category` or null.

    Raises:
        UsageError: it cannot be read or is no such mapping.
    """
    try:
        document = foreign.read_yaml(path)
    except foreign.Unreadable as error:
        raise UsageError(f"label map {path} cannot be read ({error})") from None
    if not isinstance(document, dict) or not all(
        isinstance(value, str | None) and value != "" for value in document.values()
    ):
        raise UsageError(f"label map {path} maps no labels; write lines such as 'Old name: new-name'")
    return {str(key): value for key, value in document.items()}


def read_tables(files: Sequence[Path]) -> list[Annotation]:
    """Read annotation tables that phar wrote or people edited.

    Raises:
        UsageError: a table cannot be read, or a row of it is left out for any reason but being said twice.
    """
    rows, problems = import_annotations(files, ImportOptions(format="csv"))
    wrong = [each for each in problems if each.outcome == LEFT_OUT and each.kind != "duplicate"]
    if wrong:
        more = f"; {len(wrong) - 1} more rows: `phar dataset import` lists them" if len(wrong) > 1 else ""
        raise UsageError(f"{wrong[0]}{more}")
    return rows


def import_annotations(
    files: Sequence[Path], options: ImportOptions
) -> tuple[list[Annotation], list[Problem]]:
    """Read annotation files into rows and problems; nothing is left out without a problem that says so.

    Raises:
        UsageError: a file cannot be read at all or its format cannot be told.
    """
    rows: list[tuple[Annotation, str, str]] = []
    problems: list[Problem] = []
    # Walking through folders takes a while, and tables of phar's own never need it.
    library = cache(lambda *roots: Library(roots))
    for file in files:
        roots = options.videos or (file.resolve().parent,)
        checker = _Checker(file, lambda roots=roots: library(*roots), options)  # type: ignore[misc]
        rows += checker.rows()
        problems += checker.problems
    return _without_duplicates(rows, problems), problems


class _Checker:
    """The checks on one file's marks."""

    def __init__(self, file: Path, library: Callable[[], Library], options: ImportOptions) -> None:
        self._file, self._library, self._options = file, library, options
        self._known = {plain_name(label): label for label in (*options.labels, NONE)}
        self.problems: list[Problem] = []
        self._plain = False
        self._paths: dict[str, Path | None] = {}

    def rows(self) -> list[tuple[Annotation, str, str]]:
        """Checked rows, each with file and element."""
        format_name = self._options.format or format_of(self._file)
        self._plain = format_name == "csv"
        parsed = FORMATS[format_name](self._file, self._options.read)
        for fault in parsed.faults:
            outcome = KEPT if fault.kept else LEFT_OUT
            self._problem(fault.where, fault.kind, fault.what, fault.mend, outcome)
        found = []
        for mark in parsed.marks:
            row = self._row(mark, format_name)
            if row is not None:
                found.append((row, str(self._file), mark.where))
        if self._options.complete:
            for name, where in parsed.videos.items():
                whole = self._row(Mark(where, name, "", verdict=COMPLETE), format_name)
                if whole is not None:
                    found.append((whole, str(self._file), where))
        return found

    def _row(self, mark: Mark, format_name: str) -> Annotation | None:
        verdict = verdict_of(mark.verdict)
        if verdict is None:
            what = f"verdict {mark.verdict[:40]!r} is unknown"
            self._left_out(mark, "unknown-verdict", what, f"use one of {', '.join(VERDICTS)}")
            return None
        label, category = "", ""
        if verdict != COMPLETE:
            named = self._label(mark)
            if named is None:
                return None
            label, category = named
        video = self._video(mark)
        if video is None:
            return None
        span = self._span(mark, video, facts(video))
        if span is None:
            return None
        source = mark.source or f"{format_name}:{self._file.name}"
        return Annotation(video, *span, label, category, source, verdict)

    def _label(self, mark: Mark) -> tuple[str, str] | None:
        label, category = mark.label.strip(), mark.category.strip()
        if label in self._options.label_map:
            renamed = self._options.label_map[label]
            if renamed is None:
                self._left_out(mark, "mapped-away", f"label {label!r}", "the label map leaves it out")
                return None
            label, _, mapped = renamed.partition("/")
            category = mapped or category
        if not label:
            self._left_out(mark, "no-label", "has no label", "give it one")
            return None
        if not self._options.labels:
            return label, category
        known = self._known.get(plain_name(label))
        if known is None:
            mend = "rename it by a label map, or add it to the labels"
            self._left_out(mark, "unknown-label", f"label {label[:80]!r} is unknown", mend)
            return None
        if known != label:
            what = f"label {label!r} was taken as {known!r}"
            self._problem(mark.where, "respelled", what, "spell it as the label file does", CHANGED)
        return known, category

    def _video(self, mark: Mark) -> Path | None:
        if mark.video not in self._paths:
            path, reason = self._found(mark.video)
            self._paths[mark.video] = path
            if path is None:
                kind = "ambiguous-video" if " may be " in reason else "missing-video"
                self._left_out(mark, kind, f"video {reason}", "name its folder by --videos")
                return None
            try:
                facts(path)
            except MediaError as error:
                self._paths[mark.video] = None
                self._left_out(mark, "unreadable-video", str(error), "mend the file")
        elif self._paths[mark.video] is None:
            self._left_out(mark, "missing-video", f"video {mark.video!r}, see above", "mend the first")
        return self._paths[mark.video]

    def _found(self, name: str) -> tuple[Path | None, str]:
        # A table says where its videos are; other files only know a name.
        path = self._file.resolve().parent / name
        # Path.is_file would raise where the name is longer than a name can be.
        if self._plain and os.path.isfile(path):  # noqa: PTH113
            return path.resolve(), ""
        return self._library().find(name)

    def _span(self, mark: Mark, video: Path, known: Facts) -> tuple[float, float] | None:
        """The span in seconds, cut off where the video ends."""
        duration_s = known.duration_s
        start, end = mark.start_s, mark.end_s
        if mark.whole:
            if duration_s <= 0:
                what = "is about the whole video, whose length the container does not state"
                self._left_out(mark, "out-of-range", what, "give start and end")
                return None
            return 0.0, duration_s
        if mark.frames is not None:
            start, end = _seconds(mark.frames, mark.fps, video)
        if start is None or end is None or start < 0 or end <= start:
            what = f"span {_shown(start)} to {_shown(end)} s"
            self._left_out(mark, "bad-span", what, "a span starts at 0 or later and ends after its start")
            return None
        if duration_s > 0 and start >= duration_s:
            what = f"span {start:.3f} to {end:.3f} s of a video of {duration_s:.3f} s"
            self._left_out(mark, "out-of-range", what, "check the video and the frame rate")
            return None
        if duration_s > 0 and end > duration_s:
            # A frame more is how tools round the end.
            if end - duration_s > 1.001 / known.fps:
                what = f"end {end:.3f} s was cut to the video's {duration_s:.3f} s"
                mend = "check the video and the frame rate"
                self._problem(mark.where, "out-of-range", what, mend, CHANGED)
            end = duration_s
        return round(start, 6), round(end, 6)

    def _left_out(self, mark: Mark, kind: str, what: str, mend: str) -> None:
        self._problem(mark.where, kind, what, mend, LEFT_OUT)

    def _problem(self, where: str, kind: str, what: str, mend: str, outcome: str) -> None:
        self.problems.append(Problem(str(self._file), where, kind, what, mend, outcome))


def _without_duplicates(
    rows: Iterable[tuple[Annotation, str, str]], problems: list[Problem]
) -> list[Annotation]:
    """Leave out rows that say what an earlier one says; note overlaps and contradictions."""
    kept: list[tuple[Annotation, str, str]] = []
    by_video: dict[Path, list[tuple[Annotation, str, str]]] = {}
    for entry in rows:
        by_video.setdefault(entry[0].video, []).append(entry)
    for entries in by_video.values():
        # Stable, so that of equal rows the one that came first stays.
        entries.sort(key=lambda entry: (entry[0].start_s, entry[0].end_s))
        active: list[tuple[Annotation, str, str]] = []
        for row, file, where in entries:
            active = [other for other in active if other[0].end_s > row.start_s + _SAME_S]
            same = next((other for other in active if _same(other[0], row)), None)
            if same is not None:
                if row.verdict != COMPLETE:
                    what = f"says what {_at(same)} says"
                    problems.append(Problem(file, where, "duplicate", what, "delete one", LEFT_OUT))
                continue
            for other in active:
                problem = _conflict(row, file, where, other)
                if problem is not None:
                    problems.append(problem)
            active.append((row, file, where))
            kept.append((row, file, where))
    return [row for row, _, _ in kept]


def _same(one: Annotation, other: Annotation) -> bool:
    return (
        abs(one.start_s - other.start_s) <= _SAME_S
        and abs(one.end_s - other.end_s) <= _SAME_S
        and replace(one, start_s=other.start_s, end_s=other.end_s, source=other.source) == other
    )


def _conflict(row: Annotation, file: str, where: str, other: tuple[Annotation, str, str]) -> Problem | None:
    if COMPLETE in (row.verdict, other[0].verdict):
        return None
    until_s = min(row.end_s, other[0].end_s)
    span = f"{row.start_s:.3f} to {until_s:.3f} s"
    accepted = row.verdict == other[0].verdict == ACCEPT
    if row.label == other[0].label and row.verdict == other[0].verdict:
        what = f"{row.label!r} overlaps itself at {_at(other)} from {span}"
        return Problem(file, where, "overlap", what, "join them", KEPT)
    if accepted or row.label == other[0].label:
        said = (f"{one.verdict} {one.label!r}" for one in (row, other[0]))
        what = f"{' and '.join(said)} ({_at(other)}) both hold from {span}"
        return Problem(file, where, "clash", what, "move a boundary or delete one", KEPT)
    return None


def _seconds(frames: tuple[int, int], fps: float | None, video: Path) -> tuple[float, float]:
    if fps:
        return frames[0] / fps, frames[1] / fps
    return frame_start_s(video, frames[0]), frame_start_s(video, frames[1])


def _at(entry: tuple[Annotation, str, str]) -> str:
    return f"{Path(entry[1]).name} {entry[2]}"


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
