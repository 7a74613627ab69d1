"""Whether a report is about the video that is given with it."""

from __future__ import annotations

import sys
from pathlib import Path

from phar.schema import Report, UsageError


def check_same_video(prog: str, video: Path, report: Report) -> None:
    """Refuse a report on another video: what it says would be done to the wrong pictures.

    Raises:
        MediaError: the video cannot be read.
        UsageError: its pictures are of another size than those of the report's video.
    """
    from phar.media import probe

    found, known = probe(video), report.video
    if (found.width_px, found.height_px) != (known.width_px, known.height_px):
        raise UsageError(
            f"{video} is {found.width_px}x{found.height_px}, but the report is about a video of "
            f"{known.width_px}x{known.height_px}; give the report of this video"
        )
    if found.duration_s and abs(found.duration_s - known.duration_s) > max(2.0, 0.02 * known.duration_s):
        print(
            f"{prog}: warning: {video} claims {found.duration_s:.1f} s, the report is about "
            f"{known.duration_s:.1f} s; is it the same video?",
            file=sys.stderr,
        )
