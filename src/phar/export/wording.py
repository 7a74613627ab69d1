"""Labels and paths as text that a line-based or XML format can hold, and the mark of phar's text files."""

from __future__ import annotations

import os
from pathlib import Path

from phar.schema import Report

#: What the comment at the head of every text file that phar writes says, before the version.
TEXT_MARK = "written by phar"


def mark(report: Report) -> str:
    """Return the comment by which a text file is known as phar's."""
    return f"{TEXT_MARK} {one_line(report.phar_version)}"


def one_line(text: str) -> str:
    """Return text on one line: runs of spaces, breaks and control characters become one space each.

    What is no character at all (lone surrogates, U+FFFE, U+FFFF) becomes U+FFFD, and so does a text of which
    nothing is left.
    """
    kept = "".join(" " if _is_control(c) else "\ufffd" if _is_no_character(c) else c for c in text)
    return " ".join(kept.split()) or "\ufffd"


def path_text(path: str) -> str:
    """Return a path as text; bytes of a file name that are no UTF-8 become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def absolute_text(path: str) -> str:
    """Return a path from the root as text, without `..`; links are not followed."""
    return path_text(os.path.normpath(Path(path).absolute()))


def _is_control(c: str) -> bool:
    return c < " " or "\x7f" <= c <= "\x9f"


def _is_no_character(c: str) -> bool:
    return "\ud800" <= c <= "\udfff" or c in "\ufffe\uffff"
