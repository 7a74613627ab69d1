"""Which reports a command is to read, and what each is tagged with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from phar.export.report import read_ranked, read_report
from phar.schema import NONE, Report, ReportError, UsageError
from phar.timeline import top_tags

Read = TypeVar("Read")


@dataclass(frozen=True)
class Rule:
    """What makes a label a tag."""

    key: str
    """Name of its number in JSON and CSV."""
    title: str
    written: Callable[[float], str]
    """Says the number in the table."""


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "top2": Rule("clips", "windows with the label among their two best", str),
        "seconds": Rule("seconds", "seconds of the video", lambda value: f"{value:.1f}"),
        "share": Rule("share", "share of the video", lambda value: f"{value:.0%}"),
    }
)


@dataclass(frozen=True)
class Tagged:
    """One report's tags."""

    report: Path
    video: str | None
    """Path of the video; a legacy list does not tell."""
    tags: Sequence[tuple[str, float]]
    """(label, number), largest first."""


@dataclass(frozen=True)
class Tagger:
    """Tags reports by one rule."""

    rule: str
    """A key of RULES."""
    least: float
    """Labels with a smaller number are left out."""
    topk: int | None
    """How many labels of a report, None for all."""
    known: Collection[str] | None
    """Labels that count, None for all."""
    segment: Callable[[Report], Report]
    """Makes a report's segments and tags anew, or leaves them."""

    def tagged(self, path: Path) -> Tagged:
        """Read a report and tag it.

        Raises:
            ReportError: it cannot be read, or is a legacy list where the rule needs segments.
        """
        if self.rule == "top2":
            video, ranked = read_ranked(path)
            if self.known is not None:
                ranked = [[pair for pair in window if pair[0] in self.known] for window in ranked]
            counts = top_tags(ranked, self.topk)
            return Tagged(path, video, [(label, n) for label, n in counts if n >= self.least])
        report = self.segment(read_report(path))
        found = [
            (tag.label, round(getattr(tag, RULES[self.rule].key), 6))
            for tag in report.tags
            if tag.label != NONE and (self.known is None or tag.label in self.known)
        ]
        return Tagged(path, report.video.path, [pair for pair in found if pair[1] >= self.least][: self.topk])


def found_reports(names: Iterable[str]) -> tuple[list[Path], bool]:
    """Return the files that names, folders and patterns stand for, and whether one file was named as such.

    In folders, and folders in them, these are the files that end in .json.

    Raises:
        UsageError: there is none.
    """
    names = list(names)
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            files += sorted(file for file in path.rglob("*.json") if file.is_file())
        elif not path.exists() and set(name) & set("*?["):
            root = Path(path.anchor)
            files += sorted(file for file in root.glob(str(path.relative_to(root))) if file.is_file())
        else:
            files.append(path)
    if not files:
        raise UsageError(f"{' '.join(names)}: no report is there; name reports or a folder that has some")
    once: dict[Path, Path] = {}
    for file in files:
        once.setdefault(file.resolve(), file)
    return list(once.values()), len(names) == 1 and files == [Path(names[0])]


def each(files: Sequence[Path], read: Callable[[Path], Read], say: Callable[[str], None]) -> Iterator[Read]:
    """Yield what `read` makes of each file; `say` is told of files that are no reports, one line each.

    Raises:
        ReportError: none of the files is a report.
    """
    num_read = 0
    for path in files:
        try:
            found = read(path)
        except ReportError as error:
            # Timestamps lie beside many a report and are nothing to speak of.
            if not path.name.endswith("_ts.json"):
                say(f"left out: {path}: {error}")
            continue
        num_read += 1
        yield found
    if not num_read:
        raise ReportError(f"none of {len(files)} files is a report; give reports that phar-demo wrote")
