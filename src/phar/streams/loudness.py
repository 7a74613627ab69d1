"""How loud a window of sound is, and whether that is loud enough for the audio stream."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phar.schema import ProfileError

if TYPE_CHECKING:
    from phar.profile import LoudnessGate

BLOCK_S = 0.4
"""Length of a gating block: less sound than this has no integrated loudness. Source: ITU-R BS.1770."""
MAX_CHANNELS = 5
"""Left, right, centre, left surround, right surround: the channels that BS.1770 weighs."""


def integrated_lufs(samples: NDArray[np.floating[Any]], hz: int) -> float:
    """Return the gated integrated loudness of a window in LUFS.

    `samples`: (n,) or (n, channels) with full scale 1, at `hz` samples a second; channels in the
    order of `MAX_CHANNELS`, a low-frequency channel left out; values that are not finite count
    as 0. Returns -inf for digital silence, for sound that never reaches -70 LUFS, and for less
    than 400 ms. Raises ValueError for an array of another shape.
    Source: ITU-R BS.1770-4, annex 1; K-weighting in De Man's form, which gives the standard's own
    coefficients at 48 kHz.
    """
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= samples.shape[1] <= MAX_CHANNELS):
        raise ValueError(f"samples have shape {samples.shape}, not (n,) or (n, 1 to {MAX_CHANNELS})")
    if samples.shape[0] < BLOCK_S * hz:
        return -math.inf
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    if not samples.any():
        return -math.inf

    from pyloudnorm import Meter  # takes over a second to import

    return float(Meter(hz, filter_class="DeMan", block_size=BLOCK_S).integrated_loudness(samples))


def audible(lufs: float, gate: LoudnessGate, proposed_label: str | None) -> tuple[bool, str]:
    """Tell whether a window passes the loudness gate, and why, in words for people.

    `lufs`: integrated loudness, -inf for silence. `proposed_label`: the label that RGB proposes,
    which only the rule `label` looks at. A window exactly at the threshold passes.
    Raises ProfileError where the gate's rule has no threshold to compare with.
    """
    threshold_lufs, origin = _threshold(gate, proposed_label)
    passed = lufs >= threshold_lufs
    relation = "reaches" if passed else "is below"
    return passed, f"loudness {lufs:.1f} LUFS {relation} {threshold_lufs:.1f} LUFS ({origin})"


def _threshold(gate: LoudnessGate, proposed_label: str | None) -> tuple[float, str]:
    thresholds: Mapping[str, float] = gate.thresholds_lufs
    if gate.rule == "fixed":
        if gate.fixed_lufs is None:
            raise ProfileError("loudness rule 'fixed' has no threshold: set fixed_lufs in the profile")
        return gate.fixed_lufs, "fixed"
    if gate.rule not in ("mean", "label"):
        raise ProfileError(f"loudness rule is {gate.rule!r}: use mean, label or fixed")
    if gate.rule == "label" and proposed_label is not None and proposed_label in thresholds:
        return thresholds[proposed_label], f"threshold of {proposed_label}"
    if not thresholds:
        raise ProfileError(
            f"loudness rule {gate.rule!r} has no thresholds: fill thresholds_lufs in the profile"
        )
    return math.fsum(thresholds.values()) / len(thresholds), f"mean over {len(thresholds)} labels"
