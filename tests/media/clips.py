"""Small clips whose every picture carries its own number, made for one test each."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

#: Pictures hold their number as 8 black or white blocks of this side, in one row.
BLOCK_PX = 16
NUM_BITS = 8
WIDTH_PX, HEIGHT_PX = BLOCK_PX * NUM_BITS, 48


def numbered(number: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> NDArray[np.uint8]:
    """Grey picture whose top row of blocks spells `number` in binary, lowest bit at the left."""
    picture = np.full((height_px, width_px, 3), 128, np.uint8)
    for bit in range(NUM_BITS):
        value = 235 if number >> bit & 1 else 16
        picture[:BLOCK_PX, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = value
    return picture


def number_in(picture: NDArray[np.uint8]) -> int:
    """Read back the number of a full-size picture."""
    centre = BLOCK_PX // 2
    return sum(int(picture[centre, bit * BLOCK_PX + centre].mean() > 127) << bit for bit in range(NUM_BITS))


def tone(seconds: float, rate_hz: int, pitch_hz: float = 440.0) -> NDArray[np.float32]:
    """Sine of half the full scale, (samples,)."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * pitch_hz * times)).astype(np.float32)


def make_clip(
    path: Path,
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    fps: int = 25,
    size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
    options: dict[str, str] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    pixel_aspect: Fraction | None = None,
    sounds: Sequence[tuple[float, NDArray[np.float32], int]] = (),
    sound_codec: str = "pcm_s16le",
    tick: Fraction = Fraction(1, 1000),
    last_s: float | None = None,
) -> Path:
    """Write a clip whose i-th picture is `numbered(i % 256)`, shown at `times_s[i]`.

    Args:
        path: target; the suffix chooses the container.
        times_s: increasing times of the pictures.
        codec: encoder of the pictures.
        fps: rate that the stream claims.
        size_px: width and height.
        options: for the encoder.
        rotation: degrees counter-clockwise in the display matrix.
        mirrored: whether the display matrix mirrors left to right.
        pixel_aspect: width over height of a pixel.
        sounds: for each sound track its start in seconds, samples (n,) or (n, channels), rate.
        sound_codec: encoder of the sounds.
        tick: clock of the encoder.
        last_s: how long the last picture is shown; 1 / fps if not given.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=fps, options=options or {})
        video.width, video.height = size_px
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.codec_context.time_base = tick
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation or mirrored:
            video.set_display_rotation(rotation, hflip=mirrored)
        tracks = []
        for _, samples, rate_hz in sounds:
            track = container.add_stream(sound_codec, rate=rate_hz)
            track.codec_context.layout = "mono" if samples.ndim == 1 else "stereo"
            tracks.append(track)
        for track, (start_s, samples, rate_hz) in zip(tracks, sounds, strict=True):
            columns = samples.reshape(len(samples), -1)
            for begin in range(0, len(columns), 1024):
                chunk = columns[begin : begin + 1024]
                packed = (chunk * 32767).astype(np.int16).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(packed, "s16", track.codec_context.layout.name)
                frame.sample_rate = rate_hz
                frame.pts = round(start_s * rate_hz) + begin
                frame.time_base = Fraction(1, rate_hz)
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
        lengths = {round(a / tick): round((b - a) / tick) for a, b in pairwise(times_s)}
        lengths[round(times_s[-1] / tick)] = round((last_s or 1 / fps) / tick)
        pictures = [*range(len(times_s)), None]
        for index in pictures:
            frame = None
            if index is not None:
                frame = av.VideoFrame.from_ndarray(numbered(index % 256, *size_px), "rgb24")
                frame.pts = round(times_s[index] / tick)
                frame.time_base = tick
            for packet in video.encode(frame):
                packet.duration = lengths[packet.pts]
                container.mux(packet)
    return path


def steady(num_frames: int, fps: float) -> list[float]:
    """Times of a constant frame rate."""
    return [index / fps for index in range(num_frames)]
