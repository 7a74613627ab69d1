"""Log-mel features of the audio stream, per window, as the published audio net was trained on."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.schema import FloatArray

SAMPLE_RATE_HZ = 16_000
"""The only sample rate that the features are defined for."""
FFT_SIZE = 512
"""Samples in one frame: 32 ms."""
HOP_SIZE = 256
"""Samples from one frame to the next: 16 ms."""
NUM_MELS = 80
MEL_MIN_HZ = 125.0
MEL_MAX_HZ = 7600.0
TARGET_RMS = 0.1
"""Every window is scaled to this root mean square, relative to full scale."""
MIN_RMS = 1e-4
"""Quieter windows (-80 dB) are scaled as if they were this loud, so that silence stays silence."""
REFERENCE_DB = 20.0
"""Mel magnitude in dB that becomes 1."""
RANGE_DB = 100.0
"""Span below `REFERENCE_DB` that is mapped to 0..1; what lies outside is clipped."""


def num_frames(num_samples: int) -> int:
    """Return how many feature frames a window of `num_samples` samples has: 439 for 7 s."""
    return 1 + -(-num_samples // HOP_SIZE)


def log_mel(samples: NDArray[np.floating[Any]]) -> FloatArray:
    """Return the log-mel features of one window of sound.

    `samples`: (n,) mono at 16 kHz, full scale 1; values that are not finite count as 0.
    Returns (num_frames(n), 80) float32 in [0, 1], time first, low frequencies first. Digital
    silence and a window without samples (one frame) give zeros.
    Raises ValueError for an array that is not one-dimensional.
    Source: MMAction2 1.2.0, tools/data/build_audio_features.py as its main program runs it.
    """
    return log_mel_batch([samples])[0]


def log_mel_batch(windows: Sequence[NDArray[np.floating[Any]]]) -> list[FloatArray]:
    """Return `log_mel` of each window, computed together; lengths may differ."""
    if not windows:
        return []
    frames = [_frames(_normalise(_checked(samples))) for samples in windows]
    magnitudes = np.abs(np.fft.rfft(np.concatenate(frames) * _window(), axis=1))
    mels = magnitudes @ _mel_filters()
    # 1e-5 is far below the range that is kept; it only keeps the logarithm finite.
    decibels = 20.0 * np.log10(np.maximum(mels, 1e-5)) - REFERENCE_DB
    features = np.clip(decibels / RANGE_DB + 1.0, 0.0, 1.0).astype(np.float32)
    return np.split(features, np.cumsum([len(part) for part in frames])[:-1])


def _checked(samples: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim != 1:
        raise ValueError(f"samples have shape {samples.shape}, not (n,): mix the channels down first")
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


def _normalise(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    rms = float(np.sqrt(np.mean(np.square(samples)))) if samples.size else 0.0
    return samples * (TARGET_RMS / max(rms, MIN_RMS))


def _frames(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut (n,) into (num_frames(n), FFT_SIZE) overlapping frames.

    One hop of zeros goes before the sound and zeros fill the last frame, so that every sample
    lies in two frames.
    Source: `stft` with `perfectrec=True` of the lws package 1.2.8.
    """
    padded = np.zeros((num_frames(samples.size) + 1) * HOP_SIZE)
    padded[HOP_SIZE : HOP_SIZE + samples.size] = samples
    hops = padded.reshape(-1, HOP_SIZE)
    # The hop is half a frame, so a frame is two hops side by side.
    return np.concatenate([hops[:-1], hops[1:]], axis=1)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float64]:
    """Return the (FFT_SIZE,) analysis window of lws.

    Its window is the root of a symmetric Hann window, which for a hop of half a frame already
    reconstructs perfectly and is a half sine.
    """
    window: NDArray[np.float64] = np.sin(np.pi * (np.arange(FFT_SIZE) + 0.5) / FFT_SIZE)
    window.setflags(write=False)
    return window


@lru_cache(maxsize=1)
def _mel_filters() -> NDArray[np.float64]:
    """Return the (FFT_SIZE / 2 + 1, NUM_MELS) filter bank: Slaney mels, each of equal area."""
    from librosa.filters import mel  # takes over a second to import

    filters = mel(sr=SAMPLE_RATE_HZ, n_fft=FFT_SIZE, n_mels=NUM_MELS, fmin=MEL_MIN_HZ, fmax=MEL_MAX_HZ)
    transposed = np.ascontiguousarray(filters.T, dtype=np.float64)
    transposed.setflags(write=False)
    return transposed
