"""Label files: one label per line, each spelled one way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phar.foreign import Unreadable, read_text
from phar.profile.resources import resolve
from phar.schema import ProfileError

#: The longest vocabulary in use, some 20,000 words, is a tenth of this.
_MAX_BYTES = 4 << 20


def load_labels(path: Path | str, *, foreign: bool = False) -> tuple[str, ...]:
    """Read a label file: one label per line, blank lines and trailing space ignored.

    `foreign` labels are spelled as somebody else spells them: two may differ in case or hyphens only.

    Raises:
        ProfileError: the file is missing, empty or not text, or a label comes twice.
    """
    path = Path(path)
    try:
        lines = read_text(path, _MAX_BYTES).splitlines()
    except Unreadable as error:
        raise ProfileError(f"label file {path} cannot be read ({error}); give a text file") from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise ProfileError(f"label file {path} is empty; put one label on each line")
    if not foreign:
        check_spelling([labels], str(path))
    twice = _first_repeated(labels)
    if twice is not None:
        raise ProfileError(f"label file {path} names {twice!r} twice; keep one")
    return labels


def labels_of(
    entry: str | Sequence[str], bases: Sequence[Path], where: str, *, foreign: bool = False
) -> tuple[str, ...]:
    """Return the labels that a profile's entry lists, or that the file it names holds.

    bases: where a relative path is looked up. Raises ProfileError as `load_labels` does.
    """
    if isinstance(entry, str):
        return load_labels(resolve(entry, bases), foreign=foreign)
    twice = _first_repeated(entry)
    if twice is not None:
        raise ProfileError(f"{where}: {twice!r} is listed twice; keep one")
    return tuple(entry)


def _first_repeated(labels: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            return label
        seen.add(label)
    return None


def check_spelling(vocabularies: Sequence[Sequence[str]], where: str) -> None:
    """Refuse labels that differ only in case, or in '-', '_' and space."""
    spelled: dict[str, str] = {}
    for label in (label for vocabulary in vocabularies for label in vocabulary):
        plain = label.casefold().replace("_", "-").replace(" ", "-")
        if spelled.setdefault(plain, label) != label:
            raise ProfileError(
                f"{where}: {spelled[plain]!r} and {label!r} are one label spelled two ways; use one"
            )
