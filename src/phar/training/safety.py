"""Clips of the rendered world for the moderation net: safe and unsafe, drawn once and looked at many times.

Drawing sixteen pictures costs as much as a step of the net on them, so a clip is drawn a little longer and
larger than the net sees it, and every look takes another span and part of it. Cuts cost nothing then: the end
of one clip is put behind the beginning of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Subset

from phar.openmmlab.letterbox import fitted
from phar.openmmlab.training import Arrays, FrameRecord, Row, fill
from phar.schema import UsageError
from phar.synth import SAFE, UNSAFE, World, load_safety
from phar.synth.noncontent import KINDS, SIZES, NonContent
from phar.training.pictures import Pixels, part, tinted

LABELS = (SAFE, UNSAFE)
#: What a clip shows, by number: the unsafe motion, its twin, another, pictures that show nothing.
GROUPS = ("unsafe", "twin", "other", "nothing")

#: Pictures of a drawn clip, and the time between two: four frames at 30 Hz, as the config's pipeline says.
NUM_DRAWN, STEP_S = 20, 4 / 30
#: They fit into this, which is a little more than the net's input, so that there is something to crop.
DRAWN_PX = (128, 72)
#: Share of the clips that show pictures without content.
_NOTHING_SHARE = 0.08
#: Pictures without content are drawn from seeds far above those that they are tested with.
_FIRST_NOTHING = 10_000_000

#: Shares of the looks: at a window that ends early, at a picture that stands still, at a cut.
_SHORT_SHARE, _FROZEN_SHARE, _CUT_SHARE = 0.08, 0.03, 0.2
#: An unsafe motion fills at least this much of a look with a cut.
_LEAST_UNSAFE = 0.6


@dataclass(frozen=True)
class DrawnClip:
    """Pictures `STEP_S` apart, and what they show."""

    frames: Pixels
    """(NUM_DRAWN, H, W, 3) RGB, one side as long as that of `DRAWN_PX`."""
    group: int
    """Which of `GROUPS`."""


class SafetySamples:
    """Short clips of a split and pictures that show nothing, each a pure function of its position."""

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        """Take the stand-in for unsafe that selects from `world`. Raises UsageError where there is none."""
        self.safety = load_safety()
        if self.safety.world.version != world.version:
            raise UsageError(f"no stand-in for unsafe selects from world {world.version}; use world 1")
        self._first_seed = world.seeds(split)[0] + seed
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> DrawnClip:
        rng = np.random.default_rng([self._first_seed, index, 5])
        if rng.uniform() < _NOTHING_SHARE:
            return DrawnClip(self._nothing(index, rng), GROUPS.index("nothing"))
        clip = self.safety.clip(self._first_seed, index)
        start_s = rng.uniform(0, max(0.0, clip.duration_s - NUM_DRAWN * STEP_S))
        fps = float(clip.fps)
        shown = np.floor((start_s + np.arange(NUM_DRAWN) * STEP_S) * fps).clip(0, clip.num_frames - 1) / fps
        size = fitted(DRAWN_PX, clip.width_px, clip.height_px)
        frames = np.stack([clip.frame(float(t), *size) for t in shown])
        among = (self.safety.unsafe, self.safety.twins, (clip.label,))
        return DrawnClip(frames, next(i for i, labels in enumerate(among) if clip.label in labels))

    def _nothing(self, index: int, rng: np.random.Generator) -> Pixels:
        width_px, height_px = SIZES[int(rng.integers(len(SIZES)))]
        kind = str(rng.choice(list(KINDS)))
        number = _FIRST_NOTHING + self._first_seed * 100_000 + index
        shown = NonContent(kind, number, width_px, height_px, duration_s=4.0)
        size = fitted(DRAWN_PX, width_px, height_px)
        start_s = rng.uniform(0, 1)
        pictures = [shown.picture(float(start_s + i * STEP_S)) for i in range(NUM_DRAWN)]
        return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures])


class _Padded:
    """Clips in pictures of one size; what is beyond their own is black."""

    def __init__(self, samples: SafetySamples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Pixels, tuple[int, int, int]]:
        cv2.setNumThreads(1)
        drawn = self._samples[index]
        height, width = drawn.frames.shape[1:3]
        held = np.zeros((NUM_DRAWN, DRAWN_PX[1], DRAWN_PX[0], 3), np.uint8)
        held[:, :height, :width] = drawn.frames
        return held, (height, width, drawn.group)


def draw_clips(samples: SafetySamples, folder: Path, *, num_workers: int = 1) -> None:
    """Draw all clips of `samples` into `folder`. What is there already of the same ones is kept."""
    padded = _Padded(samples)

    def rows(done: int) -> Iterator[Row]:
        rest = Subset(padded, range(done, len(samples)))  # type: ignore[arg-type, var-annotated]
        for frames, fact in DataLoader(rest, batch_size=None, num_workers=num_workers):
            yield {"pictures": np.asarray(frames), "facts": np.array(fact)}

    # Another renderer draws another first clip.
    fill(folder, {"first": hashlib.sha256(padded[0][0].tobytes()).hexdigest()}, len(samples), rows)


class DrawnSamples:
    """Looks at drawn clips: in training varied and in another order every time round, else as they are."""

    def __init__(self, folder: Path, size: int, seed: int, *, clip_len: int, varied: bool) -> None:
        """Read `folder`. clip_len: pictures of one look; a net that is shown one sees no motion."""
        self._kept = Arrays(folder, "pictures", "facts")
        self._size = size
        self._seed = seed
        self._clip_len = clip_len
        self._varied = varied
        facts = self._kept["facts"]
        self._alike: dict[tuple[int, int], NDArray[np.int64]] = {}
        for shape in {(h, w) for h, w, _ in facts.tolist()}:
            safe = (facts[:, :2] == shape).all(1) & (facts[:, 2] != GROUPS.index("unsafe"))
            self._alike[shape] = np.flatnonzero(safe)

    def __len__(self) -> int:
        return self._size

    def group(self, index: int) -> str:
        """What the clip of a position shows: one of `GROUPS`."""
        return GROUPS[self._kept["facts"][self._number(index), 2]]

    def __getitem__(self, index: int) -> FrameRecord:
        number = self._number(index)
        height, width, group = self._kept["facts"][number].tolist()
        unsafe = group == GROUPS.index("unsafe")
        length = self._clip_len
        if not self._varied:
            start = (NUM_DRAWN - length) // 2
            frames = self._read(number, start, length)
            return FrameRecord(_as_windows_end(frames), int(unsafe))
        rng = np.random.default_rng([self._seed, index, 6])
        start = int(rng.integers(NUM_DRAWN - length + 1))
        frames = self._read(number, start, length)
        if length > 1:
            frames, unsafe = self._moved(frames, unsafe, (height, width), rng)
        frames, _ = part(tinted(frames, rng), rng)
        return FrameRecord(frames, int(unsafe))

    def _number(self, index: int) -> int:
        turn, place = divmod(index, len(self._kept["facts"]))
        if not self._varied:
            return place
        return int(np.random.default_rng([self._seed, turn]).permutation(len(self._kept["facts"]))[place])

    def _read(self, number: int, start: int, length: int) -> Pixels:
        height, width, _ = self._kept["facts"][number].tolist()
        return np.array(self._kept["pictures"][number, start : start + length, :height, :width])

    def _moved(
        self, frames: Pixels, unsafe: bool, size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Pixels, bool]:
        """The clip backwards, cut short, standing still or with a cut, at times; and whether it is unsafe."""
        length = len(frames)
        if rng.uniform() < 0.3:
            frames = frames[::-1]
        drawn = rng.uniform()
        if drawn < _FROZEN_SHARE:
            return frames[np.full(length, rng.integers(length))], False
        if drawn < _FROZEN_SHARE + _SHORT_SHARE:
            return frames[np.minimum(np.arange(length), rng.integers(length // 2, length))], unsafe
        frames = _as_windows_end(frames)
        if drawn < _FROZEN_SHARE + _SHORT_SHARE + _CUT_SHARE:
            other = int(rng.choice(self._alike[size]))
            least = int(np.ceil((_LEAST_UNSAFE if unsafe else 0.1) * length))
            kept = int(rng.integers(least, length))
            piece = self._read(other, int(rng.integers(NUM_DRAWN - length + kept)), length - kept)
            ends = (frames[:kept], piece) if rng.uniform() < 0.5 else (piece, frames[:kept])
            frames = np.concatenate(ends)
        return frames, unsafe


def _as_windows_end(frames: Pixels) -> Pixels:
    """The clip as a window of exactly its length gives it: what would be the last frame lies beyond it."""
    return frames[np.minimum(np.arange(len(frames)), max(0, len(frames) - 2))]
