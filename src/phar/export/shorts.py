"""Shorts of a video in a folder: their names, the files, and a list that says where each comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phar.export.lettering import Lettering, chip
from phar.export.panel import INK, PAPER, text_px
from phar.export.target import MEDIA_COMMENT, SHORTS_MARK, check_target, replacing
from phar.media.compose import compose_short
from phar.schema import Report, UsageError
from phar.timeline import Framing, Short, follow, frame_size

_VERSION = 1

#: Names longer than this are cut: file systems take 255 bytes.
_LONGEST_NAME = 60

#: How much of the paper behind a title covers.
_TITLE_OPACITY = 200


@dataclass(frozen=True)
class ShortsPlan:
    """What will be written, by file name."""

    folder: Path
    video: Path
    shorts: Sequence[tuple[Path, Short]]
    listing: Path


def plan_shorts(video: Path, folder: Path, chosen: Sequence[Short], inputs: Sequence[Path]) -> ShortsPlan:
    """Name the files, and check that each may be written.

    A name says video, label, rank and the time in the video at which the short begins:
    `<video>_<label>_01_00-12-03.mp4`.

    Raises:
        UsageError: one of them is a file that phar did not write, or an input.
        OutputError: the folder cannot be written.
    """
    stem = _safe(video.stem)
    named = [
        (folder / f"{stem}_{_safe(short.label)}_{short.rank:02}_{_clock(short.start_s)}.mp4", short)
        for short in chosen
    ]
    listing = folder / f"{stem}_clips.json"
    for path in (listing, *(path for path, _ in named)):
        check_target(path, inputs)
    if len({path for path, _ in named}) < len(named):
        raise UsageError("two labels make the same file name; ask for one of them at a time")
    return ShortsPlan(folder, video, named, listing)


def write_shorts(
    plan: ShortsPlan,
    report: Report,
    *,
    aspect: tuple[int, int] | None = None,
    title: str | None = None,
    tell: Callable[[float], None] | None = None,
) -> None:
    """Write all files, each whole or not at all, and then the list of them.

    Args:
        plan: from `plan_shorts`.
        report: what was seen; with `aspect` its poses are needed.
        aspect: width and height of the shorts; the picture is cropped so as to follow the persons.
        title: text shown at the beginning; `{label}` stands for the label.
        tell: called with the number of shorts done.

    Raises:
        MediaError: the video cannot be read.
        OutputError: a file cannot be written.
    """
    picture_px = (report.video.width_px, report.video.height_px)
    fps = min(60.0, float(report.video.fps))
    entries = []
    for number, (path, short) in enumerate(plan.shorts):
        framing = None
        if aspect is not None and report.poses is not None:
            framing = follow(report.poses, short.start_s, short.end_s, picture_px, aspect)
        size = picture_px if aspect is None else frame_size(*picture_px, aspect)
        text = None if title is None else title.replace("{label}", short.label)
        compose_short(
            plan.video,
            path,
            (short.start_s, short.end_s),
            fps,
            crop=None if framing is None else (framing.width_px, framing.height_px, framing.centre_at),
            title=None if not text else _title(text, *size),
            comment=f"{MEDIA_COMMENT} {report.phar_version}",
        )
        entries.append(_entry(path, short, framing))
        if tell is not None:
            tell(number + 1)
    head = {SHORTS_MARK: _VERSION, "phar_version": report.phar_version, "video": str(plan.video)}
    # One line per short: a path of the crop has ten points a second.
    rows = ",\n  ".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    document = f'{json.dumps(head, ensure_ascii=False)[:-1]},\n "clips": [\n  {rows}\n ]}}\n'
    with replacing(plan.listing) as temporary:
        temporary.write_text(document, encoding="utf-8", errors="replace")


def _entry(path: Path, short: Short, framing: Framing | None) -> dict[str, Any]:
    crop = None
    if framing is not None:
        samples = zip(framing.times_s.tolist(), framing.centres_px.tolist(), strict=True)
        crop = {
            "width_px": framing.width_px,
            "height_px": framing.height_px,
            "centres": [[round(time, 3), round(x, 1), round(y, 1)] for time, (x, y) in samples],
        }
    return {
        "file": path.name,
        "label": short.label,
        "rank": short.rank,
        "score": round(short.score, 6),
        "start_s": short.start_s,
        "end_s": short.end_s,
        "crop": crop,
    }


def _title(text: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Return a title as (h, w, 4) RGBA, no wider than nine tenths of the picture."""
    letters = Lettering(round(1.6 * text_px(width_px, height_px)))
    image: Image.Image = chip(letters, letters.fitted(text, int(0.85 * width_px)), INK, PAPER)
    pixels = np.asarray(image)
    paper = (pixels == np.array(PAPER, np.uint8)).all(axis=2)
    return np.dstack([pixels, np.where(paper, _TITLE_OPACITY, 255).astype(np.uint8)])


def _safe(text: str) -> str:
    """Return text as a part of a file name."""
    kept = re.sub(r"[^\w.-]+", "_", text).strip("._-")
    return kept.encode()[:_LONGEST_NAME].decode("utf-8", "ignore") or "video"


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(int(time_s), 60)
    return f"{minutes // 60:02}-{minutes % 60:02}-{seconds:02}"
