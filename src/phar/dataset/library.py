"""Find the videos that annotation files name, and what their containers say of them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from phar.media import frame_times_s, probe
from phar.schema import UsageError

#: Label Studio stores an uploaded file as eight hexadecimal digits, a dash and its name.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")


@dataclass(frozen=True)
class Facts:
    """What a video's container claims."""

    duration_s: float
    """0 where the container claims none that can be true."""
    fps: float


class Library:
    """The files beneath some folders, found by name.

    Names come from annotation tools: a bare file name, a path of another machine, an address. The file
    whose path ends like the name, by as many parts as possible, is the video; only files beneath the given
    folders are ever found.

    Args:
        roots: folders, or single videos.

    Raises:
        UsageError: a root does not exist.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self.roots = tuple(root.resolve() for root in roots)
        for root in self.roots:
            if root.is_file():
                self._add(root)
            elif root.is_dir():
                for folder, _, names in os.walk(root):
                    for name in names:
                        self._add(Path(folder, name))
            else:
                raise UsageError(f"{root}: no such folder; name the folder of the videos")

    def find(self, name: str) -> tuple[Path | None, str]:
        """Return the video that a name means, or None and why."""
        for parts in _readings(name):
            found = self._by_name.get(parts[-1], [])
            agreed = [_agreement(path, parts) for path in found]
            best = [path for path, length in zip(found, agreed, strict=True) if length == max(agreed)]
            if len(best) == 1:
                return best[0], ""
            if best:
                return None, f"{name!r} may be {best[0]} or {best[1]}"
        where = ", ".join(map(str, self.roots))
        return None, f"{name!r} is not beneath {where}"

    def _add(self, path: Path) -> None:
        if path not in self._by_name[path.name]:
            self._by_name[path.name].append(path)


@lru_cache(maxsize=4096)
def facts(video: Path) -> Facts:
    """Return what the container claims.

    Raises:
        MediaError: it cannot be opened.
    """
    claimed = probe(video)
    return Facts(claimed.duration_s, float(claimed.fps))


@lru_cache(maxsize=4)
def _times_s(video: Path) -> NDArray[np.float64]:
    return frame_times_s(video)


def frame_start_s(video: Path, frame: int) -> float:
    """Return when a frame, counted from 0, is shown, or would be if there were as many; seconds.

    Raises:
        MediaError: the video cannot be read.
    """
    times_s = _times_s(video)
    if 0 <= frame < len(times_s):
        return float(times_s[frame])
    fps = facts(video).fps
    return float(times_s[-1]) + (frame - len(times_s) + 1) / fps if frame > 0 else frame / fps


def _readings(name: str) -> list[tuple[str, ...]]:
    """Path parts that a name may stand for, the most literal first."""
    address = None
    # Brackets that are no address of a computer make none of what follows.
    with suppress(ValueError):
        address = urlsplit(name) if "://" in name or name.startswith("/data/") else None
    texts = [name]
    if address is not None:
        # Label Studio serves local files as /data/local-files/?d=folder/video.mp4.
        texts = [*parse_qs(address.query).get("d", []), unquote(address.path)]
    readings = []
    for text in texts:
        parts = tuple(
            part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in ("/", "..")
        )
        if parts:
            readings.append(parts)
    for parts in tuple(readings):
        if match := _UPLOADED.fullmatch(parts[-1]):
            readings.append((match[1],))
    return readings


def _agreement(path: Path, parts: tuple[str, ...]) -> int:
    """How many parts at the end of both are equal."""
    count = 0
    for ours, theirs in zip(reversed(path.parts), reversed(parts), strict=False):
        if ours != theirs:
            break
        count += 1
    return count
