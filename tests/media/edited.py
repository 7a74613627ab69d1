"""Clips that tell the time of every picture and of every second of sound, and reading it back."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from clips import HEIGHT_PX, WIDTH_PX, make_clip, number_in, steady
from numpy.typing import NDArray

from phar.media.editing import Edit, EditPlan, edit_video, plan_edit

FPS, RATE_HZ = 25, 48000
SECONDS = 24


def beeps(seconds: float = SECONDS, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """A tone of 30 ms at the start of every second."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.6 * np.sin(2 * np.pi * 1000 * times) * (times % 1.0 < 0.03)).astype(np.float32)


def timed_clip(path: Path, seconds: int = SECONDS, **options) -> Path:
    """Numbered pictures at 25 per second with key pictures every two seconds, and beeps."""
    options.setdefault("options", {"g": "50", "bf": "3", "preset": "veryfast"})
    options.setdefault("sounds", [(0.0, beeps(seconds), RATE_HZ)])
    options.setdefault("sound_codec", "aac")
    return make_clip(path, steady(seconds * FPS, FPS), fps=FPS, **options)


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run the ffmpeg binary, another build than the one phar.media uses."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def decoded(path: Path, pix_fmt: str) -> NDArray[np.uint8]:
    """All pictures, as the ffmpeg binary decodes them."""
    form = ("-fps_mode", "passthrough", "-pix_fmt", pix_fmt, "-f", "rawvideo", "-")
    return np.frombuffer(ffmpeg("-i", path, "-map", "0:v:0", *form), np.uint8)


def numbers(path: Path) -> list[int]:
    """Decode all pictures and read their numbers; counted on past 255."""
    raw = ffmpeg(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"
    )
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT_PX, WIDTH_PX, 3)
    found: list[int] = []
    for picture in pictures:
        number = number_in(picture)
        while found and number <= found[-1]:
            number += 256
        found.append(number)
    return found


def shown_at(path: Path) -> NDArray[np.float64]:
    """Times of all pictures, the first at 0."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = np.array([float(frame.pts * stream.time_base) for frame in container.decode(stream)])
    return times - times[0]


def heard_at(path: Path, track: int = 0) -> NDArray[np.float64]:
    """When beeps begin, on the clock of the pictures, as the timestamps of the sound place them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        origin = float(next(container.decode(stream)).pts * stream.time_base)
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        rate = stream.codec_context.sample_rate
        heard = np.zeros(rate * 60, np.float32)
        for frame in container.decode(stream):
            samples = frame.to_ndarray().astype(np.float32)
            mono = samples[0] if frame.format.is_planar else samples.reshape(frame.samples, -1)[:, 0]
            first = round((float(frame.pts * stream.time_base) - origin) * rate)
            heard[max(first, 0) : first + len(mono)] = mono[max(-first, 0) :]
    loud = np.flatnonzero(np.abs(heard) > 0.2 * np.abs(heard).max())
    return loud[np.diff(loud, prepend=-rate) > rate // 10] / rate


def edited(
    source: Path, target: Path, spans: list[tuple[float, float]], *actions: str, exact: bool = True
) -> tuple[EditPlan, tuple[str, ...]]:
    """Plan and write; return the plan and the warnings."""
    edit = Edit(spans, actions or ("cut",), exact)
    plan = plan_edit(source, edit, SECONDS, Fraction(FPS))
    return plan, edit_video(plan, target, "phar test")


def left_of(spans: list[tuple[float, float]], seconds: int = SECONDS) -> list[int]:
    """Numbers of the pictures of which no moment lies in a span."""
    return [
        number
        for number in range(seconds * FPS)
        if not any(number / FPS < end - 1e-6 and (number + 1) / FPS > start + 1e-6 for start, end in spans)
    ]


def worst_sync_s(target: Path, track: int = 0) -> float:
    """The largest distance between a beep and the picture it belongs to, away from joins."""
    kept = np.array(numbers(target))
    times = shown_at(target)
    heard = heard_at(target, track)
    errors = []
    for second in range(SECONDS):
        around = second * FPS + np.arange(-2, 4)
        places = np.searchsorted(kept, around)
        if second == 0 or places[-1] >= len(kept) or (kept[places] != around).any():
            continue
        errors.append(np.abs(heard - times[places[2]]).min())
    assert len(errors) >= 5
    return float(max(errors))
