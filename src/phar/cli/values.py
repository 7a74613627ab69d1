"""Types of command-line values: each turns a text into a value or says what was expected."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

#: What `--profile` takes where the best one is chosen without it.
PROFILE_HELP = "a bundled profile or a YAML file (default: phar17 if its checkpoints are here, else demo)"


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def seconds(text: str) -> float:
    """Return a finite number above 0."""
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def amount(text: str) -> float:
    """Return a finite number above 0."""
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def file_or_url(text: str) -> Path | str:
    """Return a path, also for a file:// URL, or any other URL as its text."""
    from phar.batch.storage import from_file_url, is_url

    path = from_file_url(text)
    return path.rstrip("/") if is_url(path) else Path(path)


def length(text: str) -> float:
    """Return a finite number of at least 0."""
    value = _number(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def lengths(text: str) -> tuple[float, float]:
    """Return (least, greatest) of a range of seconds written as 5..60."""
    least, dots, greatest = text.partition("..")
    if not dots or not 0 < _number(least) <= _number(greatest) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of seconds such as 5..60")
    return _number(least), _number(greatest)


def aspect(text: str) -> tuple[int, int]:
    """Return (width, height) of an aspect ratio written as 9:16."""
    found = re.fullmatch(r"([1-9]\d{0,3}):([1-9]\d{0,3})", text)
    if found is None or not 1 / 10 <= int(found[1]) / int(found[2]) <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not an aspect ratio such as 9:16")
    return int(found[1]), int(found[2])


def unit(text: str) -> float:
    """Return a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def labelled(value: Callable[[str], float]) -> Callable[[str], tuple[str | None, float]]:
    """Return a type that reads VALUE, or LABEL=VALUE, as (label or None, value)."""

    def read(text: str) -> tuple[str | None, float]:
        label, equals, number = text.rpartition("=")
        return (label if equals else None), value(number)

    return read


def device(text: str) -> str:
    """Return a device name: auto, cpu, cuda or cuda:N."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no device; use auto, cpu, cuda or cuda:0")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def clock(value_s: float) -> str:
    """Return seconds as people read them: 7:05, 1:07:05."""
    minutes, rest = divmod(round(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
