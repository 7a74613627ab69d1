"""Cut a span out of a video into a file of its own, exact to the frame."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import imageio_ffmpeg

from phar.media.source import CONTAINERS, MAX_PIXELS, PROTOCOLS, Source, first_frame
from phar.schema import MediaError, OutputError

#: Frames are at least this far apart; the cut is made that much before a frame's time, so that rounding
#: neither loses the first frame nor lets in the one after the last.
_LEAD_S = 0.001

#: Containers whose index tells where key frames are. Others are decoded from their start, for a jump into
#: them may land behind the key frame that is needed.
_INDEXED = ("mov", "matroska")


def write_excerpt(
    video: str | Path,
    start_s: float,
    end_s: float,
    target: str | Path,
    crf: int = 18,
    *,
    max_side_px: int | None = None,
    timeout_s: float | None = None,
) -> None:
    """Write the frames of [start_s, end_s) and the sound beside them as H.264 and AAC in mp4.

    The excerpt is upright and has square pixels' sides rounded to even numbers. A file whose clock jumps is
    cut by the file's own clock, and an AVI whose codec reorders frames is off by the frames it reorders.

    Args:
        video: the source.
        start_s: seconds from the source's first frame.
        end_s: seconds from the source's first frame.
        target: .mp4, which appears complete or not at all.
        crf: quality of libx264, 0 (best) to 51.
        max_side_px: a longer side is scaled down to this, in less quality; None leaves the size.
        timeout_s: ffmpeg is stopped after so many seconds; None lets it take its time.

    Raises:
        MediaError: the source cannot be opened.
        OutputError: the target cannot be written, the span holds no frame, or it takes too long.
    """
    path = Path(target)
    source = Source(video, num_threads=1)
    try:
        number, audio = source.video.index, source.audio and source.audio.index
        offset_s = _origin_s(source)
        jump = source.container.format.name.startswith(_INDEXED)
    finally:
        source.close()
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    begin_s = max(0.0, start_s + offset_s - _LEAD_S)
    # What is left out of the lead at the very start is left out at the end too.
    length_s = end_s + offset_s - _LEAD_S - begin_s
    span = ["-ss", f"{begin_s:.6f}", "-t", f"{length_s:.6f}"]
    command = [
        *[imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"],
        *["-protocol_whitelist", ",".join(PROTOCOLS), "-format_whitelist", CONTAINERS],
        *["-max_pixels", str(MAX_PIXELS)],
        *(span if jump else []),
        *["-i", f"file:{video}"],
        *([] if jump else span),
        *["-map", f"0:{number}", *([] if audio is None else ["-map", f"0:{audio}"])],
        *["-vf", f"scale=trunc(iw*sar/2+0.5)*2:trunc(ih/2)*2,setsar=1{_smaller(max_side_px)}"],
        *["-fps_mode", "passthrough"],
        *["-enc_time_base:v", "1:90000", "-video_track_timescale", "90000"],
        *[
            "-c:v",
            "libx264",
            "-preset",
            "superfast" if max_side_px else "veryfast",
            "-crf",
            str(crf),
            "-pix_fmt",
            "yuv420p",
        ],
        *["-c:a", "aac", "-map_metadata", "-1", "-map_chapters", "-1"],
        *["-movflags", "+faststart", "-f", "mp4", f"file:{partial}"],
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout_s
        )
        if done.returncode:
            reason = " ".join(done.stderr.split())[-200:] or f"ffmpeg ended with {done.returncode}"
            raise OutputError(f"{path}: {start_s:.3f} to {end_s:.3f} s of {video} was not written: {reason}")
        if not _has_picture(partial):
            raise OutputError(f"{path}: {start_s:.3f} to {end_s:.3f} s of {video} holds no frame")
        partial.replace(path)
    except subprocess.TimeoutExpired:
        raise OutputError(
            f"{path}: {start_s:.3f} to {end_s:.3f} s of {video} took more than {timeout_s:g} s; ask for less"
        ) from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)


def _smaller(max_side_px: int | None) -> str:
    """Return the filter that brings the longer side down to `max_side_px`, both sides even."""
    if max_side_px is None:
        return ""
    side = max_side_px // 2 * 2
    return (
        f",scale='min(iw,{side})':'min(ih,{side})':force_original_aspect_ratio=decrease:force_divisible_by=2"
        ",setsar=1"
    )


def _has_picture(path: Path) -> bool:
    try:
        source = Source(path, num_threads=1)
    except MediaError:
        return False
    try:
        return first_frame(source) is not None
    finally:
        source.close()


def _origin_s(source: Source) -> float:
    """The first frame's time on the clock by which ffmpeg seeks, which begins with the first stream."""
    frame = first_frame(source)
    base = source.video.time_base
    begin_s = (source.container.start_time or 0) / 1e6
    if frame is None or frame.pts is None or base is None:
        return 0.0
    return float(frame.pts * base) - begin_s
