"""Test pictures as an encoder of live streams sends them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def encoded(path: Path, seconds: float, size: str = "64x48", sound: bool = True, offset_s: float = 0) -> Path:
    """Write MPEG-TS as an encoder of a live stream does."""
    command = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=20:d={seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=d={seconds}"] if sound else []
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-c:a", "aac", "-muxdelay", "0"]
    subprocess.run([*command, "-output_ts_offset", str(offset_s), str(path)], check=True)
    return path
