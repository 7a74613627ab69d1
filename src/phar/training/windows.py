"""What a training sample of the rendered world looks at: a clip, or a window of a video, by position."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phar.synth import Clip, Elsewhere, World

_WINDOW_S = 7.0
#: Short side that frames are drawn at, one size a clip: backdrops are kept by size.
_SHORT_SIDES_PX = (192, 208, 224, 240)
#: Clips kept open beyond those that will be looked at again.
_OPEN_CLIPS = 4

#: What a position may show.
Footage = Clip | Elsewhere


@dataclass(frozen=True)
class Window:
    """A part of a clip or video, in seconds from its start, and its label."""

    clip: Footage
    start_s: float
    end_s: float
    label: str


class WorldSamples:
    """The common part: which clip or window position `index` shows, and its own random numbers."""

    #: Share of the positions that show a window of a long video, cuts between actions included.
    video_share = 0.3
    #: Share of the positions that show a short window, as at the end of a video.
    short_share = 0.25
    #: Share of the clips of training that show nothing of the world, for nets that are to say `none` of it.
    elsewhere_share = 0.0
    #: Labels that are shown; None for all of the world's.
    labels: tuple[str, ...] | None = None
    #: Positions that look at one clip: drawing costs as much as a training step.
    per_clip = 1
    #: Clips between two looks at the same one, so that a batch holds different clips.
    apart = 1

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        self.world = world
        self._first_seed = world.seeds(split)[0] + seed
        self._augment = split == "train"
        self._size = size
        self._open: OrderedDict[int, Window] = OrderedDict()

    def __len__(self) -> int:
        return self._size

    def rng(self, index: int) -> np.random.Generator:
        """The random numbers of one position."""
        return np.random.default_rng([self._first_seed, index, 1])

    def window(self, index: int) -> Window:
        """The window of at most 7 s that position `index` looks at."""
        number = self.number(index)
        if number not in self._open:
            while len(self._open) >= self.apart + _OPEN_CLIPS:
                self._open.popitem(last=False)
            self._open[number] = self._draw(number)
        return self._open[number]

    def number(self, index: int) -> int:
        """Which clip position `index` looks at."""
        return in_turn(index, self.per_clip, self.apart)

    def _draw(self, number: int) -> Window:
        rng = np.random.default_rng([self._first_seed, number, 2])
        length_s = _WINDOW_S if rng.uniform() >= self.short_share else float(rng.uniform(0.4, _WINDOW_S))
        own = np.random.default_rng([self._first_seed, number, 4])
        if self._augment and own.uniform() < self.elsewhere_share:
            elsewhere = Elsewhere(self._first_seed, number)
            start_s = float(rng.uniform(0, elsewhere.duration_s - length_s))
            return Window(elsewhere, start_s, start_s + length_s, elsewhere.label)
        if rng.uniform() < self.video_share:
            # Long videos are numbered apart from clips; each gives one window.
            clip = self.world.video(self._first_seed, number)
            spans = [s for s in clip.segments if self.labels is None or s.label in self.labels]
            if spans:
                span = spans[int(rng.integers(len(spans)))]
                start_s = float(rng.uniform(span.start_s - 0.4 * length_s, span.end_s - 0.6 * length_s))
                start_s = float(np.clip(start_s, 0, clip.duration_s - length_s))
                label, _ = clip.window_label(start_s, start_s + length_s)
                if self.labels is None or label in self.labels:
                    return Window(clip, start_s, start_s + length_s, label)
        wanted = None if self.labels is None else self.labels[number % len(self.labels)]
        clip = self.world.clip(self._first_seed, number, wanted)
        length_s = min(length_s, clip.duration_s)
        start_s = float(rng.uniform(0, clip.duration_s - length_s))
        return Window(clip, start_s, start_s + length_s, clip.label)


def in_turn(index: int, looks: int, apart: int) -> int:
    """Number what position `index` looks at, where everything is looked at so often, others between."""
    block, place = divmod(index, looks * apart)
    return block * apart + place % apart


def drawn_size(clip: Footage) -> dict[str, int]:
    """The size to draw a clip's frames at, as `frame` takes it."""
    short = _SHORT_SIDES_PX[clip.index % len(_SHORT_SIDES_PX)]
    return {"height_px": short} if clip.width_px >= clip.height_px else {"width_px": short}


def shown(times: NDArray[np.float64], clip: Footage) -> list[float]:
    """The times of the frames that are on screen at the given instants."""
    fps = float(clip.fps)
    return [float(t) for t in np.clip(np.floor(times * fps), 0, clip.num_frames - 1) / fps]
