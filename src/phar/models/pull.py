"""Brings checkpoints here: fetched once, held against their hash, noted in the lock file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phar.models import download
from phar.models.catalogue import Wanted
from phar.models.lockfile import Locked, locked, now, record
from phar.profile import checkpoints_folder, sha256_of
from phar.schema import ModelError, NetworkError


@dataclass(frozen=True)
class Pulled:
    """One checkpoint that is here now."""

    name: str
    path: Path
    sha256: str
    size_bytes: int
    fetched: bool
    """False: it was here before."""


def pull(
    item: Wanted,
    progress: Callable[[str], download.Progress],
    *,
    force: bool = False,
    patience: download.Patience | None = None,
) -> Pulled:
    """Fetch one checkpoint if it is not here, check its hash and note it in the lock file.

    `progress` is asked for by name when there is something to fetch. With `force` the file is fetched even if
    it is here, and the lock file's hash does not count; the metafile's always does.

    Raises:
        NetworkError: it cannot be had; the line names address, reason and where to put it by hand.
        ModelError: the file, here or there, has another hash, or nobody says where it is published.
        OutputError: it cannot be written.
    """
    checkpoint = item.checkpoint
    if item.path.is_file() and not force:
        return _keep(item)
    if checkpoint is None:
        raise ModelError(f"{item.name}: no address is known for {item.path}; put the file there by hand")
    if checkpoint.url is None:
        if item.path.is_file():
            return _keep(item)
        raise ModelError(f"{item.name} comes with phar, but {item.path} is missing; install phar anew")
    folder = checkpoints_folder()
    target = folder / checkpoint.below
    url = download.mirrored(checkpoint.url)
    published = checkpoint.sha256 or checkpoint.facts.get("sha256_prefix")
    recorded = locked(folder).get(checkpoint.below)
    expected = item.sha256
    if force and recorded is not None and expected == recorded.sha256:
        expected = published
    try:
        found = download.download(
            url, target, expected, progress(checkpoint.name), patience or download.PATIENCE
        )
    except NetworkError as error:
        raise NetworkError(
            f"{checkpoint.name} cannot be fetched from {url} ({error});"
            f" fetch it by hand and put it at {target}"
        ) from error
    except ModelError as error:
        if recorded is not None and recorded.sha256 == expected and published is None:
            raise ModelError(
                f"{error}; {expected} was recorded on {recorded.date}, --force takes the new file"
            ) from error
        raise
    size_bytes = target.stat().st_size
    record(folder, Locked(checkpoint.below, checkpoint.name, url, size_bytes, found, now()))
    return Pulled(checkpoint.name, target, found, size_bytes, fetched=True)


def _keep(item: Wanted) -> Pulled:
    """Check a file that is here; note one that was put here by hand."""
    found = sha256_of(item.path)
    if item.sha256 is not None and not found.startswith(item.sha256):
        shown = item.sha256 + ("..." if len(item.sha256) < 64 else "")
        raise ModelError(
            f"{item.name}: {item.path} has sha256 {found}, not {shown}; move it away, or use --force"
        )
    size_bytes = item.path.stat().st_size
    folder, checkpoint = checkpoints_folder(), item.checkpoint
    downloaded = checkpoint is not None and checkpoint.url is not None and checkpoint.below
    if downloaded and item.path == folder / downloaded and downloaded not in locked(folder):
        record(folder, Locked(downloaded, item.name, None, size_bytes, found, now()))
    return Pulled(item.name, item.path, found, size_bytes, fetched=False)
