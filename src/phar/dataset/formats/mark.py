"""What an annotation file says before anything is checked, and the words that tools use for it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from phar.dataset.annotation import ACCEPT, COMPLETE, REJECT, UNSURE

#: Column and attribute names in use, in the form `plain_name` gives them.
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "video": ("video", "video_file", "video_path", "video_name", "file", "file_name", "filename", "path"),
        "start_s": (
            "start_s",
            "start",
            "begin",
            "from",
            "start_time",
            "start_sec",
            "start_seconds",
            "t_start",
        ),
        "end_s": ("end_s", "end", "stop", "to", "end_time", "end_sec", "end_seconds", "t_end"),
        "duration_s": ("duration_s", "duration", "length", "length_s"),
        "start_frame": ("start_frame", "first_frame", "frame_start"),
        "end_frame": ("end_frame", "frame_end"),
        "label": ("label", "class", "class_name", "action", "tag", "annotation", "activity", "behavior"),
        "category": ("category", "subcategory", "sub_category", "subclass", "place", "studio", "kind"),
        "source": ("source", "origin"),
        "verdict": ("verdict", "decision", "review", "status"),
        "fps": ("fps", "frame_rate", "framerate"),
    }
)

_VERDICT_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        ACCEPT: ("accept", "accepted", "approve", "approved", "ok", "yes", "true", "correct", "confirmed"),
        REJECT: ("reject", "rejected", "no", "false", "wrong", "incorrect", "denied", "false_positive"),
        UNSURE: ("unsure", "unclear", "undecided", "maybe", "skip", "skipped"),
        COMPLETE: ("complete", "completed", "done", "fully_annotated"),
    }
)


@dataclass(frozen=True)
class Mark:
    """One span as a file states it; neither span nor names are checked."""

    where: str
    """Row or element, for people."""
    video: str
    """The video's name as the file has it."""
    label: str
    start_s: float | None = None
    """Seconds; None where frames are given, or for the whole video."""
    end_s: float | None = None
    frames: tuple[int, int] | None = None
    """0-based first frame and the frame after the last."""
    fps: float | None = None
    """Rate by which the tool counts frames; None for the video's own frames."""
    category: str = ""
    source: str = ""
    verdict: str = ""
    """As the file has it; empty if it has none."""

    @property
    def whole(self) -> bool:
        """Whether it is about the whole video."""
        return self.start_s is None and self.end_s is None and self.frames is None


@dataclass(frozen=True)
class Fault:
    """Something in a file that cannot be taken as a span."""

    where: str
    kind: str
    what: str
    mend: str
    kept: bool = False
    """Whether it is only worth knowing, nothing having been left out."""


@dataclass
class Parsed:
    """All that a file says."""

    marks: list[Mark] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    videos: dict[str, str] = field(default_factory=dict)
    """Videos that the file lists, marked or not: name to element."""


@dataclass(frozen=True)
class ReadOptions:
    """What a person knows that a file may not say."""

    fps: float | None = None
    """Frames per second by which the tool counted; None for what the file or the video says."""
    video: str | None = None
    """The video, where the file names none."""
    label_attribute: str | None = None
    """The attribute that holds the label, where its name does not tell."""


def plain_name(text: str) -> str:
    """Return a name in lower case, with `_` for any space, dash or dot."""
    return re.sub(r"[\s\-_.]+", "_", text.strip().casefold()).strip("_")


def role_of(name: str) -> str | None:
    """Return what a column or attribute holds, by its name."""
    plain = plain_name(name)
    return next((role for role, names in ROLES.items() if plain in names), None)


def verdict_of(text: str) -> str | None:
    """Return the verdict that a word means; an empty word means accept, an unknown one gives None."""
    plain = plain_name(text)
    if not plain:
        return ACCEPT
    return next((verdict for verdict, words in _VERDICT_WORDS.items() if plain in words), None)


def number_of(value: object) -> float | None:
    """Return a finite number, or None; texts such as `1:02:03.5` count as a time, `12,5` as 12.5."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e15 and math.isfinite(value) else None
    if not isinstance(value, str) or not (match := _TIME.fullmatch(value.strip().replace(",", "."))):
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.group("h", "m", "s"))
    number = hours * 3600 + minutes * 60 + seconds
    return -number if match["sign"] else number


_TIME = re.compile(
    r"(?P<sign>-?)(?:(?:(?P<h>\d{1,4}):)?(?P<m>\d{1,4}):)?"
    r"(?P<s>(?:\d{1,12}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,2})?)"
)
