"""The table in the corner of the annotated video: what a window is, and what each stream says of it."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from phar.export.lettering import Lettering, Rgb
from phar.export.report import ranked
from phar.schema import NONE, Report

Pixels = NDArray[np.uint8]

INK, DIM, PAPER = (255, 255, 255), (178, 184, 196), (16, 18, 24)
_TRACK, _GREY = (52, 56, 66), (128, 132, 140)

#: Opacity of the paper; ink and bars are opaque.
PAPER_OPACITY = 176

#: The share of the picture's height that the panel may take, and of its width, lying and standing.
_HEIGHT_SHARE, _WIDTH_SHARE, _PORTRAIT_SHARE = 0.7, 0.42, 0.72

#: Hues of neighbouring labels are this part of the circle apart, so that no two soon look alike.
_GOLDEN = 0.381966


@dataclass(frozen=True)
class Line:
    """One line of the panel."""

    text: str
    score: float | None = None
    """None for a line without a bar."""
    label: str | None = None
    """Whose colour the bar has."""
    stream: str = ""
    """The stream that says it; empty for the fused answer."""
    rank: int = 0
    """Lines of higher rank give way first where there is no room."""


def text_px(width_px: int, height_px: int) -> int:
    """Return the size of text for a picture: 9 pixels at 160 lines, 35 at 1080, 68 at 2160."""
    return max(9, round(0.03 * min(width_px, height_px) + 3))


def label_colours(labels: Sequence[str]) -> Mapping[str, Rgb]:
    """Return a colour per label, bright enough on dark paper; `none` is grey."""
    found: dict[str, Rgb] = {}
    for number, label in enumerate(labels):
        red, green, blue = colorsys.hls_to_rgb(0.58 + number * _GOLDEN, 0.6, 0.72)
        found[label] = (round(red * 255), round(green * 255), round(blue * 255))
    return {**found, NONE: _GREY}


def rows(report: Report, index: int) -> list[tuple[str, float]]:
    """Return the (label, score) pairs shown on window `index`: the same as the report's `topk`."""
    return ranked(report.predictions[index].probs, report.labels, report.topk)


def lines(report: Report, index: int) -> list[Line]:
    """Return what the panel says of window `index`: the fused answer, then each stream's or its silence."""
    answers = enumerate(rows(report, index))
    found = [Line(label, score, label, rank=max(0, place - 1)) for place, (label, score) in answers]
    for name, said in report.predictions[index].streams.items():
        if said.probs is None:
            found.append(Line(said.silent or "silent", stream=name, rank=2))
            continue
        best = enumerate(ranked(said.probs, report.vocabularies[name], 2))
        found += [Line(label, score, label, name, rank=2 + 2 * place) for place, (label, score) in best]
    return found


def panel(
    wanted: Sequence[Line], colours: Mapping[str, Rgb], width_px: int, height_px: int
) -> tuple[Pixels, Pixels]:
    """Draw lines for the top left corner of a picture; those for which there is no room are left out.

    Returns:
        (h, w, 3) uint8 RGB and (h, w, 1) uint8 opacity, no larger than the picture.
    """
    form = _Form(text_px(width_px, height_px))
    room_px = int(height_px * _HEIGHT_SHARE)
    shown = list(wanted)
    while len(shown) > 1 and form.height(shown) > room_px:
        shown.remove(max(reversed(shown), key=lambda line: line.rank))
    share = _WIDTH_SHARE if width_px >= height_px else _PORTRAIT_SHARE
    widest_px = min(width_px, max(8 * form.size, int(width_px * share)))
    image = form.draw(form.wrapped(shown, widest_px, room_px), colours, widest_px)
    pixels = np.asarray(image)[:height_px, :width_px]
    opaque = (pixels != np.array(PAPER, np.uint8)).any(axis=2, keepdims=True)
    return pixels, np.where(opaque, 255, PAPER_OPACITY).astype(np.uint8)


