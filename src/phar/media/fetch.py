"""Bring a video from an address onto the disk, once, hashing it on the way.

Addresses are http and https. A playlist of a finished stream (HLS) is put together into one file without
encoding it again; one that still grows is refused, for it would never end.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urljoin, urlsplit

import imageio_ffmpeg

from phar.schema import MediaError, NetworkError, OutputError, UsageError

#: Addresses that ffmpeg may follow from a playlist: no files, no other kinds of server.
WEB_PROTOCOLS = "http,https,tls,tcp,httpproxy,crypto,data"

#: What the pieces of a playlist may be.
_PIECES = "hls,mpegts,mov,mp4,m4a,3gp,3g2,mj2,aac,ac3,eac3,mp3,webvtt"

_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 20
_PLAYLIST = b"#EXTM3U"
_END = "#EXT-X-ENDLIST"
_VARIANT = re.compile(r"#EXT-X-STREAM-INF[^\n]*\n+([^#\s][^\n]*)")

#: Playlists are short; more than this is read of none.
_MAX_PLAYLIST_BYTES = 4 << 20


@dataclass(frozen=True)
class Fetched:
    """A video that was brought here."""

    path: Path
    """Where it is, while the context lasts."""
    sha256: str
    """Hash of the file."""
    size_bytes: int
    whole: bool
    """Whether these are the bytes the server has; else a copy that was put together from a playlist."""


@contextmanager
def fetched(address: str) -> Iterator[Fetched]:
    """Bring the video at an address into a temporary folder, which goes when the context ends.

    Raises:
        UsageError: the address is of another kind, or a live stream's.
        NetworkError: the server cannot be reached or refuses.
        MediaError: what is there is no stream that can be put together.
    """
    if urlsplit(address).scheme.lower() not in ("http", "https"):
        raise UsageError(
            f"{address}: only http and https are fetched; live sources go to `phar moderate live`"
        )
    with TemporaryDirectory(prefix="phar-") as folder:
        target = Path(folder, f"video{Path(urlsplit(address).path).suffix[:8]}")
        try:
            yield _fetched(address, target)
        except OSError as error:
            raise OutputError(f"{address} cannot be kept: {error.strerror or error}; make room") from error


def _fetched(address: str, target: Path) -> Fetched:
    import requests

    digest, size = hashlib.sha256(), 0
    try:
        with requests.get(address, stream=True, timeout=_TIMEOUT_S) as answer:
            if not answer.ok:
                raise NetworkError(
                    f"{address}: the server says {answer.status_code} {answer.reason}; check it"
                )
            with target.open("wb") as file:
                for chunk in answer.iter_content(_CHUNK_BYTES):
                    if size == 0 and chunk.lstrip(b"\xef\xbb\xbf \r\n").startswith(_PLAYLIST):
                        return _joined(answer.url, target.with_suffix(".mkv"))
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
    except requests.RequestException as error:
        raise NetworkError(f"{address} cannot be fetched ({type(error).__name__}); check it") from error
    return Fetched(target, digest.hexdigest(), size, whole=True)


def _joined(address: str, target: Path) -> Fetched:
    """Put the pieces of a playlist together."""
    playlist = _playlist(address)
    if variant := _VARIANT.search(playlist):
        playlist = _playlist(urljoin(address, variant[1].strip()))
    if _END not in playlist:
        raise UsageError(f"{address} is a stream that goes on; `phar moderate live` watches it")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
    command += ["-protocol_whitelist", WEB_PROTOCOLS, "-format_whitelist", _PIECES]
    command += ["-i", address, "-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode or not target.exists():
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise MediaError(f"{address}: the playlist cannot be put together ({why})")
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Fetched(target, digest, target.stat().st_size, whole=False)


def _playlist(address: str) -> str:
    import requests

    with requests.get(address, stream=True, timeout=_TIMEOUT_S) as answer:
        if not answer.ok:
            raise NetworkError(f"{address}: the server says {answer.status_code} {answer.reason}; check it")
        return answer.raw.read(_MAX_PLAYLIST_BYTES, decode_content=True).decode("utf-8", "replace")
