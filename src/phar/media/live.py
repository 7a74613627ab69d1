"""Live sources: bytes as they come, from the ffmpeg binary by a pipe or from a file that grows, read once.

ffmpeg receives and repacks into MPEG-TS without decoding, so that a source costs little until somebody looks.
Its formats and protocols are limited to what live streams are made of.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import av
import av.container
import av.error
import imageio_ffmpeg

from phar.media.fetch import WEB_PROTOCOLS
from phar.media.source import CONTAINERS, MAX_PIXELS, PROTOCOLS, Source
from phar.schema import MediaError, UsageError

#: Kinds of address, and the protocols that ffmpeg may use for each.
PROTOCOLS_OF = {
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "srt": "srt,udp",
    "http": WEB_PROTOCOLS,
    "https": WEB_PROTOCOLS,
    "tcp": "tcp",
    "udp": "udp",
}

#: Kinds of address at which ffmpeg can wait for somebody to push.
LISTENING = ("rtmp", "tcp", "srt")

_FORMATS = "flv,live_flv,mpegts,hls,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,eac3,mp3,webvtt"

#: How much of a stream is looked at before its first picture is shown: it is all waited for.
_PROBE_S = 1.0

#: How often a file that grows is looked at.
_POLL_S = 0.1


class Feed(Protocol):
    """Where the bytes of a live source come from."""

    first_read_at: float | None
    """POSIX time of the first bytes; None before they came."""
    last_read_at: float
    """`time.monotonic` of the last bytes, or of the beginning."""

    def read(self, size: int) -> bytes:
        """Wait for bytes and return at most `size`; empty once there are no more."""

    def close(self) -> None:
        """End it; a `read` that waits returns."""

    def why(self) -> str:
        """Why there are no more bytes, in a few words."""


class FfmpegFeed:
    """What ffmpeg receives from an address.

    Raises:
        UsageError: the kind of address is not known.
    """

    def __init__(self, address: str, listen: bool = False) -> None:
        """Start ffmpeg. listen: wait at the address for somebody to push, instead of calling there."""
        kind = urlsplit(address).scheme.lower()
        if kind not in PROTOCOLS_OF or (listen and kind not in LISTENING):
            known = ", ".join(LISTENING if listen else PROTOCOLS_OF)
            raise UsageError(f"{kind}://: no such kind of {'listener' if listen else 'source'}; use {known}")
        self.first_read_at: float | None = None
        self.last_read_at = time.monotonic()
        self._said: deque[str] = deque(maxlen=3)
        self._process = subprocess.Popen(
            _command(kind, address, listen),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._listener = threading.Thread(target=self._listen, name="phar-live-errors", daemon=True)
        self._listener.start()

    def read(self, size: int) -> bytes:
        """See `Feed.read`."""
        assert self._process.stdout is not None
        try:
            data = os.read(self._process.stdout.fileno(), size)
        except (OSError, ValueError):
            return b""
        if data:
            self.last_read_at = time.monotonic()
            self.first_read_at = self.first_read_at or time.time()
        return data

    def close(self) -> None:
        """End ffmpeg."""
        self._process.kill()
        self._process.wait()

    def why(self) -> str:
        """ffmpeg's last words, for which it is waited a moment."""
        self._listener.join(1.0)
        return self._said[-1] if self._said else "the stream ended"

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").strip()
            if text:
                # Its own addresses and the source's, which may hold keys, stay out.
                self._said.append(text.rpartition("] ")[2][:200])


class FileTail:
    """A file that somebody still writes to; it counts as complete when it has not grown for `idle_s`."""

    def __init__(self, path: Path, idle_s: float) -> None:
        """Open the file. Raises MediaError."""
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
        self._idle_s = idle_s
        self._closed = threading.Event()
        self.first_read_at: float | None = None
        self.last_read_at = time.monotonic()

    def read(self, size: int) -> bytes:
        """See `Feed.read`."""
        while not self._closed.is_set():
            try:
                data = self._file.read(size)
            except (OSError, ValueError):
                return b""
            if data:
                self.last_read_at = time.monotonic()
                self.first_read_at = self.first_read_at or time.time()
                return data
            if time.monotonic() - self.last_read_at > self._idle_s:
                return b""
            self._closed.wait(_POLL_S)
        return b""

    def close(self) -> None:
        """Close the file and let a waiting `read` go."""
        self._closed.set()
        self._file.close()

    def why(self) -> str:
        """Why there is no more."""
        return f"the file has not grown for {self._idle_s:g} s"


def open_live(feed: Feed, name: str) -> Source:
    """Wait for a feed's head and open it; `name` is for messages.

    Raises:
        MediaError: the feed ends, or is no video that can be decoded.
    """
    options = {
        "protocol_whitelist": ",".join(PROTOCOLS),
        "format_whitelist": CONTAINERS,
        "probesize": str(2 << 20),
        "analyzeduration": str(round(_PROBE_S * 1e6)),
        "max_pixels": str(MAX_PIXELS),
    }
    ts = "mpegts" if isinstance(feed, FfmpegFeed) else None
    try:
        container = av.open(feed, format=ts, options=options, metadata_errors="replace", buffer_size=1 << 16)
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise MediaError(f"{name}: {feed.why()}") from error
    return Source(name, 1, container)


def _command(kind: str, address: str, listen: bool) -> list[str]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error"]
    command += ["-protocol_whitelist", PROTOCOLS_OF[kind], "-format_whitelist", _FORMATS]
    command += ["-fflags", "+genpts", "-analyzeduration", str(round(_PROBE_S * 1e6))]
    if listen and kind == "srt":
        address += "&mode=listener" if "?" in address else "?mode=listener"
    elif listen:
        command += ["-listen", "1"]
    if kind in ("http", "https"):
        # A player's habit of starting some pieces back would only add to the delay.
        command += ["-live_start_index", "-1"] if _is_playlist(address) else []
    command += ["-i", address, "-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-f", "mpegts"]
    # Packets leave as they come, and pictures do not wait for a sound that may be gone.
    command += ["-muxdelay", "0", "-muxpreload", "0", "-flush_packets", "1"]
    return [*command, "-max_interleave_delta", "300000", "pipe:1"]


def _is_playlist(address: str) -> bool:
    return urlsplit(address).path.lower().endswith(".m3u8")
