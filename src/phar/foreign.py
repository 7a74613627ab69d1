"""Text, JSON and YAML that strangers wrote: limits on size and depth, and nothing that multiplies.

Source: YAML 1.2.2, section 7.1, alias nodes, https://yaml.org/spec/1.2.2/#71-alias-nodes; a few lines of
aliases to aliases stand for billions of values.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: A report of two days at a window a second is about this large.
MAX_JSON_BYTES = 512 << 20

#: The longest profile is a few kilobytes.
MAX_YAML_BYTES = 256 << 10

#: No format that phar reads nests deeper than about ten levels.
MAX_DEPTH = 64

#: Numbers that may be too large for a float, and characters that may be half of one.
_MAYBE_INFINITE = re.compile(r"\d[eE]\+?\d{3}|\d{300}")
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """A file that cannot be read; the message says why in a few words, for a sentence that names the file."""


def read_text(path: Path, max_bytes: int) -> str:
    """Return a file's UTF-8 text, without a byte order mark.

    Raises:
        Unreadable: missing, too large, or not UTF-8.
    """
    return decoded(read_bytes(path, max_bytes))


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return a file's content.

    Raises:
        Unreadable: missing or too large.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "not readable") from None
    except ValueError:
        raise Unreadable("no name of a file") from None
    if len(data) > max_bytes:
        raise Unreadable(f"larger than {_size(max_bytes)}")
    return data


def decoded(data: bytes) -> str:
    """Return UTF-8 text without a byte order mark.

    Raises:
        Unreadable: it is none.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8 text") from None


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return what a JSON file holds; every number in it is finite.

    Raises:
        Unreadable: see `read_text` and `parse_json`.
    """
    return parse_json(read_text(path, max_bytes))


def parse_json(text: str) -> Any:
    """Return what JSON text holds; every number in it is finite.

    Raises:
        Unreadable: not JSON, nested deeper than MAX_DEPTH, or with half of a surrogate pair in a text.
    """
    try:
        document = json.loads(text, parse_constant=_refused)
    except RecursionError:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Unreadable(f"not JSON: {' '.join(str(error).split())[:300]}") from None
    if is_deeper(document, MAX_DEPTH):
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
    if _MAYBE_INFINITE.search(text) and _holds(document, _is_infinite):
        raise Unreadable("a number in it is too large")
    if _MAYBE_HALF.search(text) and _holds(document, _is_half):
        raise Unreadable("a text in it is no Unicode")
    return document


def read_yaml(path: Path, max_bytes: int = MAX_YAML_BYTES) -> Any:
    """Return what a YAML file holds, as plain data.

    Raises:
        Unreadable: see `read_text` and `parse_yaml`.
    """
    return parse_yaml(read_text(path, max_bytes))


def parse_yaml(text: str) -> Any:
    """Return what YAML text holds, as plain data.

    Raises:
        Unreadable: not YAML, tags that ask for objects, aliases, nested deeper than MAX_DEPTH, or a number
            that is not finite or beyond floats, or text that is no Unicode.
    """
    import yaml

    class PlainLoader(yaml.SafeLoader):
        """Reads no aliases."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(None, None, "aliases are not read, write it out")
            return super().compose_node(parent, index)

    try:
        document = yaml.load(text, PlainLoader)
    except RecursionError:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Unreadable(f"not YAML: {' '.join(str(error).split())[:300]}") from None
    if is_deeper(document, MAX_DEPTH):
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
    # `.nan` would pass every comparison with a limit.
    if _holds(document, _is_infinite):
        raise Unreadable("a number in it is too large or none")
    if _holds(document, _is_half):
        raise Unreadable("a text in it is no Unicode")
    return document


def to_yaml(document: Any, *, width: int = 80) -> str:
    """Return plain data as YAML text that `parse_yaml` reads again: what comes twice is written twice."""
    import yaml

    class WholeDumper(yaml.SafeDumper):
        """Writes no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    text: str = yaml.dump(document, Dumper=WholeDumper, sort_keys=False, allow_unicode=True, width=width)
    return text


def is_deeper(document: Any, depth: int) -> bool:
    """Tell whether lists and mappings lie in each other more than `depth` levels deep."""
    level = [document]
    for _ in range(depth):
        level = [child for value in level for child in _children(value) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def shown(text: str) -> str:
    """Return a name or message as it can be printed: on one line, without control sequences."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    # A byte that was no UTF-8.
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _holds(document: Any, wanted: Callable[[Any], bool]) -> bool:
    """Tell whether a value or a key anywhere in a document is of a kind."""
    level = [document]
    while level:
        keys = [key for value in level if isinstance(value, dict) for key in value]
        if any(map(wanted, level)) or any(map(wanted, keys)):
            return True
        level = [child for value in level for child in _children(value)]
    return False


def _is_infinite(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() > sys.float_info.max_exp
    return isinstance(value, float) and not math.isfinite(value)


def _is_half(value: Any) -> bool:
    """Tell whether a text has half of a surrogate pair, which no file and no terminal takes."""
    return isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value)


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _size(num_bytes: int) -> str:
    return f"{num_bytes >> 20} MB" if num_bytes >= 1 << 20 else f"{num_bytes >> 10} KB"
