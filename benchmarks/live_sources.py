"""How far verdicts on live sources are behind, and what a sampled source costs.

An encoder (ffmpeg, in real time) pushes the sample video to RTMP listeners, watched whole: the delay of a
window is when its verdict is told, less when its last picture was due. Then one server is called again and
again for one window: processor seconds of phar and ffmpeg per call say how many sources a core can sample.
"""

from __future__ import annotations

import argparse
import resource
import socket
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path

import imageio_ffmpeg

from phar.moderation.live.events import Event, Events
from phar.moderation.live.session import LiveOptions, Session
from phar.moderation.live.sources import LiveSource
from phar.moderation.policy import load_policy
from phar.pipeline import Analyzer
from phar.profile import load_profile, with_overrides

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "five_scenes.mp4"


def main() -> None:
    """Measure both and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--untrained", action="store_true", help="leave the nets of the profile untrained")
    parser.add_argument("--sources", type=int, default=1, help="watched whole at the same time")
    parser.add_argument("--calls", type=int, default=20, help="of the sampled source")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between samples, for the sum")
    args = parser.parse_args()
    profile = load_profile(args.profile)
    if args.untrained:
        streams = {name: {"checkpoint": None} for name in profile.streams}
        profile = with_overrides(profile, {"streams": streams})
    analyzer = Analyzer(profile)
    whole(analyzer, args.profile, args.sources)
    sampled(analyzer, args.profile, args.calls, args.every)


def whole(analyzer: Analyzer, policy: str, count: int) -> None:
    """Print delays of sources that are watched whole."""
    ports = [_free_port() for _ in range(count)]
    sources = [
        LiveSource(str(i), f"rtmp://127.0.0.1:{port}/live/key", 0, True) for i, port in enumerate(ports)
    ]
    told: list[Event] = []
    session = Session(analyzer, load_policy(policy), sources, Events(told.append), LiveOptions(duration_s=75))
    thread = threading.Thread(target=session.run)
    thread.start()
    time.sleep(3)
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-c:a", "aac"]
    begun = [
        subprocess.Popen(
            [FFMPEG, "-v", "error", "-re", "-i", str(SAMPLE), *encode, "-f", "flv", source.address]
        )
        for source in sources
    ]
    ended_at: dict[str, float] = {}
    for source, process in zip(sources, begun, strict=True):
        process.wait()
        ended_at[source.name] = time.time()
    thread.join()
    windows = [event for event in told if event["type"] == "window"]
    delays = []
    for source in sources:
        own = [event for event in windows if event["source"] == source.name]
        # Real time ends with the encoder, at the end of the last window.
        last_s = max(event["end_s"] for event in own)
        for event in own:
            due_at = ended_at[source.name] - (last_s - event["end_s"])
            delays.append(datetime.fromisoformat(event["time"]).timestamp() - due_at)
    skipped = sum(event["skipped_windows"] for event in windows)
    window_s = analyzer.profile.window_s
    print(
        f"whole: {count} sources, {len(windows)} windows of {window_s:g} s, {skipped} skipped;"
        f" behind the window's end by {min(delays):.2f} to {max(delays):.2f} s,"
        f" mean {sum(delays) / len(delays):.2f}"
    )


def sampled(analyzer: Analyzer, policy: str, calls: int, every_s: float) -> None:
    """Print what one call of a sampled source costs."""
    piece = encoded(20)
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(server, piece), daemon=True).start()
    source = LiveSource("relay", f"tcp://127.0.0.1:{server.getsockname()[1]}", 0.001)
    done = threading.Event()
    told: list[Event] = []

    def hear(event: Event) -> None:
        told.append(event)
        if sum(each["type"] == "window" for each in told) >= calls:
            done.set()

    session = Session(analyzer, load_policy(policy), [source], Events(hear))
    thread = threading.Thread(target=session.run)
    before = cpu_s()
    thread.start()
    done.wait()
    session.stop()
    thread.join()
    cost_s = (cpu_s() - before) / calls
    print(
        f"sampled: {cost_s:.2f} processor seconds a call;"
        f" {every_s / cost_s:.0f} sources a core, every {every_s:g} s"
    )


def encoded(seconds: int) -> bytes:
    """The sample as 720p30 MPEG-TS at 2.5 Mbit/s."""
    command = [
        FFMPEG,
        "-v",
        "error",
        "-i",
        str(SAMPLE),
        "-t",
        str(seconds),
        "-vf",
        "scale=1280:720",
        "-r",
        "30",
    ]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "2500k", "-g", "60", "-c:a", "aac"]
    return subprocess.run([*command, "-f", "mpegts", "pipe:1"], capture_output=True, check=True).stdout


def _serve(server: socket.socket, piece: bytes) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_send, args=(connection, piece), daemon=True).start()


def _send(connection: socket.socket, piece: bytes) -> None:
    with connection:
        try:
            connection.sendall(piece)
        except OSError:
            return


def cpu_s() -> float:
    """Processor seconds of this process and of those it has waited for."""
    return sum(
        resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
