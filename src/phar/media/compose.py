"""A short put together from a span of a video: cropped, with a title, with its sound."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.media.frame import Frame
from phar.media.span import frames_between, sound_between
from phar.schema import MediaError, OutputError

Pixels = NDArray[np.uint8]

#: A frame's width, height, and its middle (x, y) at a source time.
Crop = tuple[int, int, Callable[[float], tuple[float, float]]]

#: How long a title stays, and how long it takes to fade away.
_TITLE_S, _FADE_S = 3.0, 0.5

_RATE_HZ = 48000


def compose_short(
    source: str | Path,
    target: Path,
    span_s: tuple[float, float],
    fps: float,
    *,
    crop: Crop | None = None,
    title: Pixels | None = None,
    comment: str,
) -> None:
    """Write a span of a video as a file of its own, H.264 and AAC; it appears whole or not at all.

    The source is read by phar's own reader, which opens nothing but the file; moviepy puts the parts
    together and encodes them, with files whose names are made here.

    Args:
        source: the video.
        target: ends in .mp4; replaced if it exists.
        span_s: start and end in source time.
        fps: frame rate of the result.
        crop: what part of the picture is shown, None for all of it.
        title: (h, w, 4) RGBA, shown at the top for the first seconds.
        comment: the container's comment, by which `read_comment` knows the file again.

    Raises:
        MediaError: nothing of the span can be decoded.
        OutputError: the target cannot be written.
    """
    from moviepy import AudioArrayClip, CompositeVideoClip, ImageClip, VideoClip, vfx

    start_s, end_s = span_s
    duration_s = end_s - start_s
    shown = _Shown(source, start_s, end_s, crop)
    clip = VideoClip(shown.at, duration=duration_s)
    parts = [clip]
    if title is not None:
        still = ImageClip(title).with_duration(min(_TITLE_S, duration_s))
        still = still.with_position(("center", 0.06), relative=True)
        parts.append(still.with_effects([vfx.CrossFadeOut(min(_FADE_S, duration_s / 4))]))
    made = CompositeVideoClip(parts, size=clip.size) if len(parts) > 1 else clip
    sound = sound_between(source, start_s, end_s, _RATE_HZ)
    if sound is not None:
        made = made.with_audio(AudioArrayClip(sound, fps=_RATE_HZ))
    try:
        with tempfile.TemporaryDirectory(prefix=".phar-", dir=target.parent) as folder:
            partial = Path(folder) / "short.mp4"
            made.write_videofile(
                str(partial),
                fps=fps,
                codec="libx264",
                audio_codec="aac",
                audio_fps=_RATE_HZ,
                audio_bitrate="160k",
                preset="veryfast",
                pixel_format="yuv420p",
                threads=os.cpu_count(),
                temp_audiofile=str(Path(folder) / "sound.m4a"),
                ffmpeg_params=["-crf", "20", "-movflags", "+faststart", "-metadata", f"comment={comment}"],
                logger=None,
            )
            partial.replace(target)
    except OSError as error:
        reason = error.strerror or str(error).strip().splitlines()[-1]
        raise OutputError(f"{target}: cannot be written ({reason}); choose another place") from error
    finally:
        made.close()
        shown.close()


class _Shown:
    """The picture on show at a time; asked for in order, but for going back to the beginning."""

    def __init__(self, source: str | Path, start_s: float, end_s: float, crop: Crop | None) -> None:
        self._source, self._start_s, self._end_s, self._crop = source, start_s, end_s, crop
        self._frames: Iterator[Frame] = iter(())
        self._begin()

    def close(self) -> None:
        """Close the file."""
        getattr(self._frames, "close", lambda: None)()

    def at(self, time_s: float) -> Pixels:
        """Return (H, W, 3) at a time of the short, with even sides."""
        at_s = self._start_s + time_s
        if self._frame.time_s > at_s + 1e-6 and self._frame is not self._first:
            self.close()
            self._begin()
        while self._following is not None and self._following.time_s <= at_s + 1e-6:
            self._frame, self._following = self._following, next(self._frames, None)
            self._picture = None
        if self._picture is None:
            self._picture = self._frame.to_rgb()
        return self._cut(self._picture, at_s)

    def _begin(self) -> None:
        self._frames = frames_between(self._source, self._start_s, self._end_s)
        first = next(self._frames, None)
        if first is None:
            raise MediaError(f"{self._source}: nothing of {self._start_s:.1f} to {self._end_s:.1f} s decodes")
        self._frame = self._first = first
        self._following = next(self._frames, None)
        self._picture: Pixels | None = None

    def _cut(self, picture: Pixels, at_s: float) -> Pixels:
        height, width = picture.shape[:2]
        if self._crop is None:
            return picture[: height - height % 2, : width - width % 2]
        wide, high, middle = self._crop
        x, y = middle(at_s)
        # Between pixels, so that a slow movement is not a series of steps.
        cut = cv2.getRectSubPix(picture, (wide, high), (x - 0.5, y - 0.5))
        return np.asarray(cut, np.uint8)
