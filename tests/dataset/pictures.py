"""Small videos of coloured shapes that move, a new picture for each seed: shots one can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.media import write_video

WIDTH_PX, HEIGHT_PX = 96, 64
HZ = 16000


@dataclass(frozen=True)
class Shot:
    """One shot: what is seen, for how long, and whether it moves and sounds."""

    seed: int
    seconds: float
    kind: str = "moving"
    """moving, frozen or black."""
    loud: bool = True


def picture(shot: Shot, time_s: float) -> NDArray[np.uint8]:
    """(H, W, 3) RGB."""
    if shot.kind == "black":
        return np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    rng = np.random.default_rng(shot.seed)
    coarse = rng.integers(0, 256, (4, 6, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    if shot.kind == "moving":
        x = int(WIDTH_PX * (0.5 + 0.4 * np.sin(2 * np.pi * (0.3 * time_s + shot.seed / 7))))
        cv2.circle(image, (x, HEIGHT_PX // 2), 9, (255, 255, 255), -1)
    return image


def make_video(path: Path, shots: Sequence[Shot], fps: int = 10, sound: bool = True) -> Path:
    """Write the shots one after the other."""

    def timed() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        number = 0
        for shot in shots:
            for each in range(round(shot.seconds * fps)):
                yield number / fps, picture(shot, each / fps)
                number += 1

    samples = np.concatenate(
        [
            (0.3 if shot.loud else 0.0) * np.sin(2 * np.pi * 440 * np.arange(round(shot.seconds * HZ)) / HZ)
            for shot in shots
        ]
    ).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, timed(), fps, (samples, HZ) if sound else None, crf=18)
    return path
