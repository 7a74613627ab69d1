"""Fetches one file over HTTP: resumed where it was cut, tried again where the server is at fault.

What has arrived lies in a `.part` file beside the target; an interrupted download goes on from there.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit, urlunsplit

import requests
from filelock import lock_descriptor

from phar import __version__
from phar.profile import sha256_of
from phar.schema import ModelError, NetworkError, OutputError, UsageError

_CHUNK_BYTES = 2**16
#: Answers that another attempt may mend.
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
#: How a web page begins: a login or an error where a file was asked for.
_PAGE = re.compile(rb"\s*<(!doctype|html|head|\?xml)", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long a download goes on against a bad connection."""

    attempts: int = 5
    """Tries in a row that bring nothing new before it is given up."""
    first_wait_s: float = 1.0
    """Pause after the first of them; each further one is twice as long."""
    longest_wait_s: float = 30.0
    """No pause is longer, whatever the server asks for."""
    timeout_s: float = 30.0
    """Silence of the server after which the connection counts as cut."""


#: What `phar models pull` uses.
PATIENCE = Patience()


class Progress(Protocol):
    """Is told how a download goes."""

    def arrived(self, done_bytes: int, total_bytes: int | None) -> None:
        """So much of the file is here; the total is None while the server has not told."""

    def waits(self, reason: str, wait_s: float) -> None:
        """The next attempt begins after a pause."""


class _Cut(Exception):
    """An attempt failed in a way that another may mend."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def mirrored(url: str) -> str:
    """Return an address on the mirror that `PHAR_MIRROR` names, or as it is.

    The mirror replaces scheme and host; a path it has comes before the address's own. Raises UsageError.
    """
    mirror = os.environ.get("PHAR_MIRROR")
    if not mirror:
        return url
    base = urlsplit(mirror)
    if base.scheme not in ("http", "https") or not base.netloc:
        raise UsageError(f"PHAR_MIRROR is {mirror!r}; give it as https://host or https://host/path")
    parts = urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + parts.path, parts.query, ""))


def download(
    url: str, target: Path, sha256: str | None, progress: Progress, patience: Patience = PATIENCE
) -> str:
    """Fetch `url` to `target`, which appears whole and with the right hash or not at all; return the hash.

    `sha256` is the hash it must have, or its first digits; None takes what comes, unless that is plainly no
    checkpoint.
    Proxies are those of the usual environment variables. An existing target is replaced.

    Raises:
        NetworkError: the server cannot be reached, has no such file, or keeps breaking off.
        ModelError: what arrived has another hash.
        OutputError: it cannot be written here, or another process is fetching it.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _opened(part) as stream, _without_nothing(part), requests.Session() as session:
            session.headers.update({"User-Agent": f"phar/{__version__}", "Accept-Encoding": "identity"})
            transfer = _Transfer(session, url, stream, part, known=sha256 is not None)
            resumed = transfer.offset > 0
            _persist(transfer, progress, patience)
            found = sha256_of(part)
            if resumed and not _is_right(part, found, sha256):
                # What an earlier run left may have been of another file.
                transfer.restart()
                _persist(transfer, progress, patience)
                found = sha256_of(part)
            if not _is_right(part, found, sha256):
                part.unlink()
                raise ModelError(_wrong(url, found, sha256))
            os.fsync(stream.fileno())
            part.replace(target)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}; check the folder"
        ) from error
    return found


def _is_right(part: Path, found: str, sha256: str | None) -> bool:
    if sha256 is not None:
        return found.startswith(sha256)
    with part.open("rb") as stream:
        head = stream.read(64)
    # An archive ends with its table of contents: without it the end is missing.
    return _PAGE.match(head) is None and (not head.startswith(b"PK") or zipfile.is_zipfile(part))


def _wrong(url: str, found: str, sha256: str | None) -> str:
    if sha256 is None:
        return f"{url} gave a web page or half a file; nothing was kept: is there a proxy between?"
    return (
        f"{url} has sha256 {found}, not {sha256}{'...' if len(sha256) < 64 else ''}; nothing was kept:"
        " the file there was changed, or something between here and there changes it"
    )


def _persist(transfer: _Transfer, progress: Progress, patience: Patience) -> None:
    """Attempt until the whole file is here; give up after so many attempts that bring nothing new."""
    failures, furthest = 0, transfer.offset
    while True:
        try:
            transfer.attempt(progress, patience.timeout_s)
            return
        except _Cut as cut:
            failures = 0 if transfer.offset > furthest else failures + 1
            furthest = max(furthest, transfer.offset)
            if failures >= patience.attempts:
                raise NetworkError(str(cut)) from cut
            wait_s = patience.first_wait_s * 2 ** max(0, failures - 1)
            wait_s = min(max(wait_s, cut.wait_s), patience.longest_wait_s)
            progress.waits(str(cut), wait_s)
            time.sleep(wait_s)


