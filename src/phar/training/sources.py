"""Where the samples of a training on one's own data come from: a row for each thing that can be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phar.dataset.examples import read_examples
from phar.dataset.listing import read_clips
from phar.dataset.manifest import Clip
from phar.openmmlab.clips import ClipSpec
from phar.openmmlab.training import Samples
from phar.schema import NONE, UsageError
from phar.training.coco import PERSON, CocoPictures, Picture, read_coco
from phar.training.examples import Labelled, Order, PoseExamples, SoundExamples
from phar.training.videos import VideoExamples

#: What moderation tells apart. Source: annotations/moderation/labels.txt.
SAFE, UNSAFE = "safe", "unsafe"


@dataclass(frozen=True)
class View:
    """How a deployed net looks at a window, which examples follow."""

    window_s: float
    sampling: str
    """Rule by which frames are picked; one of `phar.openmmlab.sampling.RULES`."""
    clip: ClipSpec | None
    """The reader of the config's test pipeline; None for nets of single pictures."""


@dataclass(frozen=True)
class Source:
    """A data set as one kind of net sees it."""

    labels: tuple[str, ...]
    """What the net is to tell apart, in the order of its outputs."""
    clips: tuple[Clip, ...] | tuple[Picture, ...]
    number: Callable[[Any], int]
    """Gives the position of a clip's label among `labels`."""
    make: Callable[[Labelled, int, Order | None, View, int], Samples]
    """Samples of clips: how many, in which order, seen how, drawn by which seed."""
    notes: tuple[str, ...] = ()
    """What the user should know of it."""

    def split(self, *names: str) -> Labelled:
        """The distinct clips of some splits."""
        distinct = {clip.id: clip for clip in self.clips if clip.split in names}
        return Labelled.of(tuple(distinct.values()), self.number)


def _skeleton(data: Path, labels: Sequence[str] | None, known: Sequence[str]) -> Source:
    examples = read_examples(data, "skeleton")
    names = _order(examples.labels, labels, ())

    def make(chosen: Labelled, size: int, order: Order | None, view: View, seed: int) -> Samples:
        return PoseExamples(
            chosen, size, order, view.window_s, seed, path=examples.path, sampling=view.sampling
        )

    return _source(examples.clips, names, make)


def _audio(data: Path, labels: Sequence[str] | None, known: Sequence[str]) -> Source:
    examples = read_examples(data, "audio")
    names = _order(examples.labels, labels, ())

    def make(chosen: Labelled, size: int, order: Order | None, view: View, seed: int) -> Samples:
        return SoundExamples(chosen, size, order, view.window_s, seed, path=examples.path)

    return _source(examples.clips, names, make)


def _rgb(data: Path, labels: Sequence[str] | None, known: Sequence[str]) -> Source:
    clips = read_clips(data)
    found = sorted({clip.label for clip in clips}, key=lambda label: (label == NONE, label))
    return _source(clips, _order(found, labels, known), _videos)


def _moderation(data: Path, labels: Sequence[str] | None, known: Sequence[str]) -> Source:
    clips = read_clips(data)
    names = tuple(labels or (SAFE, UNSAFE))
    if set(names) != {SAFE, UNSAFE}:
        raise UsageError(f"labels {', '.join(names)} are not those of moderation; give {SAFE} and {UNSAFE}")
    others = sorted({clip.label for clip in clips} - set(names))

    def number(clip: Clip) -> int:
        if clip.label in names:
            return names.index(clip.label)
        return names.index(SAFE if clip.label == NONE else UNSAFE)

    notes = []
    if others:
        unsafe = ", ".join(label for label in others if label != NONE)
        notes.append(f"{NONE} counts as {SAFE}, as {UNSAFE} count {unsafe or 'no others'}")
    return Source(names, clips, number, _videos, tuple(notes))


def _videos(chosen: Labelled, size: int, order: Order | None, view: View, seed: int) -> Samples:
    if view.clip is None:
        raise UsageError("the config describes no recognizer of clips; name an MMAction2 config")
    return VideoExamples(chosen, size, order, view.window_s, seed, clip=view.clip, sampling=view.sampling)


def _source(clips: Sequence[Clip], labels: Sequence[str], make: Any) -> Source:
    """Keep the clips that have one of the labels."""
    positions = {label: number for number, label in enumerate(labels)}
    kept = tuple(clip for clip in clips if clip.label in positions)
    left = sorted({clip.label for clip in clips} - set(positions))
    notes = (f"clips of {', '.join(left)} are left out",) if left else ()
    return Source(tuple(labels), kept, lambda clip: positions[clip.label], make, notes)


def _order(found: Sequence[str], asked: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """The asked labels, or those that are there, the known ones first in their own order."""
    if asked is not None:
        return tuple(asked)
    return (*(label for label in known if label in found), *(label for label in found if label not in known))


def _pictures(name: str) -> Callable[[Path, Sequence[str] | None, Sequence[str]], Source]:
    def read(data: Path, labels: Sequence[str] | None, known: Sequence[str]) -> Source:
        if labels is not None:
            raise UsageError(f"{name} looks for persons alone; leave --labels out")

        def make(chosen: Labelled, size: int, order: Order | None, view: View, seed: int) -> Samples:
            return CocoPictures(chosen, size, order, persons=name == "pose")

        return _source(read_coco(data, name), (PERSON,), make)

    return read


#: By what is trained: reads its data, given the labels asked for and those of the profile.
SOURCES: Mapping[str, Callable[[Path, Sequence[str] | None, Sequence[str]], Source]] = MappingProxyType(
    {
        "rgb": _rgb,
        "skeleton": _skeleton,
        "audio": _audio,
        "moderation": _moderation,
        "person": _pictures("person"),
        "pose": _pictures("pose"),
    }
)