class _Form:
    """Measures of a panel with text of one size: the fused answer large, what streams say smaller."""

    def __init__(self, size_px: int) -> None:
        self.size = size_px
        self.gap = max(2, size_px // 3)
        self._large, self._small = Lettering(size_px), Lettering(max(8, round(size_px * 0.8)))
        self._bar_px = 3 * size_px
        self._score_px = self._large.width("0.00")

    def height(self, shown: Sequence[Line]) -> int:
        """Return the height that lines take, with a rule above the streams."""
        rule = self.gap if any(line.stream for line in shown) else 0
        return self.gap + rule + sum(self._letters(line).size_px + self.gap for line in shown)

    def wrapped(self, shown: Sequence[Line], widest_px: int, room_px: int) -> list[Line]:
        """Divide reasons for silence that are too wide for one line, as far as there is room for two."""
        found = list(shown)
        width_px = widest_px - self._name_px(shown) - 2 * self.gap
        for line in shown:
            head, words = "", line.text.split(" ")
            while (
                line.score is None and words and self._small.width(f"{head} {words[0]}".strip()) <= width_px
            ):
                head = f"{head} {words.pop(0)}".strip()
            if not head or not words:
                continue
            place = found.index(line)
            divided = [replace(line, text=text) for text in (head, " ".join(words))]
            if self.height([*found, line]) <= room_px:
                found[place : place + 1] = divided
        return found

    def _name_px(self, shown: Sequence[Line]) -> int:
        """Return the width of the column with the streams' names."""
        return max((self._small.width(line.stream) + self.gap for line in shown if line.stream), default=0)

    def draw(self, shown: Sequence[Line], colours: Mapping[str, Rgb], widest_px: int) -> Image.Image:
        """Draw lines: name of the stream, text, bar and score in columns."""
        gap = self.gap
        name_px = self._name_px(shown)
        texts, width, bar = [], 0, 0
        for line in shown:
            left = gap + (name_px if line.stream else 0)
            # A label has a bar and a score beside it; a reason for silence has the width to itself.
            right = gap + (0 if line.score is None else self._bar_px + self._score_px + 2 * gap)
            text = self._letters(line).fitted(line.text, max(self.size, widest_px - left - right))
            texts.append(text)
            end = left + self._letters(line).width(text)
            width = max(width, end + right)
            bar = bar if line.score is None else max(bar, end + gap)
        image = Image.new("RGB", (width, self.height(shown)), PAPER)
        on = ImageDraw.Draw(image)
        top, before = gap, ""
        for text, line in zip(texts, shown, strict=True):
            if line.stream and not before:
                on.line((gap, top, width - gap, top), fill=_TRACK, width=max(1, self.size // 14))
                top += gap
            if line.stream != before:
                self._small.draw(on, (gap, top), line.stream, DIM)
            before = line.stream
            ink = DIM if line.score is None else INK
            self._letters(line).draw(on, (gap + (name_px if line.stream else 0), top), text, ink)
            if line.score is not None:
                self._draw_score(on, line, (bar, width, top), colours.get(line.label or "", _GREY))
            top += self._letters(line).size_px + gap
        return image

    def _draw_score(self, on: ImageDraw.ImageDraw, line: Line, at: tuple[int, int, int], colour: Rgb) -> None:
        letters, (left, right, top) = self._letters(line), at
        score = line.score or 0.0
        full = right - 2 * self.gap - self._score_px - left
        low, high = top + letters.size_px // 5, top + letters.size_px
        on.rectangle((left, low, left + full - 1, high), fill=_TRACK)
        if (filled := round(full * score)) > 0:
            on.rectangle((left, low, left + filled - 1, high), fill=colour)
        text = f"{score:.2f}"
        letters.draw(on, (right - self.gap - letters.width(text), top), text, INK)

    def _letters(self, line: Line) -> Lettering:
        return self._small if line.stream else self._large
