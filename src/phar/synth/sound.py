"""Voices and background noise, mono float32 at `RATE_HZ`, each a pure function of its seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

#: Everything is made at this rate, so the band ends at 8 kHz.
RATE_HZ = 16000
Samples = NDArray[np.float32]
TAU = 2 * np.pi


def _empty(duration_s: float) -> NDArray[np.float64]:
    return np.zeros(round(duration_s * RATE_HZ))


def _add(target: NDArray[np.float64], at_s: float, sound: NDArray[np.float64]) -> None:
    start = round(at_s * RATE_HZ)
    begin, end = max(start, 0), min(start + len(sound), len(target))
    if begin < end:
        target[begin:end] += sound[begin - start : end - start]


def _rms(samples: NDArray[np.float64]) -> float:
    """Root mean square of the louder half of the 50 ms blocks."""
    block = RATE_HZ // 20
    if len(samples) < block:
        return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    power = (samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(1)
    return float(np.sqrt(np.sort(power)[len(power) // 2 :].mean()))


def knock(
    duration_s: float, bursts: Sequence[Sequence[float]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Dull thuds at the given moments: two or three low damped modes and a click."""
    out = _empty(duration_s)
    modes = rng.uniform(80, 420, 3) * np.array([1.0, 1.5, 2.4])
    decay = rng.uniform(0.03, 0.07)
    t = np.arange(int(0.35 * RATE_HZ)) / RATE_HZ
    for burst in bursts:
        for at in burst:
            gains = rng.uniform(0.4, 1.0, 3)
            thud = sum(
                g * np.sin(TAU * f * t) * np.exp(-t / (decay * k))
                for g, f, k in zip(gains, modes, (1.2, 0.8, 0.4), strict=True)
            )
            click = rng.normal(0, 1, len(t)) * np.exp(-t / 0.004) * rng.uniform(0.3, 0.8)
            _add(out, at - 0.005, (thud + click) * rng.uniform(0.7, 1.1))
    return out


