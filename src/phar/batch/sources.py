"""Which videos are meant: folders, patterns, files, and lists of them."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from phar.batch import storage
from phar.schema import MediaError, UsageError

#: What a file in a folder must end in to be taken for a video; one that is named itself may end in anything.
VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for names in (
        ("3g2", "3gp", "asf", "avi", "divx", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpe"),
        ("mpeg", "mpg", "mts", "mxf", "ogm", "ogv", "rm", "rmvb", "ts", "vob", "webm", "wmv"),
    )
    for name in names
)

#: Longest file name, in bytes, that leaves room below the usual limit of 255 for the suffixes of outputs
#: and of the temporary files they are written to.
_LONGEST_NAME = 150

_AGO = re.compile(r"(\d+)\s*(s|min|h|d|w)")
_UNIT_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Stamp:
    """By what a file is known not to have changed since it was read."""

    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Take the stamp of a file.

        Raises:
            MediaError: there is no such file, or it is no ordinary one.
        """
        if storage.is_url(path):
            return cls(*storage.about(path))
        try:
            status = Path(path).stat()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaError(f"{path}: {reason}") from None
        # Reading a pipe or a device would not end.
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{path}: is no ordinary file")
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Found:
    """One video that is meant."""

    path: str
    """Absolute, or a URL; bytes that are no UTF-8 are surrogates, as `os.fsdecode` gives them."""
    place: str
    """Where its outputs lie below a folder of outputs, without a suffix: `folder/sub/clip.mp4`."""
    stamp: Stamp | None
    """None: it could not be looked at, which is told when it is its turn."""

    def places(self) -> Iterator[str]:
        """Yield the place, then those it takes where another video has it: with a hash of its path."""
        yield self.place
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()
        for length in (12, 64):
            yield f"{self.place}~{digest[:length]}"


def find_videos(sources: Iterable[str], lists: Iterable[bytes], excluded: Path | None = None) -> list[Found]:
    """Return the videos that are meant, each once, in the order of the sources and by name within a folder.

    Args:
        sources: folders, which are searched through; files; patterns with `*`, `?`, `[...]` and `**`; or
            URLs of such.
        lists: contents of lists, see `listed`; a name on a list that is not there is found, without a stamp.
        excluded: a folder that is not searched, the outputs'.

    Raises:
        MediaError: a source is not there, or nothing is found at all.
        UsageError: a source is an empty text.
    """
    found: dict[str, Found] = {}
    named = 0
    for source in map(storage.from_file_url, sources):
        if not source:
            # As a path it would be the current folder, which nobody means by it.
            raise UsageError("an empty name was given for a video; leave it out, or say . for this folder")
        named += 1
        for item in _expanded(source, excluded):
            found.setdefault(item.path, item)
    for content in lists:
        for name in map(storage.from_file_url, listed(content)):
            named += 1
            # Path.is_dir would raise where the name is longer than a name can be.
            items = _in_folder(name, excluded) if os.path.isdir(name) else [_file(name)]  # noqa: PTH112
            for item in items:
                found.setdefault(item.path, item)
    if not found:
        what = "in what was named; folders are searched for files such as .mp4, .mkv, .avi" if named else ""
        raise MediaError(f"no video found {what}".rstrip())
    return list(found.values())


def listed(content: bytes) -> list[str]:
    """Return the names in a list: one a line, or separated by NUL if there is one."""
    if b"\0" in content:
        names = content.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def read_since(text: str, now: datetime) -> float:
    """Return the POSIX time that a date, a date with time, or an age such as 90min, 12h, 7d, 2w means.

    Raises:
        UsageError: the text is none of them.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return now.timestamp() - int(ago[1]) * _UNIT_S[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no date; write 2024-05-31, 2024-05-31T20:00 or an age such as 7d or 12h"
        ) from None


def _expanded(source: str, excluded: Path | None) -> Iterator[Found]:
    path = Path(source)
    if storage.is_url(source):
        yield from _at_url(source)
    elif path.is_dir():
        yield from _in_folder(source, excluded)
    elif path.exists() or path.is_symlink():
        yield _file(source)
    elif glob.has_magic(source):
        matches = _matches(path)
        if not matches:
            raise MediaError(f"{source}: nothing fits this pattern; check it")
        for match in matches:
            yield from _in_folder(match, excluded) if Path(match).is_dir() else [_file(match)]
    else:
        raise MediaError(f"{source}: no such file or folder; check the path")


def _matches(pattern: Path) -> list[str]:
    """Return what fits a pattern, by name; `**` follows no links and finds nothing hidden."""
    root = Path(pattern.anchor)
    found = root.glob(str(pattern.relative_to(root)))
    if not any(_hidden(part) for part in pattern.parts):
        found = (path for path in found if not any(_hidden(part) for part in path.parts))
    return sorted(map(str, found), key=os.fsencode)


def _hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")


def absolute(path: str) -> str:
    """Return the path that a video is known by: without `..`, and with links as they are."""
    if storage.is_url(path):
        return path
    # Path.resolve would follow links.
    return os.path.abspath(path)  # noqa: PTH100


def _in_folder(source: str, excluded: Path | None) -> Iterator[Found]:
    """Search a folder; hidden files and folders, and links to folders, are left out."""
    root = Path(absolute(source))
    skipped = excluded.resolve() if excluded is not None else None
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            (
                each
                for each in folders
                if not each.startswith(".") and Path(folder, each).resolve() != skipped
            ),
            key=os.fsencode,
        )
        for file in sorted(files, key=os.fsencode):
            path = Path(folder, file)
            if not file.startswith(".") and path.suffix.lower() in VIDEO_SUFFIXES:
                yield _found(path, Path(root.name or "root", path.relative_to(root)))


def _at_url(source: str) -> Iterator[Found]:
    """Search a URL as a folder, a pattern or a file is searched."""
    stem = re.split(r"[*?\[]", source)[0]
    above = (source.rstrip("/") if source == stem else stem.rpartition("/")[0]).rpartition("/")[2]
    for url, below, stamp in storage.search(source):
        name = Path(below)
        named_itself = url == source
        if not named_itself and (name.suffix.lower() not in VIDEO_SUFFIXES or any(map(_hidden, name.parts))):
            continue
        if named_itself:
            yield _file(url)
        else:
            yield Found(url, str(Path(above or "root", name.with_name(_shortened(name.name)))), Stamp(*stamp))


def _file(source: str) -> Found:
    """Take one file as if its folder had been named."""
    if storage.is_url(source):
        folder, _, name = source.rpartition("/")
        place = Path(folder.rpartition("/")[2] or "root", _shortened(name))
        try:
            return Found(source, str(place), Stamp.of(source))
        except MediaError:
            return Found(source, str(place), None)
    path = Path(absolute(source))
    return _found(path, Path(path.parent.name or "root", path.name))


def _found(path: Path, place: Path) -> Found:
    try:
        stamp = Stamp.of(str(path))
    except MediaError:
        stamp = None
    return Found(str(path), str(place.with_name(_shortened(place.name))), stamp)


def _shortened(name: str) -> str:
    encoded = os.fsencode(name)
    if len(encoded) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    return f"{os.fsdecode(encoded[: _LONGEST_NAME - 13])}~{digest}"
