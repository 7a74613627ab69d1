"""Measure that reading a 3 h video takes no more memory than reading its first half hour.

    python benchmarks/memory_3h.py [--hours 3] [--fps 25] [--keep FILE]

A minute of moving noise with a tone is encoded once and its packets are repeated,
so the long file costs seconds to make. It is then read as the pipeline reads:
16 frames of every 7 s window converted to 224 pixels, sound at 16 kHz. Prints a
Markdown table of resident memory over source time. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from phar.media import MediaReader

MINUTE_S = 60
SOUND_HZ = 16000
#: Memory may grow by this much after the first half hour: allocator noise, not length.
ALLOWED_GROWTH = 0.05


def encode_minute(path: Path, fps: int) -> None:
    """Encode the minute that is repeated: 640 x 360 noise that moves, and a tone."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (45, 160, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "crf": "30", "bf": "0"}
        video = container.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_HZ)
        audio.codec_context.layout = "mono"
        samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(MINUTE_S * SOUND_HZ) / SOUND_HZ)
        sound = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts = SOUND_HZ, 0
        for index in range(MINUTE_S * fps):
            shift = 2 * (index % 320)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(texture[:, shift : shift + 640]), "rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


def timing(packet: av.Packet) -> tuple[int, int, int, Fraction]:
    """Presentation, decoding, duration and their unit of a packet that has them all."""
    pts, dts, duration, base = packet.pts, packet.dts, packet.duration, packet.time_base
    assert pts is not None and dts is not None and duration is not None and base is not None
    return pts, dts, duration, base


def repeat(minute: Path, path: Path, count: int) -> None:
    """Write the packets of a file `count` times, one after the other."""
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        packets = [
            (packet.stream_index, bytes(packet), *timing(packet)) for packet in source.demux() if packet.size
        ]
        packets = [each for each in packets if each[3] >= 0 and (each[3] + each[4]) * each[5] <= MINUTE_S]
        packets.sort(key=lambda packet: packet[3] * packet[5])
        for turn in range(count):
            for index, data, pts, dts, duration, base in packets:
                packet = av.Packet(data)
                shift = round(Fraction(turn * MINUTE_S) / base)
                packet.stream, packet.time_base = streams[index], base
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                target.mux(packet)


def resident_mib() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(path: Path) -> list[tuple[float, float]]:
    """Read the file; source minutes and resident MiB, every ten minutes of video."""
    rows: list[tuple[float, float]] = []
    peak = 0.0
    with MediaReader(
        path, 7, 7, lambda n, *_: set(np.linspace(0, n - 1, 16).astype(int)), SOUND_HZ
    ) as reader:
        for media in reader:
            for frame in media.frames.values():
                frame.to_rgb(None, 224)
            peak = max(peak, resident_mib())
            if media.window.end_s >= 600 * (len(rows) + 1):
                rows.append((media.window.end_s / 60, peak))
                peak = 0.0
    return rows


def main() -> None:
    """Make the video, read it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--keep", type=Path, help="keep the long video here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        minute = Path(folder) / "minute.mkv"
        path = options.keep or Path(folder) / "long.mkv"
        started = time.perf_counter()
        encode_minute(minute, options.fps)
        repeat(minute, path, round(options.hours * 60))
        made_s = time.perf_counter() - started
        size_mib = path.stat().st_size / 2**20
        started = time.perf_counter()
        rows = measure(path)
        read_s = time.perf_counter() - started
    print(f"{options.hours:g} h, 640x360, {options.fps} fps, {size_mib:.0f} MiB; ", end="")
    print(
        f"made in {made_s:.0f} s, read in {read_s:.0f} s ({options.hours * 3600 / read_s:.0f}x real time)\n"
    )
    print("| minute | peak MiB since the row before |\n|---|---|")
    for minutes, mib in rows:
        print(f"| {minutes:.0f} | {mib:.0f} |")
    early, late = max(mib for _, mib in rows[:3]), max(mib for _, mib in rows)
    print(f"\nFirst half hour {early:.0f} MiB, whole video {late:.0f} MiB: ", end="")
    print("flat" if late <= early * (1 + ALLOWED_GROWTH) else "GROWING")


if __name__ == "__main__":
    main()
