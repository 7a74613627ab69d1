"""The bar along the bottom of the annotated video: the whole timeline, and where one is in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phar.export.lettering import Lettering, Rgb, chip
from phar.export.panel import DIM, INK, PAPER, PAPER_OPACITY, text_px
from phar.schema import NONE, Report, Segment

Pixels = NDArray[np.uint8]

_EMPTY = (60, 64, 72)


class Strip:
    """Draws the bar, the present label and the time onto pictures of one size."""

    def __init__(self, report: Report, colours: Mapping[str, Rgb], width_px: int, height_px: int) -> None:
        self._segments = report.timestamps
        self._starts_s = [segment.start_s for segment in report.timestamps]
        self._duration_s = report.video.duration_s
        self._width_px = width_px
        size = text_px(width_px, height_px)
        self._bar_px = min(height_px, max(5, size * 2 // 3))
        self._letters = Lettering(max(8, round(size * 0.8)))
        # Where there is little height, the bar alone.
        self._with_text = height_px >= 12 * size // 2
        self._bar = _bar(report, colours, width_px, self._bar_px)
        self._said: tuple[str, str] | None = None
        self._chips: tuple[Pixels, Pixels] = (np.zeros((0, 0, 3), np.uint8),) * 2

    def draw(self, picture: Pixels, time_s: float) -> None:
        """Draw onto a (H, W, 3) picture, in place."""
        height = picture.shape[0]
        top = height - self._bar_px
        picture[top:] = self._bar
        x = self.playhead_px(time_s)
        thick = max(1, self._bar_px // 6)
        picture[top - min(thick, top) :, max(0, x - 2 * thick) : x + 2 * thick + 1] = PAPER
        picture[top - min(thick, top) :, max(0, x - thick // 2) : x + thick // 2 + 1] = INK
        if self._with_text:
            self._write(picture, top - 2 * thick, time_s)

    def playhead_px(self, time_s: float) -> int:
        """Return the column of a time."""
        return min(self._width_px - 1, int(self._width_px * min(1.0, time_s / self._duration_s)))

    def _write(self, picture: Pixels, bottom: int, time_s: float) -> None:
        segment = self._at(time_s)
        label = "" if segment is None or segment.label == NONE else segment.label
        said = (
            f"{label}  {clock(segment.start_s)}–{clock(segment.end_s)}" if label and segment else "",
            f"{clock(time_s)} / {clock(self._duration_s)}",
        )
        if said != self._said:
            self._said = said
            right = self._letters.width(said[1]) + self._letters.size_px
            left = self._letters.fitted(said[0], max(0, self._width_px - right - self._letters.size_px))
            first, second = (
                np.asarray(chip(self._letters, text, ink, PAPER)) if text else np.zeros((0, 0, 3), np.uint8)
                for text, ink in ((left, INK), (said[1], DIM))
            )
            self._chips = (first, second)
        for found, at_right in zip(self._chips, (False, True), strict=True):
            high, wide = min(found.shape[0], bottom), min(found.shape[1], self._width_px)
            if high and wide:
                start = self._width_px - wide if at_right else 0
                spot = picture[bottom - high : bottom, start : start + wide]
                spot[:] = _over(found[:high, :wide], spot)

    def _at(self, time_s: float) -> Segment | None:
        place = bisect_right(self._starts_s, time_s) - 1
        return self._segments[place] if place >= 0 else None


def clock(time_s: float) -> str:
    """Write a time as m:ss or h:mm:ss."""
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _bar(report: Report, colours: Mapping[str, Rgb], width_px: int, bar_px: int) -> Pixels:
    image = Image.new("RGB", (width_px, bar_px), _EMPTY)
    scale = width_px / report.video.duration_s
    for segment in report.timestamps:
        if segment.label != NONE:
            left, right = round(segment.start_s * scale), round(segment.end_s * scale)
            image.paste(colours[segment.label], (left, 0, max(right, left + 1), bar_px))
    return np.asarray(image)


def _over(text: Pixels, picture: Pixels) -> Pixels:
    """Lay text on its paper over a picture; the paper lets it shine through."""
    paper = (text == np.array(PAPER, np.uint8)).all(axis=2, keepdims=True)
    opacity = np.where(paper, PAPER_OPACITY, 255).astype(np.uint16)
    blended = (picture.astype(np.uint16) * (255 - opacity) + text.astype(np.uint16) * opacity) // 255
    return blended.astype(np.uint8)
