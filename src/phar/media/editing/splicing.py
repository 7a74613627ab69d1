"""The packets of a video made of copied and encoded pieces.

Joining streams of two encoders has a trap per codec. H.264: slices name their parameter set by
number, so the new ones get a free number, and all of them go into the header. HEVC: sets come along
in the stream, before each piece, since two encoders use the same numbers. HEVC again: a clean random
access picture where a copy begins is marked as a broken link, or the decoder would look for the
pictures before it. AV1: each copy brings its sequence header, which may lie in the header alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.packet import Packet as NewPacket
from numpy.typing import NDArray

from phar.media.demux import Packet
from phar.media.editing import bitstream
from phar.media.editing.bitstream import H264, Hevc
from phar.media.editing.decoding import PacketReader, PictureReader
from phar.media.editing.encoders import Likeness, PartEncoder, can_encode
from phar.media.editing.packets import PacketIndex, Unfit
from phar.media.editing.pictures import Effect
from phar.media.editing.pieces import Copied, Encoded, Fate, Order, Piece, order
from phar.media.frame import with_known_colours
from phar.media.source import Source

#: Size of the small grey pictures by which the result is compared with the source.
THUMBNAIL_PX = (32, 18)

#: Pictures on either side of a join that are compared.
CHECKED_PICTURES = 24

_LENGTH_SIZE = 4


def thumbnail(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the picture as (18, 32) grey."""
    grey = with_known_colours(frame).to_ndarray(format="gray")
    return np.asarray(cv2.resize(grey, THUMBNAIL_PX, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass
class Splice:
    """A plan for one video, turned into packets by `packets`."""

    path: Path
    index: PacketIndex
    plan: Sequence[Piece]
    fate: NDArray[np.int8]
    effect: Effect | None
    fps: Fraction
    thumbnails: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    """Filled by `packets`: what each encoded picture should look like, by its source's place."""

    def __post_init__(self) -> None:
        self.order: Order = order(self.index, self.plan)
        self._header = self.index.header
        self._encodes = any(isinstance(piece, Encoded) for piece in self.plan)
        self._like: Likeness | None = None
        self._number = self._header.free_number() if isinstance(self._header, H264) else None

    def attach(self, container: av.container.OutputContainer, source: Source) -> av.VideoStream:
        """Add the stream, with a header that fits all pieces.

        Raises:
            Unfit: the container does not hold the codec, or the pieces cannot be made alike.
        """
        video, index = source.video, self.index
        self._like = Likeness.of(video, self.fps, index.time_base, index.codec)
        if self._encodes and not can_encode(index.codec):
            raise Unfit(f"parts of {index.codec} video cannot be encoded to fit the rest")
        try:
            stream = container.add_stream_from_template(video, opaque=True)
        except (ValueError, av.error.FFmpegError) as error:
            raise Unfit(f"{container.format.name} does not hold {index.codec} video") from error
        stream.time_base = index.time_base
        context = stream.codec_context
        context.framerate = self.fps.limit_denominator(100_000)
        if isinstance(self._header, H264):
            header = self._header
            if self._encodes:
                header = header.with_sets_of(self._encoded_sets())
            context.extradata = header.record()
        elif isinstance(self._header, Hevc) and self._encodes and "mp4" in container.format.name:
            # Says that parameter sets come in the stream.
            context.codec_tag = "hev1"
        return stream

    def _encoder(self) -> PartEncoder:
        assert self._like is not None
        return PartEncoder(self._like, self._number)

    def _encoded_sets(self) -> list[bytes]:
        return bitstream.units(self._encoder().header, 0)

    def packets(self, stream: av.VideoStream) -> Iterator[tuple[Fraction, Packet]]:
        """Yield (seconds, packet) in the order of decoding.

        Raises:
            Unfit: something came out of the file that its packets did not promise.
        """
        times = self.order
        number = 0
        reader = PictureReader(self.path, self.index)
        copies = PacketReader(self.path)
        starts = np.sort(self.index.shown)
        lengths = np.diff(starts, append=self.index.end)[times.ranks]
        base = self.index.time_base
        try:
            for piece in self.plan:
                made = (
                    self._copied(copies, piece)
                    if isinstance(piece, Copied)
                    else self._encoded(reader, piece, number)
                )
                for data, is_key in made:
                    packet = NewPacket(data)
                    packet.stream = stream
                    packet.time_base = base
                    packet.pts, packet.dts = int(times.shown[number]), int(times.decoded[number])
                    packet.duration = int(lengths[number])
                    packet.is_keyframe = is_key
                    yield packet.dts * base, packet
                    number += 1
            if number != len(times.shown):
                raise Unfit("a picture is missing in it")
        finally:
            reader.close()
            copies.close()

    def _copied(self, copies: PacketReader, piece: Copied) -> Iterator[tuple[bytes, bool]]:
        for place, position in enumerate(piece.packets.tolist()):
            data = copies.take(position)
            yield self._fitted(data, place == 0 and position > 0), bool(self.index.safe[position])

    def _fitted(self, data: bytes, joins: bool) -> bytes:
        """Adapt a source packet to the header of the new stream; `joins` where a copy begins."""
        header = self._header
        if isinstance(header, H264):
            nals = bitstream.without_sets(bitstream.units(data, header.length_size))
            return bitstream.joined(nals, _LENGTH_SIZE)
        if isinstance(header, Hevc) and joins:
            nals = bitstream.as_broken_link(bitstream.units(data, header.length_size))
            if self._encodes:
                nals = [*header.sets, *bitstream.hevc_without_sets(nals)]
            return bitstream.joined(nals, header.length_size)
        if self.index.codec == "av1" and joins and self._encodes:
            return self.index.sequence_header + data
        return data

    def _encoded(self, reader: PictureReader, piece: Encoded, number: int) -> Iterator[tuple[bytes, bool]]:
        encoder = self._encoder()
        shown = self.order.shown
        due = number

        def checked(packets: Iterator[Packet]) -> Iterator[tuple[bytes, bool]]:
            nonlocal due
            for packet in packets:
                if packet.pts != int(shown[due]):
                    raise Unfit("the encoder changes the order of pictures")
                yield self._own(bytes(packet)), due == number
                due += 1

        for place, decoded in reader.pictures(piece.first, piece.last):
            frame = decoded
            if self.effect is not None and self.fate[place] == Fate.CHANGED:
                frame = self.effect(decoded)
            if min(place - piece.first, piece.last - 1 - place) < CHECKED_PICTURES:
                self.thumbnails[place] = thumbnail(frame)
            yield from checked(encoder.encode(frame, int(shown[number + place - piece.first])))
        yield from checked(encoder.encode(None))

    def _own(self, data: bytes) -> bytes:
        """Adapt a packet of our encoder to the header of the new stream."""
        if isinstance(self._header, H264):
            return bitstream.joined(bitstream.without_sets(bitstream.units(data, 0)), _LENGTH_SIZE)
        if isinstance(self._header, Hevc):
            return bitstream.joined(bitstream.units(data, 0), self._header.length_size)
        return data
