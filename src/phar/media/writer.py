"""Write pictures and sound as a video file, H.264 and AAC, complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.container
import av.error
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from phar.media.demux import Packet
from phar.media.sound import Sound, Voice, voice_of
from phar.media.source import Warnings
from phar.schema import OutputError

#: A picture and when it is shown: seconds, (H, W, 3) uint8 RGB.
TimedPicture = tuple[float, NDArray[np.uint8]]

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}

_CLOCK = Fraction(1, 90000)

#: AVCOL_SPC_SMPTE170M and AVCOL_RANGE_MPEG: what swscale makes of RGB unless told otherwise.
_COLORSPACE, _COLOR_RANGE = 6, 1


def at_rate(pictures: Iterable[NDArray[np.uint8]], fps: Fraction | float) -> Iterator[TimedPicture]:
    """Give pictures the times 0, 1 / fps, 2 / fps, ..."""
    for index, picture in enumerate(pictures):
        yield float(index / Fraction(fps)), picture


def write_video(
    path: str | Path,
    pictures: Iterable[TimedPicture],
    fps: Fraction | float,
    sound: Sound | None = None,
    *,
    crf: int = 20,
    preset: str = "veryfast",
    comment: str | None = None,
) -> tuple[str, ...]:
    """Encode pictures, and sound if given, into a file that appears complete or not at all.

    The size of the first picture is the size of the video, one row or column
    larger where a side is odd, since H.264 halves the colour planes. Sound of
    a file is placed as it lay against that file's first frame, and ends with
    the pictures.

    Args:
        path: target ending in .mp4, .m4v, .mov or .mkv; replaced if it exists.
        pictures: increasing times and pictures of one size, read lazily.
        fps: nominal rate; sets how long the last picture is shown.
        sound: see `Sound`; a file without sound adds none.
        crf: quality of libx264, 0 (best) to 51.
        preset: speed of libx264.
        comment: the container's comment, by which `read_comment` knows the file again.

    Returns:
        Warnings, one line each.

    Raises:
        OutputError: no pictures, or the file cannot be written.
    """
    target = Path(path)
    format_name = _FORMATS.get(target.suffix.lower())
    if format_name is None:
        raise OutputError(f"{target}: videos are written as {', '.join(sorted(_FORMATS))}; change the suffix")
    if not target.parent.is_dir():
        raise OutputError(f"{target}: the folder {target.parent} does not exist; make it first")
    warnings = Warnings()
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    with contextlib.closing(voice_of(sound, warnings)) as voice:
        try:
            quality = _quality(crf, preset)
            _encode(partial, target, pictures, Fraction(fps), voice, quality, comment)
            with _writing(target):
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return warnings.lines()


def _quality(crf: int, preset: str) -> dict[str, str]:
    # Without B-frames packets come in the order of showing, so that mp4, which stores the
    # distances between packets, tells how long each picture is shown at any frame rate.
    return {"crf": str(crf), "preset": preset, "bf": "0"}


def _encode(
    partial: Path,
    target: Path,
    pictures: Iterable[TimedPicture],
    fps: Fraction,
    voice: Voice,
    quality: dict[str, str],
    comment: str | None,
) -> None:
    following = iter(pictures)
    first = next(following, None)
    if first is None:
        raise OutputError(f"{target}: there is no picture to write")
    with _writing(target):
        format_name = _FORMATS[target.suffix.lower()]
        options = {"movflags": "+faststart"} if format_name != "matroska" else {}
        container = av.open(f"file:{partial}", "w", format=format_name, container_options=options)
    try:
        with _writing(target):
            if comment is not None:
                container.metadata["comment"] = comment
            stream = _add_video(container, first[1].shape, fps, quality)
            voice.attach(container, format_name)
        last_pts = -1
        time_s = 0.0
        for time_s, picture in chain([first], following):
            if picture.shape != first[1].shape:
                raise ValueError(f"picture at {time_s} s has shape {picture.shape}, not {first[1].shape}")
            frame = av.VideoFrame.from_ndarray(_even(picture), "rgb24")
            frame.pts = last_pts = max(round(time_s / _CLOCK), last_pts + 1)
            frame.time_base = _CLOCK
            with _writing(target):
                container.mux(voice.packets(time_s))
                container.mux(_timed(stream.encode(frame), fps))
        with _writing(target):
            container.mux(_timed(stream.encode(None), fps))
            container.mux(voice.packets(time_s + float(1 / fps), last=True))
            container.close()
    except BaseException:
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            container.close()
        raise


def _add_video(
    container: av.container.OutputContainer, shape: tuple[int, ...], fps: Fraction, quality: dict[str, str]
) -> VideoStream:
    stream = container.add_stream("libx264", rate=fps.limit_denominator(100_000), options=quality)
    stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _CLOCK
    stream.codec_context.colorspace = _COLORSPACE
    stream.codec_context.color_range = _COLOR_RANGE
    return stream


def _timed(packets: list[Packet], fps: Fraction) -> list[Packet]:
    """Say how long a picture is shown; muxers need it of the last one."""
    for packet in packets:
        packet.duration = round(1 / fps / _CLOCK)
    return packets


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where a side is odd."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(picture)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn failures of libav and the file system into an `OutputError`."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{target}: cannot be written ({reason})") from error
