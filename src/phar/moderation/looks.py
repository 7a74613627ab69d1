"""How a picture looks, in 64 bits."""

from __future__ import annotations

import imagehash
import numpy as np
from PIL import Image

from phar.media import Frame

#: Width at which pictures are hashed.
_WIDTH_PX = 256


def picture_hash(frame: Frame) -> int:
    """Return the perceptual hash of a picture; alike ones differ in few bits.

    Source: imagehash's `phash`, the signs of the lowest frequencies of a cosine transform.
    """
    bits = imagehash.phash(Image.fromarray(frame.to_rgb(_WIDTH_PX)).convert("L")).hash
    return int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big")