@contextmanager
def _opened(part: Path) -> Iterator[BinaryIO]:
    """Open a `.part` file to append, for this process alone. Raises OutputError."""
    with part.open("ab") as stream:
        free = lock_descriptor(stream.fileno(), blocking=False)
        # Whoever held it may have renamed it meanwhile.
        if not free or not part.exists() or not os.path.samestat(part.stat(), os.fstat(stream.fileno())):
            raise OutputError(f"{part} is being written by another pull; wait for it to end")
        yield stream


@contextmanager
def _without_nothing(part: Path) -> Iterator[None]:
    """Remove a `.part` file in the end if nothing arrived in it."""
    try:
        yield
    finally:
        if part.exists() and not part.stat().st_size:
            part.unlink()


class _Transfer:
    """One file on its way into a `.part` file, over as many requests as it takes."""

    def __init__(
        self, session: requests.Session, url: str, stream: BinaryIO, part: Path, *, known: bool
    ) -> None:
        self._session = session
        self._url = url
        self._stream = stream
        self._part = part
        self._known = known
        self.offset = part.stat().st_size

    def restart(self) -> None:
        """Drop what is here."""
        self._stream.truncate(0)
        self.offset = 0

    def attempt(self, progress: Progress, timeout_s: float) -> None:
        """Ask for the rest and append it. Raises _Cut, NetworkError."""
        headers = {"Range": f"bytes={self.offset}-"} if self.offset else {}
        try:
            with self._session.get(self._url, headers=headers, stream=True, timeout=timeout_s) as response:
                self._receive(response, progress)
        except requests.exceptions.ChunkedEncodingError as error:
            raise _Cut(f"the connection ended after {self.offset} bytes") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            cause = _cause(error)
            if "CERTIFICATE_VERIFY_FAILED" in cause:
                raise NetworkError(f"its certificate is not accepted: {cause}") from error
            raise _Cut(cause) from error
        except requests.exceptions.RequestException as error:
            raise NetworkError(_cause(error)) from error

    def _receive(self, response: requests.Response, progress: Progress) -> None:
        total = self._begin(response)
        if response.status_code == 416:
            return
        if total is not None:
            free = shutil.disk_usage(self._part.parent).free
            if total - self.offset > free:
                raise OutputError(
                    f"{self._part.parent} has {free} bytes free, {total - self.offset} are needed; make room"
                )
        progress.arrived(self.offset, total)
        changed = _last_modified(response)
        for chunk in response.iter_content(_CHUNK_BYTES):
            self._stream.write(chunk)
            self._stream.flush()
            self.offset += len(chunk)
            if changed is not None:
                # A later run sees by this whether what it finds is still the beginning of the same file.
                os.utime(self._part, (changed, changed))
            progress.arrived(self.offset, total)
        if total is not None and self.offset < total:
            raise _Cut(f"the connection ended after {self.offset} of {total} bytes")

    def _begin(self, response: requests.Response) -> int | None:
        """Check an answer's head, drop what it does not continue, and return the file's whole size."""
        status = response.status_code
        if status in _TEMPORARY:
            raise _Cut(f"HTTP {status} {response.reason}".strip(), _retry_after_s(response))
        span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if status == 416 and self.offset:
            if span is None or span[2] != str(self.offset):
                self.restart()
                raise _Cut("what is here is longer than the file")
            return self.offset
        if status not in (200, 206):
            raise NetworkError(f"HTTP {status} {response.reason}".strip())
        if status == 200:
            self.restart()
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isdecimal() else None
        if span is None or span[1] != str(self.offset) or self._is_of_another(response):
            self.restart()
            raise _Cut("the server's answer does not continue what is here")
        return int(span[2]) if span[2].isdecimal() else None

    def _is_of_another(self, response: requests.Response) -> bool:
        """Tell whether the file changed since its beginning came; a known hash tells that in the end."""
        changed = _last_modified(response)
        return not self._known and changed is not None and changed != int(self._part.stat().st_mtime)


def _last_modified(response: requests.Response) -> int | None:
    try:
        return int(parsedate_to_datetime(response.headers["Last-Modified"]).timestamp())
    except (KeyError, ValueError):
        return None


def _retry_after_s(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _cause(error: Exception) -> str:
    """Return the innermost reason in a few words, without the objects' addresses in memory."""
    inner: BaseException = error
    while True:
        deeper = getattr(inner, "reason", None) or next(
            (arg for arg in reversed(inner.args) if isinstance(arg, BaseException)), None
        )
        if not isinstance(deeper, BaseException):
            break
        inner = deeper
    text = re.sub(r"^.*?object at 0x[0-9a-f]+>: |\bHTTPS?Connection(Pool)?\([^)]*\): ", "", str(inner))
    return " ".join(text.split()) or type(inner).__name__
