"""Pictures that show nothing: what a video holds before, between and after what happens in it.

A net that was never shown a black screen may call it anything. These are drawn from seeds like the rendered
world, but lie outside it: other sizes, blends and sounds, so that a net which learnt the world's own screens
is still asked something new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from phar.media import TimedPicture, write_video
from phar.synth import sound
from phar.synth.backdrop import BACKDROPS, paint_backdrop, paint_screen
from phar.synth.canvas import Pixels

#: Kinds of pictures, and what each is.
KINDS = {
    "black": "black, with a little noise of a sensor",
    "white": "white",
    "bars": "colour bars with a tone",
    "static": "a still picture of a place without anybody",
    "logo": "a logo, turning",
    "noise": "a receiver without a signal",
    "credits": "lines that roll upwards",
    "cards": "titles and shapes that change every second",
    "fade": "a place that fades to black and comes back",
}

#: 16:9, 4:3 and portrait, none of a size of the rendered world.
SIZES = ((400, 224), (352, 264), (252, 448))

FPS = Fraction(24)

#: Seeds of this set; the rendered world's begin with its version.
_SET = 7


@dataclass(frozen=True)
class NonContent:
    """One video that shows nothing."""

    kind: str
    seed: int
    width_px: int
    height_px: int
    duration_s: float

    @property
    def name(self) -> str:
        """A file name without suffix."""
        return f"{self.kind}-{self.width_px}x{self.height_px}-{self.seed}"

    def picture(self, t: float) -> Pixels:
        """Return the picture `t` seconds in: (height_px, width_px, 3) uint8 RGB."""
        image = np.empty((self.height_px, self.width_px, 3), np.uint8)
        if self.kind in ("static", "fade"):
            backdrop = str(self._rng(0).choice(BACKDROPS))
            image[:] = paint_backdrop(backdrop, self._seed(1), self.width_px, self.height_px)
            if self.kind == "fade":
                image[:] = (image * (0.5 + 0.5 * np.cos(2 * np.pi * t / self.duration_s))).astype(np.uint8)
        elif self.kind == "cards":
            number = int(t)
            paint_screen(
                ("logo", "credits", "white", "black")[number % 4], self._seed(2 + number), 0.5, image
            )
        else:
            paint_screen(self.kind, self._seed(1), t, image)
        if self.kind == "black":
            grain = np.random.default_rng(self._seed(1000 + round(t * 1000))).normal(0, 3, image.shape[:2])
            image[:] = np.clip(image + grain[..., None], 0, 255).astype(np.uint8)
        return image

    def samples(self) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], int] | None:
        """Return sound and its rate: a tone, hiss or music; None for a video without any."""
        rng = self._rng(3)
        if self.kind == "bars":
            t = np.arange(round(self.duration_s * sound.RATE_HZ)) / sound.RATE_HZ
            return (0.1 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32), sound.RATE_HZ
        if self.kind == "noise":
            hiss = rng.normal(0, 1, round(self.duration_s * sound.RATE_HZ))
            return sound.levelled(hiss, -24).astype(np.float32), sound.RATE_HZ
        if self.kind in ("credits", "cards", "logo"):
            tune = sound.levelled(sound.music(self.duration_s, rng), -22)
            return np.clip(tune, -1, 1).astype(np.float32), sound.RATE_HZ
        return None

    def write(self, path: Path) -> None:
        """Encode it to an mp4. Raises OutputError."""
        write_video(path, self._pictures(), FPS, self.samples(), crf=26)

    def _pictures(self) -> Iterator[TimedPicture]:
        for number in range(round(self.duration_s * FPS)):
            t = float(number / FPS)
            yield t, self.picture(t)

    def _seed(self, place: int) -> list[int]:
        return [_SET, list(KINDS).index(self.kind), self.seed, place]

    def _rng(self, place: int) -> np.random.Generator:
        return np.random.default_rng(self._seed(place))


def non_content(seed: int, duration_s: float) -> list[NonContent]:
    """Return the set of a seed: every kind in every size, each with pictures of its own."""
    return [
        NonContent(kind, seed * len(SIZES) + number, width, height, duration_s)
        for kind in KINDS
        for number, (width, height) in enumerate(SIZES)
    ]
