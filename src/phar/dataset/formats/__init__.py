"""Readers of annotation tools' files: one file a format, FORMATS the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from phar.dataset.formats.cvat import read_cvat
from phar.dataset.formats.document import read_json, read_text
from phar.dataset.formats.label_studio import is_label_studio, read_label_studio
from phar.dataset.formats.mark import Fault, Mark, Parsed, ReadOptions
from phar.dataset.formats.plain import read_plain
from phar.dataset.formats.via import is_via_csv, is_via_project, read_via
from phar.schema import UsageError

Reader = Callable[[Path, ReadOptions], Parsed]

#: Format name to its reader.
FORMATS: Mapping[str, Reader] = MappingProxyType(
    {"via": read_via, "cvat": read_cvat, "label-studio": read_label_studio, "csv": read_plain}
)

__all__ = ["FORMATS", "Fault", "Mark", "Parsed", "ReadOptions", "format_of"]


def format_of(path: Path) -> str:
    """Tell which format a file has, by its suffix and content.

    Raises:
        UsageError: it cannot be read, or is none of them.
    """
    suffix = path.suffix.lower()
    if suffix in (".xml", ".zip"):
        return "cvat"
    if suffix == ".json":
        document = read_json(path)
        if is_via_project(document):
            return "via"
        if is_label_studio(document):
            return "label-studio"
        raise UsageError(f"{path}: is neither a VIA 3 project nor Label Studio's JSON; name its --format")
    if suffix in (".csv", ".tsv", ".txt"):
        return "via" if is_via_csv(read_text(path)) else "csv"
    if suffix == ".parquet":
        return "csv"
    raise UsageError(
        f"{path}: suffix {suffix!r} tells no format; name one of {', '.join(FORMATS)} by --format"
    )
