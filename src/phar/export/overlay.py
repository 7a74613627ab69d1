"""The video with its labels: each window's answer, what every stream says of it, and the timeline.

The video is decoded a second time and encoded once; the numbers are those of the report, the sound is
the source's own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phar.export.panel import label_colours, lines, panel
from phar.export.skeletons import Skeletons
from phar.export.strip import Strip
from phar.export.target import MEDIA_COMMENT
from phar.media import TimedPicture, read_frames, write_video
from phar.schema import Report, UsageError
from phar.timeline import owned_spans

Pixels = NDArray[np.uint8]

#: What can be drawn beside the labels.
DRAWN = ("skeleton",)


def write(report: Report, path: Path, draw: Collection[str] = ()) -> None:
    """Write the annotated video with the source's own sound; it appears whole or not at all.

    Args:
        report: what was seen; with "skeleton" in `draw` its poses are needed.
        path: the target.
        draw: of `DRAWN`.

    Raises:
        MediaError: the source video is missing or cannot be decoded.
        UsageError: skeletons are to be drawn, but the report has no poses.
        OutputError: `path` cannot be written.
    """
    write_video(
        path,
        annotated(report, draw),
        report.video.fps,
        sound=report.video.path if report.video.has_audio else None,
        comment=f"{MEDIA_COMMENT} {report.phar_version}",
    )


def annotated(report: Report, draw: Collection[str] = ()) -> Iterator[TimedPicture]:
    """Yield (time_s, (H, W, 3) uint8 RGB) of every source frame with its window's labels on it."""
    skeletons = None
    if "skeleton" in draw:
        if report.poses is None:
            raise UsageError("the report has no poses to draw; make it anew with phar-demo --save-poses")
        skeletons = Skeletons(report.poses)
    return _annotated(report, skeletons)


def _annotated(report: Report, skeletons: Skeletons | None) -> Iterator[TimedPicture]:
    starts_s = [start for start, _ in owned_spans([p.window for p in report.predictions])]
    colours = label_colours(report.labels)
    strip: Strip | None = None
    shown = -1
    for frame in read_frames(report.video.path):
        picture = frame.to_rgb().copy()
        height, width = picture.shape[:2]
        if strip is None:
            strip = Strip(report, colours, width, height)
        if skeletons is not None:
            skeletons.draw(picture, frame.time_s)
        index = max(0, bisect_right(starts_s, frame.time_s) - 1)
        if index != shown:
            shown = index
            colour, cover = panel(lines(report, index), colours, width, height)
            clear = 255 - cover.astype(np.uint16)
            inked = colour.astype(np.uint16) * cover
        corner = picture[: inked.shape[0], : inked.shape[1]]
        corner[:] = (corner * clear + inked) // 255
        strip.draw(picture, frame.time_s)
        yield frame.time_s, picture
