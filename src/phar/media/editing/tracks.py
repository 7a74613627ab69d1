"""Sound tracks, cut and muted: packets copied where they stand for themselves, else encoded anew.

A packet of sound lasts 20 to 30 ms and cannot be divided. Copied packets follow each other without a
gap, for many players count samples and ignore times; at every join the next packet is chosen so that
it lies within half a packet of where it belongs, and the count never drifts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet as NewPacket
from numpy.typing import NDArray

from phar.media.demux import Packet
from phar.media.editing.mapping import TimeMap
from phar.media.editing.metadata import lasting
from phar.media.source import Warnings

Seconds = Fraction
Made = tuple[Fraction, Packet]

#: Codecs whose packets need none before them, and how many samples a packet holds.
_INDEPENDENT = {"aac": 1024, "ac3": 1536, "eac3": 1536, "mp2": 1152}

#: A longer packet cannot be placed well enough: at most half of it is off.
_LONGEST_COPIED_S = Fraction(35, 1000)

#: Encoders by codec, where they may replace the source's packets.
_ENCODERS = {
    "aac": "aac",
    "mp3": "libmp3lame",
    "opus": "libopus",
    "vorbis": "libopus",
    "ac3": "ac3",
    "eac3": "eac3",
    "mp2": "mp2",
    "flac": "flac",
    "alac": "alac",
}

_HELD = {
    "mp4": ("aac", "mp3", "ac3", "eac3", "mp2", "opus", "flac", "alac"),
    "mov": ("aac", "mp3", "ac3", "eac3", "mp2", "alac"),
    "webm": ("opus",),
}

_BITS_PER_CHANNEL = 96_000

#: Sound fades this long at joins and at the edges of mutes, where it is encoded anyway.
_FADE_S = Fraction(5, 1000)

#: Timestamps may wander this far from the count of samples before sound is placed anew.
_JITTER_S = Fraction(20, 1000)


class Track(Protocol):
    """One sound track on its way into another container."""

    def packets(self, packet: Packet, at_s: Fraction) -> Iterator[Made]:
        """Yield (seconds, packet) that come of one packet, which begins at `at_s` in source time."""

    def finish(self) -> Iterator[Made]:
        """Yield what is left at the end of the file."""


def track_for(
    stream: AudioStream,
    container: av.container.OutputContainer,
    times: TimeMap,
    mutes: Sequence[tuple[Fraction, Fraction]],
    warnings: Warnings,
) -> Track:
    """Choose how a track is carried over, and add it to the container."""
    context = stream.codec_context
    codec = context.codec.canonical_name
    held = _HELD.get(container.format.name)
    fits = held is None or codec in held
    cut = len(times.stretches) > 1 or times.stretches[0].start_s > 0
    length = _packet_s(context, codec)
    if fits and not cut and not mutes:
        return _Copy(stream, container, times, length or Fraction(0), None, ())
    if fits and length is not None and length <= _LONGEST_COPIED_S:
        silence = _silent_packet(context, codec) if mutes else None
        if not mutes or silence is not None:
            return _Copy(stream, container, times, length, silence, mutes)
    encoder = _ENCODERS.get(codec, "aac")
    if held is not None and (codec if encoder == _ENCODERS.get(codec) else "aac") not in held:
        encoder = "libopus" if container.format.name == "webm" else "aac"
    if codec.startswith("pcm_") and held is None:
        encoder = codec
    if encoder != _ENCODERS.get(codec) and encoder != codec:
        name = {"libopus": "Opus"}.get(encoder, "AAC")
        warnings.add(f"audio: {codec} was encoded anew as {name}")
    return _Encode(stream, container, times, mutes, encoder, warnings)


def _packet_s(context: AudioCodecContext, codec: str) -> Fraction | None:
    """Return how long a packet of a codec with independent packets lasts; None for others."""
    samples = _INDEPENDENT.get(codec)
    if samples is None or not context.sample_rate:
        return None
    if codec == "aac" and context.profile != "LC":
        # Packets of the other profiles lean on those before, or hold twice the time.
        return None
    return Fraction(samples, context.sample_rate)


def _silent_packet(context: AudioCodecContext, codec: str) -> bytes | None:
    """Return a packet of silence that the source's decoder takes; None if there is none."""
    try:
        encoder = AudioCodecContext.create(_ENCODERS[codec], "w")
        assert isinstance(encoder, AudioCodecContext)
        encoder.sample_rate = context.sample_rate
        encoder.layout = context.layout.name
        encoder.format = "s16" if codec == "mp2" else "fltp"
        encoder.bit_rate = context.bit_rate or _BITS_PER_CHANNEL * context.layout.nb_channels
        encoder.time_base = Fraction(1, context.sample_rate)
        size = _INDEPENDENT[codec]
        found: list[Packet] = []
        for number in range(8):
            frame = av.AudioFrame(encoder.format.name, context.layout.name, size)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = context.sample_rate, number * size
            frame.time_base = encoder.time_base
            found += encoder.encode(frame)
        data = bytes(found[4])
        decoder = AudioCodecContext.create(codec, "r")
        assert isinstance(decoder, AudioCodecContext)
        decoder.extradata = context.extradata
        decoder.sample_rate, decoder.layout = context.sample_rate, context.layout.name
        frames = [frame for _ in range(6) for frame in decoder.decode(NewPacket(data))]
        heard = np.concatenate([frame.to_ndarray().astype(np.float64) for frame in frames], axis=1)
    except (av.error.FFmpegError, ValueError, IndexError):
        return None
    right = all(
        frame.sample_rate == context.sample_rate and frame.layout.nb_channels == context.layout.nb_channels
        for frame in frames
    )
    return data if right and len(frames) >= 4 and np.abs(heard).max() < 1e-3 else None


