"""Read annotation files from strangers: limits on size and depth, no entities, any byte order mark."""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from phar import foreign
from phar.foreign import MAX_DEPTH
from phar.schema import UsageError

#: A day of video annotated frame by frame in XML is about half of this.
MAX_BYTES = 512 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Return a file's text: UTF-8, or what its byte order mark says.

    Raises:
        UsageError: it is missing, too large or not text.
    """
    data = _read(path)
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not {encoding} text; save it as UTF-8") from None


def read_json(path: Path) -> Any:
    """Return the parsed JSON of a file.

    Raises:
        UsageError: it is missing, too large, nested too deep or not JSON, or numbers or texts in it are none.
    """
    try:
        return foreign.parse_json(read_text(path))
    except foreign.Unreadable as error:
        raise UsageError(f"{path}: cannot be read ({error}); export it anew") from None


def read_elements(path: Path) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield each element of an XML file as it ends, with the names of its ancestors.

    Of a .zip, `annotations.xml` is read. Elements directly beneath the root are emptied once the consumer
    has seen them, so memory does not grow with the file.

    Raises:
        UsageError: it is missing, too large or no well-formed XML, it declares a document type (entities),
            or it is nested too deep.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, iterparse

    open_names: list[str] = []
    root: Any = None
    try:
        with _xml_stream(path) as stream:
            for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
                if event == "start":
                    root = element if root is None else root
                    open_names.append(element.tag)
                    if len(open_names) > MAX_DEPTH:
                        raise UsageError(f"{path}: is nested deeper than {MAX_DEPTH} levels; refused")
                    continue
                open_names.pop()
                yield element, tuple(open_names)
                if len(open_names) == 1:
                    root.clear()
    except DefusedXmlException:
        raise UsageError(f"{path}: declares a document type or entities, which phar does not read") from None
    except (ParseError, ValueError) as error:
        raise UsageError(f"{path}: is not well-formed XML ({error}); export it anew") from None


@contextmanager
def _xml_stream(path: Path) -> Iterator[IO[bytes]]:
    _check(path)
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            yield stream
        return
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("annotations.xml").file_size > MAX_BYTES:
                raise UsageError(f"{path}: annotations.xml is larger than {MAX_BYTES >> 20} MB; split it")
            with archive.open("annotations.xml") as member:
                # ZipFile stops at the size stated in the archive, so the check above holds.
                yield member
    except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise UsageError(f"{path}: holds no annotations.xml that can be read ({error})") from None


def _read(path: Path) -> bytes:
    _check(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None


def _check(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    if not path.is_file():
        raise UsageError(f"{path}: is no ordinary file; name an annotation file")
    if size > MAX_BYTES:
        raise UsageError(f"{path}: is larger than {MAX_BYTES >> 20} MB; split it")
