"""Places that follow from a seed and a name alone, so that adding or removing others moves nobody."""

from __future__ import annotations

import hashlib


def place(seed: int, *names: object) -> float:
    """Return a number in [0, 1), evenly spread over names, the same for the same seed and names."""
    text = "\x1f".join([str(seed), *map(str, names)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def short_hash(*names: object) -> str:
    """Return 16 hexadecimal digits that tell names apart."""
    text = "\x1f".join(map(str, names))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
