"""Output files: what may be replaced, and replacing it in one step.

Nothing is ever half-written under its final name: writers fill a temporary
file beside the target, which is then renamed over it.
"""

from __future__ import annotations

import os
import re
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phar import foreign
from phar.schema import OutputError, PharError, UsageError

#: The container comment of every media file phar writes starts with this word.
MEDIA_COMMENT = "phar"

#: The key that marks JSON as the list of shorts in a folder; its value is the form's version.
SHORTS_MARK = "phar_clips"

#: The array that marks an .npz file as saved poses; its value is the form's version.
POSES_MARK = "phar_poses"

#: The key that marks JSON as what `phar eval` measured; its value is the form's version.
EVALUATION_MARK = "phar_evaluation"

#: The last column of every table phar writes.
CSV_MARK = "phar_version"

#: What the creator of a VIA project, and the model of a Label Studio prediction, start with.
VIA_CREATOR = LABEL_STUDIO_MODEL = "phar"

#: How each text format begins in which a comment names phar.
_TEXT_HEAD = re.compile(
    rb"(WEBVTT\r?\n\r?\nNOTE |;FFMETADATA1\r?\n; |##? |<\?xml [^>]*\?>\r?\n<!-- |(<!doctype html>\n)?<!-- )"
    rb"written by phar "
)
_CSV_HEAD = re.compile(rb"[a-z_,]+,phar_version\r?\n")

#: How a Parquet file begins and ends, and the key in its footer that marks it as phar's.
_PARQUET = b"PAR1"

_TIMESTAMP_KEY = re.compile(r"\d+(\.\d+)?:\d+(\.\d+)?")


def check_target(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Check, before any work, that `path` can be written and may be replaced.

    Args:
        path: where output will go.
        inputs: files that are read; none of them may be the target.

    Raises:
        UsageError: it is an input, a folder, a device, or a file phar did not write.
        OutputError: its folder does not exist or cannot be written, or the file cannot be read.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} cannot be written; choose another")
    if not path.exists():
        return
    for other in inputs:
        if other.exists() and path.samefile(other):
            raise UsageError(f"{path} is an input; give the output another name")
    if not path.is_file():
        raise UsageError(f"{path} is no ordinary file; give the output another name")
    try:
        own = written_by_phar(path)
    except OSError as error:
        raise OutputError(
            f"{path} exists and cannot be read: {error.strerror}; choose another name"
        ) from None
    if not own:
        raise UsageError(f"{path} exists and was not written by phar; move it away or choose another name")


def written_by_phar(path: Path) -> bool:
    """Tell whether a file is one of the forms of a report, poses, a table or media that phar wrote."""
    with path.open("rb") as stream:
        head = stream.read(200)
    if head.lstrip()[:1] in (b"{", b"["):
        try:
            return is_own_document(foreign.read_json(path))
        except foreign.Unreadable:
            return False
    if _TEXT_HEAD.match(head) or _CSV_HEAD.match(head):
        return True
    if head.startswith(_PARQUET):
        return CSV_MARK.encode() in _parquet_footer(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return f"{POSES_MARK}.npy" in archive.namelist()
    return _media_comment(path).startswith(MEDIA_COMMENT)


def is_own_document(document: Any) -> bool:
    """Tell whether parsed JSON is a form of a report, a trace, or made for another tool by phar."""
    if isinstance(document, dict):
        if "phar_version" in document and ("schema_version" in document or "files" in document):
            return True
        if set(document) == {"displayTimeUnit", "traceEvents"}:
            return True
        project = document.get("project")
        if isinstance(project, dict):
            return str(project.get("creator")).startswith(f"{VIA_CREATOR} ")
        if SHORTS_MARK in document or EVALUATION_MARK in document:
            return True
        return bool(document) and all(
            _TIMESTAMP_KEY.fullmatch(key) and isinstance(value, str) for key, value in document.items()
        )
    return is_legacy(document) or _is_label_studio(document)


def is_legacy(document: Any) -> bool:
    """Tell whether parsed JSON is the original's list of `{score: label}`."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(
            isinstance(clip, dict)
            and all(_is_number(score) and isinstance(label, str) for score, label in clip.items())
            for clip in document
        )
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` if the block succeeds.

    A link is followed. Whatever ends the block early, an interrupt too, removes
    the temporary file and leaves `path` as it was.

    Raises:
        OutputError: the file cannot be created, written or renamed.
    """
    final = path.resolve()
    temporary = final.with_name(f".{final.stem}.{secrets.token_hex(4)}.part{final.suffix}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        temporary.replace(final)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written: {reason}; choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_label_studio(document: Any) -> bool:
    try:
        models = {prediction["model_version"] for task in document for prediction in task["predictions"]}
    except (TypeError, KeyError):
        return False
    return bool(models) and all(str(model).startswith(f"{LABEL_STUDIO_MODEL} ") for model in models)


def _parquet_footer(path: Path) -> bytes:
    """Return the footer, whose texts are not compressed; its length stands before the last four bytes."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 8))
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(0, size - 8 - length))
        return stream.read(min(length, size))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _media_comment(path: Path) -> str:
    from phar.media.comment import read_comment

    try:
        return read_comment(path)
    except PharError:
        return ""