def ring(
    duration_s: float, bursts: Sequence[Sequence[float]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A bell at the given moments: a two-tone chime or inharmonic partials struck in quick turn."""
    out = _empty(duration_s)
    base = rng.uniform(550, 1100)
    chime = rng.uniform() < 0.5
    # Source: partials of a small hand bell, rounded ratios (hum, prime, tierce, quint, nominal).
    ratios = np.array([1.0, 2.0, 2.4, 3.0, 4.5]) if not chime else np.array([1.0, 2.01, 3.02, 4.1])
    gains = rng.uniform(0.3, 1.0, len(ratios)) / np.arange(1, len(ratios) + 1) ** 0.6
    decay = rng.uniform(0.35, 0.9)
    t = np.arange(int(2.0 * RATE_HZ)) / RATE_HZ

    def strike(pitch: float) -> NDArray[np.float64]:
        partials = [
            g * np.sin(TAU * pitch * r * t) * np.exp(-t * r**0.5 / decay)
            for g, r in zip(gains, ratios, strict=True)
            if pitch * r < 0.47 * RATE_HZ
        ]
        return np.asarray(np.sum(partials, axis=0) * np.minimum(t / 0.003, 1))

    high, low = strike(base), strike(base * 0.79)
    for burst in bursts:
        if chime:
            _add(out, burst[0], high)
            _add(out, burst[0] + 0.45, low)
        else:
            for at in burst:
                _add(out, at, high)
    return out


_VOWELS = np.array(
    [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]
)


def _resonate(source: NDArray[np.float64], formants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Three two-pole resonators in parallel. Source: Klatt 1980, cascade/parallel formant synthesis."""
    out = np.zeros_like(source)
    for frequency, width, gain in zip(formants, (80, 100, 140), (1.0, 0.6, 0.3), strict=True):
        radius = np.exp(-np.pi * width / RATE_HZ)
        a = [1, -2 * radius * np.cos(TAU * frequency / RATE_HZ), radius**2]
        out += gain * lfilter([1 - radius], a, source)
    return out


def sing(duration_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A melody: sustained vowels on scale notes, with vibrato."""
    num = round(duration_s * RATE_HZ)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    base = rng.uniform(140, 330)
    pitch, loud = np.empty(num), np.zeros(num)
    vowel = np.zeros(num, int)
    at, step = 0, int(rng.integers(8))
    while at < num:
        length = min(int(rng.uniform(0.35, 1.1) * RATE_HZ), num - at)
        step = int(np.clip(step + rng.integers(-2, 3), 0, 7))
        pitch[at : at + length] = base * 2 ** (scale[step] / 12)
        ramp = np.arange(length) / RATE_HZ
        loud[at : at + length] = np.minimum(ramp / 0.05, 1) * np.minimum((length / RATE_HZ - ramp) / 0.08, 1)
        if rng.uniform() < 0.12:
            loud[at : at + length] *= 0.05
        vowel[at : at + length] = rng.integers(5)
        at += length
    t = np.arange(num) / RATE_HZ
    glide = lfilter([0.002], [1, -0.998], pitch - pitch[:1]) + pitch[:1]
    vibrato = 1 + rng.uniform(0.008, 0.02) * np.sin(TAU * rng.uniform(4.8, 6.2) * t)
    phase = TAU * np.cumsum(glide * vibrato) / RATE_HZ
    harmonics = np.arange(1, 15)
    source = np.zeros(num)
    for h in harmonics:
        source += np.where(h * pitch < 0.45 * RATE_HZ, np.sin(h * phase), 0) / h**1.2
    out = np.zeros(num)
    for number in range(5):
        mask = lfilter([0.01], [1, -0.99], (vowel == number).astype(float))
        if mask.any():
            out += mask * _resonate(source, _VOWELS[number])
    return np.asarray(out * loud + 0.05 * source * loud)


def talk(duration_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Speech-like syllables: gliding pulses through formants, hissed consonants, pauses."""
    out = _empty(duration_s)
    base = rng.uniform(95, 230)
    rate = rng.uniform(3.6, 5.4)
    at = rng.uniform(0, 0.2)
    hiss_filter = butter(2, [2200, 6500], "bandpass", fs=RATE_HZ, output="sos")
    while at < duration_s:
        words = int(rng.integers(4, 12))
        for syllable in range(words):
            length = rng.uniform(0.6, 1.1) / rate
            num = int(length * RATE_HZ)
            t = np.arange(num) / RATE_HZ
            fall = base * (1.25 - 0.4 * syllable / words) * rng.uniform(0.88, 1.15)
            phase = TAU * np.cumsum(fall * (1 + rng.uniform(-0.25, 0.2) * t / length)) / RATE_HZ
            pulses = np.zeros(num)
            pulses[np.flatnonzero(np.diff(np.floor(phase / TAU), prepend=0) > 0)] = 1
            envelope = np.sin(np.pi * np.clip(t / length, 0, 1)) ** 0.7
            voiced = _resonate(
                lfilter([1], [1, -0.9], pulses), _VOWELS[int(rng.integers(5))] * rng.uniform(0.9, 1.15)
            )
            _add(out, at, voiced * envelope)
            if rng.uniform() < 0.5:
                burst = sosfilt(hiss_filter, rng.normal(0, 0.12, int(rng.uniform(0.03, 0.09) * RATE_HZ)))
                _add(out, at - 0.04, burst)
            at += length * rng.uniform(0.95, 1.1)
            if at >= duration_s:
                break
        at += rng.uniform(0.15, 0.6)
    return out


def background(kind: str, duration_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of a place: pink, hum, street, wind or hush."""
    num = round(duration_s * RATE_HZ)
    t = np.arange(num) / RATE_HZ
    white = rng.normal(0, 1, num)
    if kind == "hum":
        mains = rng.choice([50.0, 60.0])
        hum = sum(np.sin(TAU * mains * h * t + rng.uniform(0, 6)) / h for h in (1, 2, 3, 5))
        return np.asarray(hum + 0.1 * white)
    if kind == "wind":
        gusts = 0.6 + 0.4 * np.sin(TAU * rng.uniform(0.08, 0.25) * t + rng.uniform(0, 6))
        return np.asarray(lfilter([0.03], [1, -0.97], white) * gusts)
    if kind == "street":
        rumble = lfilter([0.05], [1, -0.95], white)
        passing = np.exp(-(((np.mod(t + rng.uniform(0, 5), rng.uniform(4, 8))) - 2) ** 2) / 0.8)
        return np.asarray(rumble * (0.5 + passing) + 0.05 * white)
    if kind == "hush":
        return np.asarray(0.2 * white)
    # Source: P. Kellet's economy filter for pink noise.
    b, a = [0.049922, -0.095993, 0.050612, -0.004408], [1, -2.494956, 2.017265, -0.522189]
    return np.asarray(lfilter(b, a, white))


def music(duration_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Plucked chords, as behind titles and credits."""
    out = _empty(duration_s)
    base, beat = rng.uniform(110, 220), rng.uniform(0.3, 0.6)
    t = np.arange(int(1.2 * RATE_HZ)) / RATE_HZ
    at = 0.0
    while at < duration_s:
        root = base * 2 ** (int(rng.choice([0, 5, 7, 9])) / 12)
        for ratio in (1.0, 1.26, 1.5, 2.0):
            pluck = np.sin(TAU * root * ratio * t) + 0.4 * np.sin(TAU * 2 * root * ratio * t)
            _add(out, at, pluck * np.exp(-t / 0.4) * rng.uniform(0.5, 1))
        at += beat
    return out


def levelled(samples: NDArray[np.float64], level_dbfs: float) -> NDArray[np.float64]:
    """Scale so that the louder half of the blocks has the given root mean square."""
    rms = _rms(samples)
    return samples * (10 ** (level_dbfs / 20) / rms) if rms > 0 else samples
