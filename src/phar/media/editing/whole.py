"""A video decoded and encoded from end to end, where its packets cannot be copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from phar.media.demux import Packet
from phar.media.editing.mapping import TimeMap
from phar.media.editing.pictures import Effect
from phar.media.frame import Frame
from phar.media.reader import read_frames
from phar.media.source import Source, display_matrix, first_frame

#: Ticks per second of the new video.
_CLOCK = Fraction(1, 90000)

#: Encoder and options by container; without B-frames, packets come in the order of showing.
_ENCODERS = {
    "webm": ("libvpx-vp9", {"crf": "31", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}),
}
_DEFAULT = ("libx264", {"preset": "veryfast", "crf": "20", "bf": "0"})

#: A picture that reaches into a span by less than this does so by rounding.
_ROUNDING_S = 0.001

Span = tuple[Fraction, Fraction]


class Whole:
    """The pictures of a file that lie in the kept stretches, encoded as one stream."""

    def __init__(
        self, path: Path, times: TimeMap, changed: Sequence[Span], effect: Effect | None, fps: Fraction
    ) -> None:
        self._path = path
        self._times = times
        self._changed = changed
        self._effect = effect
        self._fps = fps

    def attach(self, container: av.container.OutputContainer, source: Source) -> av.VideoStream:
        """Add the stream, upright by the same display matrix as the source."""
        context = source.video.codec_context
        name, options = _ENCODERS.get(container.format.name, _DEFAULT)
        stream = container.add_stream(name, rate=self._fps.limit_denominator(100_000), options=dict(options))
        first = first_frame(source)
        width, height = (first.width, first.height) if first is not None else (context.width, context.height)
        stream.width, stream.height = width + width % 2, height + height % 2
        # What every player shows: 8 bits, colour halved in both directions.
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _CLOCK
        stream.codec_context.colorspace = int(context.colorspace or 2)
        stream.codec_context.color_primaries = int(context.color_primaries or 2)
        stream.codec_context.color_trc = int(context.color_trc or 2)
        stream.codec_context.color_range = 1
        if source.video.sample_aspect_ratio:
            stream.codec_context.sample_aspect_ratio = source.video.sample_aspect_ratio
        matrix = None if first is None else display_matrix(first)
        if matrix is not None:
            stream.set_display_matrix([_fixed(number, place) for place, number in enumerate(matrix)])
        return stream

    def packets(self, stream: av.VideoStream) -> Iterator[tuple[Fraction, Packet]]:
        """Yield (seconds, packet) in the order of decoding and showing."""
        scaler = VideoReformatter()
        last = -1
        for frame, end_s in self._shown():
            if not self._kept(frame.time_s, end_s):
                continue
            picture = frame.stored
            if self._effect is not None and self._overlaps(self._changed, frame.time_s, end_s):
                picture = self._effect(picture)
            # Odd sizes grow by one: H.264 halves the planes of colour.
            picture = scaler.reformat(
                picture, stream.width, stream.height, "yuv420p", dst_color_range="MPEG", threads=1
            )
            at = max(round(self._times.out(Fraction(frame.time_s)) / _CLOCK), last + 1)
            last = at
            picture.pts, picture.time_base = at, _CLOCK
            picture.pict_type = PictureType.NONE
            yield from self._timed(stream.encode(picture))
        yield from self._timed(stream.encode(None))

    def _timed(self, packets: list[Packet]) -> Iterator[tuple[Fraction, Packet]]:
        for packet in packets:
            packet.duration = round(1 / self._fps / _CLOCK)
            yield (packet.dts or 0) * _CLOCK, packet

    def _shown(self) -> Iterator[tuple[Frame, float]]:
        """Yield each picture and when the next one takes its place."""
        held: Frame | None = None
        for frame in read_frames(self._path):
            if held is not None:
                yield held, frame.time_s
            held = frame
        if held is not None:
            yield held, held.time_s + float(1 / self._fps)

    def _kept(self, start_s: float, end_s: float) -> bool:
        return any(
            start_s >= float(stretch.start_s) - _ROUNDING_S
            and (stretch.end_s is None or end_s <= float(stretch.end_s) + _ROUNDING_S)
            for stretch in self._times.stretches
        )

    def _overlaps(self, spans: Sequence[Span], start_s: float, end_s: float) -> bool:
        return any(
            start_s < float(high) - _ROUNDING_S and end_s > float(low) + _ROUNDING_S for low, high in spans
        )


def _fixed(number: int, place: int) -> int:
    """Return an element of a display matrix as 16.16, or 2.30 in the third column."""
    return number if abs(number) > 1 or not number else number << (30 if place % 3 == 2 else 16)
