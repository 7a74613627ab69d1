"""What is watched, and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from phar.schema import UsageError

_WORD = re.compile(r"every=(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class LiveSource:
    """One source of a live session."""

    name: str
    """What events call it."""
    address: str
    """An address, or the path of a file that grows."""
    every_s: float
    """One window is looked at every so many seconds; 0: all of them."""
    listen: bool = False
    """Whether the source is waited for, instead of called."""

    @property
    def is_file(self) -> bool:
        """Whether it is a file that grows."""
        return "://" not in self.address

    @property
    def hangs_up(self) -> bool:
        """Whether it is called anew for each window: it is sampled, and lies with a server one can call."""
        return self.every_s > 0 and not self.is_file and not self.listen


def named(address: str, every_s: float, listen: bool) -> LiveSource:
    """Return a source that is known by its address, without what may be secret in it."""
    parts = urlsplit(address)
    if not parts.scheme or "://" not in address:
        return LiveSource(address, address, every_s)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    # The last part of an RTMP address is the key by which somebody may push.
    path = parts.path.rpartition("/")[0] + "/..." if parts.scheme.startswith("rtmp") else parts.path
    return LiveSource(f"{parts.scheme}://{host}{port}{path}", address, every_s, listen)


def read_sources(path: Path, every_s: float, listen: bool) -> list[LiveSource]:
    """Read a list: `NAME ADDRESS [whole | every=S] [listen]` a line; `#` begins a comment.

    Args:
        path: the list.
        every_s: for lines that say neither `whole` nor `every`.
        listen: for all lines.

    Raises:
        UsageError: the list cannot be read, or a line is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"list {path} cannot be read ({error}); give a text file") from None
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split("#", 1)[0].split() if line.lstrip().startswith("#") else line.split()
        if not words:
            continue
        where = f"list {path}, line {number}"
        if len(words) < 2:
            raise UsageError(f"{where}: {line.strip()!r} is no NAME and ADDRESS")
        name, address, *flags = words
        interval_s, waits = every_s, listen
        for flag in flags:
            if flag == "whole":
                interval_s = 0.0
            elif flag == "listen":
                waits = True
            elif match := _WORD.fullmatch(flag):
                interval_s = float(match[1])
            else:
                raise UsageError(f"{where}: {flag!r} is unknown; use whole, every=SECONDS or listen")
        found.append(LiveSource(name, address, interval_s, waits))
    return found


def checked(sources: Sequence[LiveSource]) -> tuple[LiveSource, ...]:
    """Return sources whose names tell them apart and whose addresses can be watched.

    Raises:
        UsageError: with the one that is wrong.
    """
    from phar.media.live import LISTENING, PROTOCOLS_OF

    if not sources:
        raise UsageError("no source is named; give addresses, files that grow, or --list FILE")
    names = set()
    for source in sources:
        if source.name in names:
            raise UsageError(f"{source.name}: two sources are called that; name them in a --list")
        names.add(source.name)
        kind = urlsplit(source.address).scheme.lower() if not source.is_file else None
        if kind is None and not Path(source.address).is_file():
            raise UsageError(f"{source.name}: no such file; a file that grows must have begun")
        known = LISTENING if source.listen else tuple(PROTOCOLS_OF)
        if kind is not None and kind not in known:
            raise UsageError(f"{source.name}: {kind} cannot be watched; use {', '.join(known)}, or a file")
    return tuple(sources)
