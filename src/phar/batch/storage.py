"""Videos and outputs that lie at URLs, s3://bucket/films/a.mp4 say: read and written through fsspec.

A video is fetched whole to a local file before it is read, for decoders jump about in files. What a URL's
protocol needs beside fsspec (s3fs for s3://, gcsfs for gs://, ...) is installed by whoever uses it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from filelock import lock_descriptor

from phar.batch.engine import is_no_room
from phar.schema import MediaError, OutputError, UsageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

#: Under which keys file systems tell when a file was written.
_WRITTEN = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")

#: How folders begin into which videos are fetched.
_FETCHED = "phar-fetched-"


def is_url(text: str) -> bool:
    """Tell whether a text is a URL and no path; a file:// URL is a path to phar, see `from_file_url`."""
    return _URL.match(text) is not None


def from_file_url(text: str) -> str:
    """Return the path that a file:// URL means; all else as it is."""
    if not text.lower().startswith("file://"):
        return text
    path = unquote(text[len("file://") :], errors="surrogateescape")
    return path and "/" + path.lstrip("/")


def about(url: str) -> tuple[int, int]:
    """Return a file's size in bytes and when it was written, ns; of what has no time a hash of its ETag.

    Raises:
        MediaError: there is no such file, or it cannot be reached.
        UsageError: nothing is installed that reads such URLs.
    """
    system, path = _opened(url)
    try:
        return _stamp(system.info(path))
    # Every protocol has errors of its own.
    except Exception as error:
        raise MediaError(f"{url}: {_reason(error)}") from None


def search(url: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Yield what a URL means, a file, a folder or a pattern: each file's URL, name below the folder, stamp.

    Files in folders come by name. Raises MediaError, UsageError.
    """
    root = url.rstrip("/")
    system, path = _opened(root)
    prefix = root.removesuffix(path)
    try:
        if any(mark in path for mark in "*?["):
            base = path[: re.search(r"[*?\[]", path).start()].rpartition("/")[0]  # type: ignore[union-attr]
            found = system.glob(path, detail=True)
        elif system.isdir(path):
            base, found = path, system.find(path, detail=True)
        else:
            base, found = path.rpartition("/")[0], {path: system.info(path)}
    except Exception as error:
        raise MediaError(f"{url}: {_reason(error)}") from None
    for name, info in sorted(found.items()):
        if info.get("type") == "file":
            yield prefix + name, name.removeprefix(base).lstrip("/"), _stamp(info)


def exists(url: str) -> bool:
    """Tell whether something lies at a URL; also where that cannot be found out, to be on the safe side."""
    system, path = _opened(url)
    try:
        return bool(system.exists(path))
    except Exception:
        return True


def names_below(url: str) -> frozenset[str]:
    """Return the URLs of all files below a folder; of one that is not there none."""
    system, path = _opened(url)
    try:
        return frozenset(url.removesuffix(path) + name for name in system.find(path))
    except FileNotFoundError:
        return frozenset()
    except Exception as error:
        raise OutputError(f"{url}: {_reason(error)}") from None


def fetch(url: str, target: Path) -> None:
    """Copy a file from a URL. Raises MediaError; OSError where there is no room for it."""
    system, path = _opened(url)
    try:
        system.get_file(path, str(target))
    except Exception as error:
        if is_no_room(error):
            raise
        raise MediaError(f"{url}: cannot be fetched ({_reason(error)})") from None


def send(source: Path, url: str) -> None:
    """Copy a file to a URL; it appears whole where the storage puts objects whole, as S3 does.

    Raises OutputError.
    """
    system, path = _opened(url)
    try:
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.put_file(str(source), path)
    except Exception as error:
        raise OutputError(f"{url} cannot be written ({_reason(error)}); choose another place") from None


class Fetched:
    """The last video that was fetched, kept on disk until another is asked for or the process ends."""

    def __init__(self) -> None:
        _remove_abandoned()
        self._folder = tempfile.TemporaryDirectory(prefix=_FETCHED, ignore_cleanup_errors=True)
        # Held as long as the process lives, however it ends.
        self._lock = os.open(self._folder.name, os.O_RDONLY)
        lock_descriptor(self._lock, blocking=False)
        self._held: tuple[str, object] | None = None

    def path_of(self, url: str, stamp: object) -> Path:
        """Return a local file that holds what the URL held at `stamp`. Raises MediaError."""
        name = url.rpartition("/")[2]
        path = Path(self._folder.name) / f"video{Path(name).suffix[:20]}"
        if self._held != (url, stamp):
            self._held = None
            for old in Path(self._folder.name).iterdir():
                old.unlink()
            fetch(url, path)
            self._held = (url, stamp)
        return path


def _remove_abandoned() -> None:
    """Remove what processes fetched that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FETCHED}*"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                if lock_descriptor(descriptor, blocking=False):
                    for file in folder.iterdir():
                        file.unlink()
                    folder.rmdir()
            finally:
                os.close(descriptor)


def _opened(url: str) -> tuple[Any, str]:
    """Return a URL's file system and the path in it. Raises UsageError."""
    import fsspec

    if "::" in url:
        raise UsageError(f"{url}: URLs in URLs are not followed; name the file itself")
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {_reason(error)}") from None
    return system, str(path)


def _stamp(info: Mapping[str, Any]) -> tuple[int, int]:
    size_bytes = int(info.get("size") or 0)
    for key in _WRITTEN:
        value = info.get(key)
        if isinstance(value, str):
            with suppress(ValueError):
                value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = value.timestamp()
        if isinstance(value, int | float):
            return size_bytes, int(value * 1e9)
    digest = hashlib.sha256(str(info.get("ETag") or info.get("etag") or "").encode()).digest()
    return size_bytes, int.from_bytes(digest[:6], "big")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder; check the URL"
    return " ".join(str(error).split()) or type(error).__name__
