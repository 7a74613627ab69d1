"""Sound on the video's clock: decoded, resampled, placed by its own timestamps."""

from __future__ import annotations

from collections import deque

import av
import av.error
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from phar.media.demux import Packet
from phar.media.source import Warnings

#: Timestamps may wander this far from the count of samples before the sound is
#: placed anew; containers round them, mostly to milliseconds.
_JITTER_S = 0.02

#: Sample rates beyond these are damage, or made to fill memory: of one sample at 1 Hz come 16,000 at 16 kHz.
_LOWEST_HZ, _HIGHEST_HZ = 1000, 1_000_000

#: Value of full scale per sample type of the decoder.
_FULL_SCALE = {"u1": 128.0, "i2": 2.0**15, "i4": 2.0**31, "i8": 2.0**63, "f4": 1.0, "f8": 1.0}


class AudioTrack:
    """Float32 samples at one rate, addressed by sample number on the stream's clock.

    A track with as many channels as asked for stays as it is; of any other each channel is the mix, in
    which all count equally. Gaps between the decoded stretches read as zeros.
    """

    def __init__(self, stream: av.AudioStream, rate_hz: int, warnings: Warnings, num_channels: int) -> None:
        self._stream = stream
        self._rate_hz = rate_hz
        self._num_channels = num_channels
        self._warnings = warnings
        self._chunks: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._resampler: soxr.ResampleStream | None = None
        self._input_hz = 0
        self._expected_s: float | None = None
        self._position = 0
        self.num_frames = 0
        """Frames decoded so far."""
        self.num_errors = 0
        """Packets that could not be decoded."""

    @property
    def reached_s(self) -> float:
        """How far samples are ready, in stream time."""
        return self._position / self._rate_hz if self.num_frames else float("-inf")

    @property
    def first(self) -> int:
        """Number of the first sample that is held."""
        return self._chunks[0][0] if self._chunks else 0

    @property
    def end(self) -> int:
        """Number of the sample after the last one that is ready."""
        return self._position

    def decode(self, packet: Packet | None) -> None:
        """Take in one packet, or None for what the decoder still holds."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except EOFError:
            return
        except (av.error.FFmpegError, ValueError, MemoryError):
            self.num_errors += 1
            self._warnings.add("audio: a damaged packet was skipped")
            return
        for frame in frames:
            self._take(frame)

    def flush(self) -> None:
        """Push out what the resampler holds; the next frame is placed anew."""
        if self._resampler is not None:
            self._append(
                self._resampler.resample_chunk(np.zeros((0, self._num_channels), np.float32), last=True)
            )
        self._resampler = None
        self._expected_s = None

    def read(self, start: int, end: int) -> NDArray[np.float32]:
        """Samples [start, end), (n, channels); what was not decoded is zero."""
        samples = np.zeros((end - start, self._num_channels), np.float32)
        for first, chunk in self._chunks:
            low, high = max(first, start), min(first + len(chunk), end)
            if low < high:
                samples[low - start : high - start] = chunk[low - first : high - first]
        return samples

    def forget(self, before: int) -> None:
        """Drop samples that no later window needs."""
        while self._chunks and self._chunks[0][0] + len(self._chunks[0][1]) <= before:
            self._chunks.popleft()

    def _take(self, frame: AudioFrame) -> None:
        if not frame.samples:
            return
        if not _LOWEST_HZ <= frame.sample_rate <= _HIGHEST_HZ:
            self.num_errors += 1
            self._warnings.add(f"audio: a sample rate of {frame.sample_rate} Hz makes no sense; left out")
            return
        begin_s = None
        base = frame.time_base or self._stream.time_base
        if frame.pts is not None and base:
            begin_s = float(frame.pts * base)
        moved = (
            self._expected_s is None
            or frame.sample_rate != self._input_hz
            or (begin_s is not None and abs(begin_s - self._expected_s) > _JITTER_S)
        )
        if moved:
            self._start(begin_s if begin_s is not None else (self._expected_s or 0.0), frame.sample_rate)
        mixed = _mix(frame, self._num_channels)
        self._append(mixed if self._resampler is None else self._resampler.resample_chunk(mixed))
        self._expected_s = (self._expected_s or 0.0) + frame.samples / frame.sample_rate
        self.num_frames += 1

    def _start(self, begin_s: float, input_hz: int) -> None:
        self.flush()
        self._input_hz = input_hz
        self._expected_s = begin_s
        self._position = round(begin_s * self._rate_hz)
        if input_hz != self._rate_hz:
            self._resampler = soxr.ResampleStream(
                input_hz, self._rate_hz, self._num_channels, dtype="float32"
            )

    def _append(self, samples: NDArray[np.float32]) -> None:
        if len(samples):
            self._chunks.append((self._position, samples))
            self._position += len(samples)


def _mix(frame: AudioFrame, num_channels: int) -> NDArray[np.float32]:
    """Samples of a frame in [-1, 1], (samples, num_channels)."""
    raw = frame.to_ndarray()
    raw = raw.T if frame.format.is_planar else raw.reshape(frame.samples, -1)
    kind = raw.dtype.str[1:]
    if raw.shape[1] != num_channels:
        raw = raw.mean(axis=1, dtype=np.float64, keepdims=True).repeat(num_channels, axis=1)
    silence = 128.0 if kind == "u1" else 0.0
    samples: NDArray[np.float32] = ((raw - silence) / _FULL_SCALE[kind]).astype(np.float32)
    return np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