class _Copy:
    def __init__(
        self,
        stream: AudioStream,
        container: av.container.OutputContainer,
        times: TimeMap,
        length_s: Fraction,
        silence: bytes | None,
        mutes: Sequence[tuple[Fraction, Fraction]],
    ) -> None:
        self._out = container.add_stream_from_template(stream)
        self._out.metadata.update(lasting(stream.metadata))
        self._out.disposition = stream.disposition
        rate = stream.codec_context.sample_rate or 48000
        self._base = Fraction(1, rate)
        self._times = times
        self._length_s = length_s
        self._silence = silence
        # A packet's sound fades over from the one before it.
        self._mutes = [(start - 2 * length_s, end) for start, end in mutes]
        self._stretch = 0
        self._shift_s: Fraction | None = None
        self._reached_s: Fraction | None = None

    def packets(self, packet: Packet, at_s: Fraction) -> Iterator[Made]:
        length_s = self._length_s or (packet.duration or 0) * packet.time_base
        stretches = self._times.stretches
        while self._stretch < len(stretches):
            stretch = stretches[self._stretch]
            out_end = stretch.out_end_s
            if out_end is not None and self._place(at_s, length_s) + length_s / 2 > out_end:
                self._stretch += 1
                self._shift_s = None
                continue
            break
        else:
            return
        at_out = at_s + stretch.shift_s
        if self._shift_s is None:
            due_s = self._due(stretch.out_s, length_s)
            # At the beginning of the file comes a packet that only prepares the decoder.
            early_s = length_s if not stretch.start_s else length_s / 2
            if at_out < due_s - early_s:
                return
            off_s = due_s - at_out if self._reached_s is not None else Fraction(0)
            self._shift_s = off_s if abs(off_s) <= length_s / 2 else Fraction(0)
        at_out = self._place(at_s, length_s)
        if any(start < at_s < end for start, end in self._mutes) and self._silence is not None:
            silent = NewPacket(self._silence)
            silent.duration, silent.time_base = packet.duration, packet.time_base
            packet = silent
        self._reached_s = at_out + length_s
        packet.stream = self._out
        packet.time_base = self._base
        packet.pts = packet.dts = round(at_out / self._base)
        packet.duration = round(length_s / self._base)
        packet.is_keyframe = True
        yield at_out, packet

    def finish(self) -> Iterator[Made]:
        yield from ()

    def _place(self, at_s: Fraction, length_s: Fraction) -> Fraction:
        """Where a packet of the present stretch comes to lie."""
        stretch = self._times.stretches[self._stretch]
        at_out = at_s + stretch.shift_s + (self._shift_s or 0)
        if self._shift_s is None or self._reached_s is None:
            return at_out
        # Containers round times; between packets that follow each other that must not leave gaps.
        return self._reached_s if abs(at_out - self._reached_s) < length_s / 8 else at_out

    def _due(self, out_s: Fraction, length_s: Fraction) -> Fraction:
        """Where the first packet of a stretch should begin: behind the last one, if that is near."""
        reached_s = self._reached_s
        return out_s if reached_s is None or abs(reached_s - out_s) > length_s else reached_s


