"""Text on pictures in any script: DejaVu, which comes with matplotlib, and what the system has."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]

_ELLIPSIS = "…"


@dataclass(frozen=True)
class Lettering:
    """Draws lines of text of one size, each run of characters in a font that has them."""

    size_px: int

    def width(self, text: str) -> int:
        """Return how wide a line is, in pixels."""
        return round(sum(font.getlength(run) for font, run in _runs(text, self.size_px)))

    def fitted(self, text: str, width_px: int) -> str:
        """Return the text, shortened with an ellipsis if it is wider than `width_px`."""
        if self.width(text) <= width_px:
            return text
        while text and self.width(text + _ELLIPSIS) > width_px:
            text = text[:-1]
        return text.rstrip() + _ELLIPSIS if text else ""

    def draw(self, on: ImageDraw.ImageDraw, at: tuple[int, int], text: str, colour: Rgb) -> None:
        """Draw one line; `at` is its left end and the top of its capitals' box."""
        x, y = float(at[0]), at[1]
        for font, run in _runs(text, self.size_px):
            # On one baseline, whatever font a run needs.
            on.text((x, y + round(self.size_px * 0.86)), run, fill=colour, font=font, anchor="ls")
            x += font.getlength(run)


def chip(lettering: Lettering, text: str, ink: Rgb, paper: Rgb) -> Image.Image:
    """Return one line of text on its own piece of paper."""
    gap = max(1, lettering.size_px // 4)
    image = Image.new("RGB", (lettering.width(text) + 2 * gap, lettering.size_px + 2 * gap), paper)
    lettering.draw(ImageDraw.Draw(image), (gap, gap), text, ink)
    return image


def _runs(text: str, size_px: int) -> list[tuple[ImageFont.FreeTypeFont, str]]:
    """Split text where the font changes."""
    text = "".join(character if character.isprintable() else " " for character in text)
    return [(_font(path, size_px), "".join(run)) for path, run in groupby(text, key=_font_with)]


@functools.lru_cache(maxsize=64)
def _font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px)


@functools.lru_cache(maxsize=4096)
def _font_with(character: str) -> Path:
    """Return the first font that has a character; the usual one if none does."""
    usual = _usual_font()
    if character == " " or ord(character) in _characters(usual):
        return usual
    return next((path for path in _system_fonts() if ord(character) in _characters(path)), usual)


@functools.cache
def _usual_font() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@functools.cache
def _system_fonts() -> tuple[Path, ...]:
    """Return the machine's fonts, upright ones of common names first."""
    from matplotlib import font_manager

    def rank(path: Path) -> tuple[bool, bool, str]:
        name = path.name.lower()
        plain = not any(style in name for style in ("bold", "italic", "oblique", "light", "thin", "black"))
        return (not plain, "sans" not in name, str(path))

    found = {Path(name) for name in font_manager.findSystemFonts()}
    return tuple(sorted(found, key=rank))


@functools.cache
def _characters(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()
