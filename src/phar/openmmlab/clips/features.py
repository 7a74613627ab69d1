"""Clips of sound: views of a log-mel spectrogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.clips.spec import ClipSpec
from phar.schema import ModelError


@dataclass(frozen=True)
class FeatureClip(ClipSpec):
    """Views of a spectrogram: rows from a clip's first to its last, padded with zeros.

    The sampler counts spectrogram rows in the place of frames.
    Source: mmaction2 1.2.0, `AudioFeatureSelector`, whose rounding and wrapping are kept.
    """

    fixed_length: int = 128
    """Rows of each view after padding or cutting."""

    def views(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (rows, bands) -> (num_clips, 1, fixed_length, bands)."""
        if window.ndim != 2 or not len(window):
            raise ModelError(f"features of shape {window.shape} were given, (rows, bands) is needed")
        num_rows = len(window)
        # Rows have no times of their own: "seconds" counts them as 1.x does.
        rule = "frames-1.x" if self.sampling == "seconds" else self.sampling
        rows = self.sampler.indices(num_rows, rule).reshape(-1, self.sampler.clip_len)
        views = np.zeros((len(rows), 1, self.fixed_length, window.shape[1]), np.float32)
        for view, clip in zip(views, rows, strict=True):
            start = max(0, round((int(clip[0]) + 1) / num_rows * num_rows))
            end = min(num_rows, round((int(clip[-1]) + 1) / num_rows * num_rows))
            part = window[start:end][: self.fixed_length]
            view[0, : len(part)] = part
        return views