class _Encode:
    def __init__(
        self,
        stream: AudioStream,
        container: av.container.OutputContainer,
        times: TimeMap,
        mutes: Sequence[tuple[Fraction, Fraction]],
        encoder: str,
        warnings: Warnings,
    ) -> None:
        context = stream.codec_context
        self._decoder = context
        self._warnings = warnings
        self._times = times
        self._mutes = mutes
        rates = av.codec.Codec(encoder, "w").audio_rates
        self._rate = context.sample_rate
        if rates and self._rate not in rates:
            self._rate = 48000
        layout = (
            context.layout.name if encoder != "libmp3lame" or context.layout.nb_channels < 3 else "stereo"
        )
        options = {"aac_coder": "fast"} if encoder == "aac" else {}
        self._out: AudioStream = container.add_stream(encoder, rate=self._rate, options=options)
        self._out.codec_context.layout = layout
        channels = self._out.codec_context.layout.nb_channels
        if not encoder.startswith(("pcm_", "flac", "alac")):
            wanted = max(context.bit_rate or 0, _BITS_PER_CHANNEL * channels)
            self._out.codec_context.bit_rate = min(wanted, 192_000 * channels)
        self._out.metadata.update(lasting(stream.metadata))
        self._out.disposition = stream.disposition
        self._channels = channels
        self._layout = layout
        self._format = self._out.codec_context.format.name
        self._resampler = av.AudioResampler("fltp", layout, self._rate)
        self._next_s: Fraction | None = None
        self._position = 0
        self._buffer = np.zeros((channels, 0), np.float32)

    def packets(self, packet: Packet, at_s: Fraction) -> Iterator[Made]:
        yield from self._take(packet, at_s)

    def finish(self) -> Iterator[Made]:
        yield from self._take(None, None)
        yield from self._send(flush=True)

    def _take(self, packet: Packet | None, at_s: Fraction | None) -> Iterator[Made]:
        try:
            frames = self._decoder.decode(packet)
        except (av.error.FFmpegError, ValueError, MemoryError):
            self._warnings.add("audio: a damaged packet was skipped")
            return
        for frame in frames:
            if frame.pts is not None and at_s is not None and packet is not None and packet.pts is not None:
                # The decoder may be some packets behind; times before the first picture are below 0.
                begin_s = at_s + (frame.pts - packet.pts) * packet.time_base
            else:
                begin_s = self._next_s if self._next_s is not None else Fraction(0)
            if self._next_s is None or abs(begin_s - self._next_s) > _JITTER_S:
                self._next_s = begin_s
            frame.pts = None
            for part in self._resampler.resample(frame):
                self._place(part.to_ndarray(), self._next_s)
                self._next_s += Fraction(part.samples, self._rate)
        yield from self._send()

    def _place(self, samples: NDArray[np.float32], begin_s: Fraction) -> None:
        """Put samples of [begin_s, ...) where they belong in the result."""
        first = round(begin_s * self._rate)
        samples = self._muted(samples, first)
        for stretch in self._times.stretches:
            low = round(stretch.start_s * self._rate)
            high = None if stretch.end_s is None else low + self._length(stretch.end_s - stretch.start_s)
            start = max(first, low)
            end = first + samples.shape[1] if high is None else min(first + samples.shape[1], high)
            if start >= end:
                continue
            part = samples[:, start - first : end - first].copy()
            since = start - low if stretch.start_s > 0 else None
            self._fade(part, since, None if high is None else high - start)
            target = round(stretch.out_s * self._rate) + start - low
            held = self._position + self._buffer.shape[1]
            if target > held:
                gap = np.zeros((self._channels, target - held), np.float32)
                self._buffer = np.concatenate([self._buffer, gap], axis=1)
            elif target < held:
                part = part[:, held - target :]
            self._buffer = np.concatenate([self._buffer, part], axis=1)

    def _length(self, seconds: Fraction) -> int:
        return round(seconds * self._rate)

    def _muted(self, samples: NDArray[np.float32], first: int) -> NDArray[np.float32]:
        if not self._mutes:
            return samples
        at = first + np.arange(samples.shape[1])
        gain = np.ones(samples.shape[1], np.float32)
        fade = float(_FADE_S * self._rate)
        for start_s, end_s in self._mutes:
            low, high = float(start_s * self._rate), float(end_s * self._rate)
            outside = np.maximum(low - at, at - high + 1)
            gain = np.minimum(gain, np.clip(outside / fade, 0, 1))
        return samples * gain.astype(np.float32)

    def _fade(self, part: NDArray[np.float32], since: int | None, left: int | None) -> None:
        """Soften the beginning and the end of a stretch, where two sounds meet; samples to either."""
        fade = round(_FADE_S * self._rate)
        at = np.arange(part.shape[1])
        if since is not None and since < fade:
            part *= np.clip((at + since + 1) / fade, 0, 1)
        if left is not None and left - part.shape[1] < fade:
            part *= np.clip((left - at) / fade, 0, 1)

    def _send(self, flush: bool = False) -> Iterator[Made]:
        size = self._out.codec_context.frame_size or 1024
        while self._buffer.shape[1] >= size or (flush and self._buffer.shape[1]):
            chunk, self._buffer = self._buffer[:, :size], self._buffer[:, size:]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(chunk), "fltp", self._layout)
            frame.sample_rate = self._rate
            frame.pts, frame.time_base = self._position, Fraction(1, self._rate)
            self._position += chunk.shape[1]
            for packet in self._out.encode(frame):
                yield self._timed(packet)
        if flush:
            for packet in self._out.encode(None):
                yield self._timed(packet)

    def _timed(self, packet: Packet) -> Made:
        return (packet.dts or 0) * packet.time_base, packet
