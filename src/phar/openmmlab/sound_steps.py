"""A step of audio pipelines that MMAction2 lacks: variation of log-mel features in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from phar.schema import FloatArray


def varied(
    features: FloatArray,
    rng: np.random.RandomState,
    speed: Sequence[float],
    bands: int,
    level: float,
    lead: int,
    masked_rows: int,
    masked_bands: int,
) -> FloatArray:
    """Play features (rows, bands) at another speed, pitch and level, later, and hide a part.

    `speed`: range of factors; `bands`: shift by at most so many; `level`: of at most so much, for features
    in [0, 1]; `lead`: at most so many rows of silence before; `masked_rows` and `masked_bands`: at most so
    many neighbours become silence. Source of the masks: Park et al., SpecAugment, 2019.
    """
    count = max(1, round(len(features) / rng.uniform(*speed)))
    at = np.linspace(0, len(features) - 1, count)
    low = np.floor(at).astype(int)
    share = (at - low)[:, None]
    played = features[low] * (1 - share) + features[np.minimum(low + 1, len(features) - 1)] * share
    shift = int(rng.randint(-bands, bands + 1))
    moved = np.zeros_like(played)
    size = played.shape[1] - abs(shift)
    moved[:, max(0, shift) : max(0, shift) + size] = played[:, max(0, -shift) : max(0, -shift) + size]
    # Silence stays silence.
    moved = np.where(moved > 0, np.clip(moved + rng.uniform(-level, level), 0, 1), 0)
    for axis, most in enumerate((masked_rows, masked_bands)):
        length = int(rng.randint(0, min(most, moved.shape[axis] - 1) + 1))
        start = int(rng.randint(0, moved.shape[axis] - length + 1))
        hidden = slice(start, start + length)
        moved[hidden if axis == 0 else (slice(None), hidden)] = 0
    before = np.zeros((int(rng.randint(0, lead + 1)), moved.shape[1]))
    return np.concatenate([before, moved]).astype(np.float32)


def register() -> None:
    """Register `VarySound` with MMAction2, once."""
    from mmaction.registry import TRANSFORMS

    if "VarySound" in TRANSFORMS.module_dict:
        return

    class VarySound:
        """See `varied`; before the sampler, whose rows change in number."""

        def __init__(
            self,
            speed: Sequence[float] = (0.9, 1.1),
            bands: int = 2,
            level: float = 0.05,
            lead: int = 0,
            masked_rows: int = 4,
            masked_bands: int = 8,
        ) -> None:
            self._settings = (speed, bands, level, lead, masked_rows, masked_bands)

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            rng = np.random.RandomState(np.random.randint(2**31))
            audios = varied(np.asarray(results["audios"], np.float32), rng, *self._settings)
            return {**results, "audios": audios, "total_frames": len(audios), "length": len(audios)}

    TRANSFORMS.register_module(module=VarySound)
