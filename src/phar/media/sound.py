"""Sound for a video that is being written: copied from a file, or encoded from samples."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import av.container
import av.error
import numpy as np
import soxr
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from phar.media.audio import AudioTrack
from phar.media.demux import Demuxer, Packet
from phar.media.source import Source, Warnings

#: Samples in [-1, 1], (n,) or (n, 2), and their rate in Hz; or a file to take the sound from.
Sound = tuple[NDArray[np.float32], int] | str | Path

#: Sound that mp4 holds as it is; anything else is encoded anew.
_COPIED_INTO_MP4 = {
    "aac",
    "mp3",
    "mp3float",
    "mp2",
    "mp2float",
    "ac3",
    "eac3",
    "opus",
    "libopus",
    "flac",
    "alac",
}

_AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_BITS_PER_CHANNEL = 64_000

#: Samples per call of the encoder.
_CHUNK = 16384


class Voice(Protocol):
    """Makes the packets of an audio stream, in step with the pictures."""

    def attach(self, container: av.container.OutputContainer, format_name: str) -> None:
        """Add the audio stream."""

    def packets(self, until_s: float, last: bool = False) -> list[Packet]:
        """Packets that begin before `until_s` and were not given yet; `last` drains the encoder."""

    def close(self) -> None:
        """Let go of the file."""


def voice_of(sound: Sound | None, warnings: Warnings) -> Voice:
    """Choose how the sound is made.

    Raises:
        MediaError: the file to take the sound from cannot be read.
    """
    if sound is None:
        return _Silence()
    if isinstance(sound, tuple):
        return _Samples(*sound)
    source = Source(sound, num_threads=1)
    if source.audio is None:
        source.close()
        return _Silence()
    return _Original(source, warnings)


class _Silence:
    """No audio stream at all."""

    def attach(self, container: av.container.OutputContainer, format_name: str) -> None:
        pass

    def packets(self, until_s: float, last: bool = False) -> list[Packet]:
        return []

    def close(self) -> None:
        pass


class _Encoder:
    """Encodes samples that come in order, at a rate that AAC knows."""

    def __init__(self, container: av.container.OutputContainer, rate_hz: int, num_channels: int) -> None:
        self._rate_hz = rate_hz
        self._layout = "mono" if num_channels == 1 else "stereo"
        # The default coder of this encoder drops out now and then on steady tones.
        options = {"aac_coder": "fast"}
        self._stream: AudioStream = container.add_stream("aac", rate=rate_hz, options=options)
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.bit_rate = _AAC_BITS_PER_CHANNEL * num_channels
        self.position = 0
        """Samples taken so far."""

    def encode(self, samples: NDArray[np.float32]) -> Iterator[Packet]:
        for begin in range(0, len(samples), _CHUNK):
            chunk = samples[begin : begin + _CHUNK].reshape(-1, 1 if self._layout == "mono" else 2)
            planar = np.ascontiguousarray(chunk.T, np.float32)
            frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout=self._layout)
            frame.sample_rate = self._rate_hz
            frame.time_base = Fraction(1, self._rate_hz)
            frame.pts = self.position
            self.position += len(chunk)
            yield from self._stream.encode(frame)

    def flush(self) -> Iterator[Packet]:
        yield from self._stream.encode(None)


class _Samples:
    """Sound that somebody made."""

    def __init__(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        if rate_hz not in _AAC_RATES_HZ:
            samples, rate_hz = soxr.resample(samples, rate_hz, 48000), 48000
        self._samples = samples
        self._rate_hz = rate_hz

    def attach(self, container: av.container.OutputContainer, format_name: str) -> None:
        num_channels = 1 if self._samples.ndim == 1 else self._samples.shape[1]
        self._encoder = _Encoder(container, self._rate_hz, num_channels)

    def packets(self, until_s: float, last: bool = False) -> list[Packet]:
        end = round(until_s * self._rate_hz)
        found = list(self._encoder.encode(self._samples[self._encoder.position : end]))
        return found + list(self._encoder.flush()) if last else found

    def close(self) -> None:
        pass


class _Original:
    """Sound of a file, on the clock of that file's first picture."""

    def __init__(self, source: Source, warnings: Warnings) -> None:
        assert source.audio is not None
        self._source = source
        self._warnings = warnings
        self._audio = source.audio
        self._demuxer = Demuxer(source, True, warnings)
        self._origin_s = self._first_picture_s()
        self._track: AudioTrack | None = None

    def attach(self, container: av.container.OutputContainer, format_name: str) -> None:
        name = self._audio.codec_context.name
        if format_name == "matroska" or name in _COPIED_INTO_MP4:
            self._out = container.add_stream_from_template(self._audio)
            return
        self._warnings.add(f"audio: {name} does not fit the container and was encoded anew as AAC")
        self._rate_hz = self._audio.codec_context.sample_rate
        if self._rate_hz not in _AAC_RATES_HZ:
            self._rate_hz = 48000
        num_channels = 2 if self._audio.codec_context.layout.nb_channels > 1 else 1
        self._track = AudioTrack(self._audio, self._rate_hz, self._warnings, num_channels)
        self._encoder = _Encoder(container, self._rate_hz, num_channels)

    def packets(self, until_s: float, last: bool = False) -> list[Packet]:
        if self._track is None:
            return list(self._copied(until_s))
        return list(self._encoded(self._track, until_s, last))

    def close(self) -> None:
        self._source.close()

    def _next(self) -> Packet | None:
        while (packet := self._demuxer.next_audio()) is None:
            if not self._demuxer.pump():
                return None
            self._demuxer.drop_video()
        return packet

    def _copied(self, until_s: float) -> Iterator[Packet]:
        while (packet := self._next()) is not None:
            base = packet.time_base
            begin = packet.pts if packet.pts is not None else packet.dts
            if begin is None:
                continue
            shift = round(self._origin_s / base)
            if float((begin - shift) * base) >= until_s:
                self._demuxer.put_back_audio(packet)
                return
            if begin < shift or packet.is_discard:
                continue
            packet.pts = begin - shift
            packet.dts = packet.pts
            packet.stream = self._out
            yield packet

    def _encoded(self, track: AudioTrack, until_s: float, last: bool) -> Iterator[Packet]:
        while track.reached_s < self._origin_s + until_s and (packet := self._next()) is not None:
            track.decode(packet)
        zero = round(self._origin_s * self._rate_hz)
        end = zero + round(until_s * self._rate_hz)
        samples = track.read(zero + self._encoder.position, end)
        track.forget(end)
        yield from self._encoder.encode(samples)
        if last:
            yield from self._encoder.flush()

    def _first_picture_s(self) -> float:
        """When the first picture is shown, in stream time."""
        demuxer, context = self._demuxer, self._source.video.codec_context
        while (packet := demuxer.next_video()) is not None:
            try:
                frames = context.decode(packet)
            except (av.error.FFmpegError, ValueError):
                continue
            if frames:
                ticks = demuxer.first_dts if demuxer.timed_by_dts else frames[0].pts
                return float((ticks or 0) * demuxer.time_base)
        return 0.0
