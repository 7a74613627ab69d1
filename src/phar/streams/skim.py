"""The cheap first pass: single pictures say which parts of a video are worth a full look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from phar.clock import Stopwatch
from phar.media import Frame, read_stills
from phar.openmmlab import Recognizer
from phar.profile import SkimSpec
from phar.schema import NONE

#: Pictures per call of the net.
_BATCH = 16

#: Why every stream is silent about a window that was not looked at.
SKIMMED_OVER = "skimmed over: single pictures show nothing here"


@dataclass(frozen=True)
class Proposals:
    """The spans of a video that are worth a full look."""

    spans: tuple[tuple[float, float], ...]
    """(start_s, end_s), half-open, apart from each other, increasing."""
    num_pictures: int
    """How many pictures were looked at."""

    def touch(self, start_s: float, end_s: float) -> bool:
        """Tell whether any part of [start_s, end_s) is proposed."""
        return any(start < end_s and start_s < end for start, end in self.spans)


class Skimmer:
    """Looks at key frames alone."""

    def __init__(self, spec: SkimSpec, recognizer: Recognizer, clock: Stopwatch) -> None:
        self.spec = spec
        self.recognizer = recognizer
        self._clock = clock

    def propose(self, video: str | Path, num_threads: int | None = None) -> Proposals:
        """Look at a video's pictures and return the spans in which something may happen.

        What a picture shows may have begun after the one before and may go on until the one after, so
        both gaps around it are proposed. Raises MediaError.
        """
        with self._clock.stage("skim"):
            times_s: list[float] = []
            worth: list[bool] = []
            for frames in _batches(
                read_stills(video, self.spec.every_s, self.spec.max_gap_s, num_threads), _BATCH
            ):
                times_s += [frame.time_s for frame in frames]
                worth += self._worth(frames)
            return Proposals(spans_around(times_s, worth, self.spec.max_gap_s), len(times_s))

    def _worth(self, frames: Sequence[Frame]) -> list[bool]:
        size = self.recognizer.clip.frame_size
        pictures = [frame.to_rgb(*size(frame.width_px, frame.height_px))[None] for frame in frames]
        probs = self.recognizer.predict(pictures)
        none = self.spec.labels.index(NONE)
        return [float(1 - p[none]) >= self.spec.threshold for p in probs]


def spans_around(
    times_s: Sequence[float], worth: Sequence[bool], max_gap_s: float
) -> tuple[tuple[float, float], ...]:
    """Return the spans between neighbouring pictures of which at least one is worth a look, merged.

    Spans longer than twice `max_gap_s`, in which no picture could be had, are proposed whatever is beside
    them; what lies before the first picture and after the last is proposed if that picture is worth it.
    """
    if not times_s:
        return ((0.0, math.inf),)
    gaps = [(0.0, times_s[0], worth[0])]
    for (start, seen), (end, seen_next) in pairwise(zip(times_s, worth, strict=True)):
        gaps.append((start, end, seen or seen_next or end - start > 2 * max_gap_s))
    gaps.append((times_s[-1], math.inf, worth[-1]))
    spans: list[tuple[float, float]] = []
    for start, end, proposed in gaps:
        if not proposed or start == end:
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)


def _batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, size)):
        yield batch
