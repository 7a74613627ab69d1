"""The files of an evaluation: JSON, Markdown, a page and pictures, each replaced in one step."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phar.evaluate.markdown import markdown
from phar.export.target import check_target, replacing
from phar.schema import OutputError, UsageError

#: What the files in a folder are called; pictures lie beside them.
STEM = "eval"
SUFFIXES = (".json", ".md", ".html")


def check_output(path: Path) -> None:
    """Check, before any work, that figures can be written to a file, or into a folder.

    Raises:
        UsageError: the suffix is none of `SUFFIXES`, or phar did not write what is there.
        OutputError: the place cannot be written.
    """
    if path.suffix.lower() in SUFFIXES:
        check_target(path)
        return
    if path.is_file() or (path.suffix and not path.is_dir()):
        raise UsageError(f"{path}: figures are written as {', '.join(SUFFIXES)}, or into a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror}; choose another place") from None
    for suffix in SUFFIXES:
        check_target(path / f"{STEM}{suffix}")


def write_output(document: Mapping[str, Any], path: Path) -> None:
    """Write a file by its suffix, or all of them with the pictures into a folder. Raises OutputError."""
    if path.suffix.lower() in SUFFIXES:
        _write(document, path)
        return
    for suffix in SUFFIXES:
        _write(document, path / f"{STEM}{suffix}")
    _write_pictures(document, path)


def _write(document: Mapping[str, Any], path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    elif suffix == ".md":
        text = f"<!-- written by phar {document['phar_version']} -->\n\n{markdown(document)}\n"
    else:
        from phar.evaluate.page import page

        text = page(document)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_pictures(document: Mapping[str, Any], folder: Path) -> None:
    from phar.evaluate import pictures

    several = len(document["models"]) > 1
    for model in document["models"]:
        prefix = re.sub(r"[^\w.-]+", "-", model["name"]) + "-" if several else ""
        for name, figure in pictures.pictures(model, list(document["labels"])).items():
            for suffix in pictures.SUFFIXES:
                with replacing(folder / f"{prefix}{name}.{suffix}") as temporary:
                    temporary.write_bytes(pictures.encoded(figure, suffix))
