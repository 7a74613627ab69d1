"""The video with its labels: the best of each window and their scores, drawn on every frame.

The video is decoded a second time; the numbers are those of the report.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from phar.export.report import ranked
from phar.export.target import MEDIA_COMMENT
from phar.media import TimedPicture, read_frames, write_video
from phar.schema import Report
from phar.timeline import owned_spans

Pixels = NDArray[np.uint8]

#: Text height over the picture's short side, and its smallest size in pixels.
_TEXT_SHARE, _TEXT_PX = 0.045, 11

_INK, _PAPER, _BAR = (255, 255, 255), (16, 18, 24), (64, 132, 255)


def write(report: Report, path: Path) -> None:
    """Write the annotated video with the source's own sound; it appears whole or not at all.

    Raises:
        MediaError: the source video is missing or cannot be decoded.
        OutputError: `path` cannot be written.
    """
    write_video(
        path,
        annotated(report),
        report.video.fps,
        sound=report.video.path if report.video.has_audio else None,
        comment=f"{MEDIA_COMMENT} {report.phar_version}",
    )


def annotated(report: Report) -> Iterator[TimedPicture]:
    """Yield (time_s, (H, W, 3) uint8 RGB) of every source frame with its window's labels on it."""
    starts_s = [start for start, _ in owned_spans([p.window for p in report.predictions])]
    drawn: tuple[int, Pixels, Pixels] | None = None
    for frame in read_frames(report.video.path):
        picture = frame.to_rgb()
        index = max(0, bisect_right(starts_s, frame.time_s) - 1)
        if drawn is None or drawn[0] != index:
            drawn = (index, *panel(rows(report, index), picture.shape[1], picture.shape[0]))
        _, colour, cover = drawn
        height, width = colour.shape[:2]
        corner = picture[:height, :width].astype(np.uint16)
        opacity = cover.astype(np.uint16)
        blended = (corner * (255 - opacity) + colour * opacity) // 255
        picture = picture.copy()
        picture[:height, :width] = blended.astype(np.uint8)
        yield frame.time_s, picture


def rows(report: Report, index: int) -> list[tuple[str, float]]:
    """Return the (label, score) pairs shown on window `index`: the same as the report's `topk`."""
    return ranked(report.predictions[index].probs, report.labels, report.topk)


def panel(pairs: list[tuple[str, float]], width_px: int, height_px: int) -> tuple[Pixels, Pixels]:
    """Draw labels, score bars and scores for the top left corner of a picture.

    Returns:
        (h, w, 3) uint8 RGB and (h, w, 1) uint8 opacity, no larger than the picture.
    """
    size = max(_TEXT_PX, round(min(width_px, height_px) * _TEXT_SHARE))
    font = ImageFont.load_default(size)
    gap = max(2, size // 3)
    line = size + gap
    label_px = max(int(font.getlength(label)) for label, _ in pairs)
    score_px = int(font.getlength("0.00"))
    bar_px = 4 * size
    width = gap + label_px + gap + bar_px + gap + score_px + gap
    height = gap + line * len(pairs)
    colour = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(colour)
    for i, (label, score) in enumerate(pairs):
        top = gap + i * line
        left = gap + label_px + gap
        draw.text((gap, top), label, fill=_INK, font=font)
        draw.rectangle((left, top + gap // 2, left + round(bar_px * score), top + size), fill=_BAR)
        draw.text((left + bar_px + gap, top), f"{score:.2f}", fill=_INK, font=font)
    pixels = np.asarray(colour)[:height_px, :width_px]
    opaque = (pixels != np.array(_PAPER, np.uint8)).any(axis=2, keepdims=True)
    return pixels, np.where(opaque, 255, 160).astype(np.uint8)
