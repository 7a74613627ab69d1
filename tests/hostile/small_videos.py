"""Small honest videos, to be made hostile."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH_PX, HEIGHT_PX, FPS = 64, 48, 25


def small_video(
    path: Path,
    num_frames: int = 10,
    *,
    codec: str = "mpeg4",
    num_sounds: int = 0,
    every: int = 1,
    size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
) -> Path:
    """Write grey pictures, `every` 25ths of a second, and tones; the index of an mp4 stands at its end."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=FPS)
        video.width, video.height = size_px
        video.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        sounds = [container.add_stream("pcm_s16le", rate=8000) for _ in range(num_sounds)]
        for sound in sounds:
            sound.codec_context.layout = "mono"
        for sound in sounds:
            tone = np.sin(np.arange(num_frames * 8000 // FPS) / 3) * 9000
            frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
            container.mux(sound.encode(frame))
        for index in range(num_frames):
            grey = np.full((size_px[1], size_px[0], 3), 40 + 20 * (index % 10), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, "rgb24")
            frame.pts, frame.time_base = index * every, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in sounds:
            container.mux(sound.encode(None))
    return path
