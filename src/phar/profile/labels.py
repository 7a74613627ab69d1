"""Label files: one label per line, each spelled one way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phar.schema import ProfileError


def load_labels(path: Path | str) -> tuple[str, ...]:
    """Read a label file: one label per line, blank lines and trailing space ignored.

    Raises:
        ProfileError: the file is missing, empty or not text, or a label comes twice.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"label file {path} cannot be read ({cause(error)}); give a text file") from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise ProfileError(f"label file {path} is empty; put one label on each line")
    check_spelling([labels], str(path))
    for label in labels:
        if labels.count(label) > 1:
            raise ProfileError(f"label file {path} names {label!r} twice; keep one")
    return labels


def check_spelling(vocabularies: Sequence[Sequence[str]], where: str) -> None:
    """Refuse labels that differ only in case, or in '-', '_' and space."""
    spelled: dict[str, str] = {}
    for label in (label for vocabulary in vocabularies for label in vocabulary):
        plain = label.casefold().replace("_", "-").replace(" ", "-")
        if spelled.setdefault(plain, label) != label:
            raise ProfileError(
                f"{where}: {spelled[plain]!r} and {label!r} are one label spelled two ways; use one"
            )


def cause(error: Exception) -> str:
    """Return why a text file could not be read, in a few words."""
    return getattr(error, "strerror", None) or "not UTF-8 text"
