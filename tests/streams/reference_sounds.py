"""The sounds whose log-mel features are stored in log_mel_reference.npz."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import chirp, resample_poly

HZ = 16_000
REAL_SOUNDS = {
    "speech_6.6s": "people/open-mmlab+mmaction2/tests/data/test.wav",
    "flute_7s": "audio/seth814+Audio-Classification/wavfiles/Flute/3eaddda8.wav",
}
"""Path inside the folder of real clips, by the name of the stored features."""


def made_sounds() -> dict[str, NDArray[np.float32]]:
    """Return the seeded sounds, each (n,) at 16 kHz.

    RandomState is used because numpy promises that its stream never changes.
    """
    random = np.random.RandomState(7)
    times_s = np.arange(7 * HZ) / HZ
    sweep = 0.5 * chirp(times_s, f0=60, t1=7, f1=7900, method="logarithmic")
    bursts = (times_s % 1 < 0.25) * random.normal(scale=0.2, size=times_s.size)
    sounds = {
        "sweep_and_bursts_7s": sweep + bursts,
        "sweep_at_-100dB_2s": 1e-5 * sweep[: 2 * HZ],
        "noise_0.3s": random.normal(scale=0.1, size=4_801),
        "click_3_samples": np.array([0.0, 0.7, -0.2]),
        "noise_2_hops": random.normal(scale=0.1, size=512),
    }
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}


def read_real(path: Path) -> NDArray[np.float32]:
    """Read at most 7 s of a 16-bit WAV file as (n,) mono at 16 kHz."""
    hz, samples = wavfile.read(path)
    scaled = samples.astype(np.float64) / 32768
    mono = scaled.mean(axis=1) if scaled.ndim == 2 else scaled
    if hz != HZ:
        mono = resample_poly(mono, HZ // 100, hz // 100)
    return mono[: 7 * HZ].astype(np.float32)
