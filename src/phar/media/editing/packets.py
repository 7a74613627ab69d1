"""The video packets of a file: when each picture is shown, and where decoding can begin."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.stream import Discard
from numpy.typing import NDArray

from phar.media.demux import MAX_GAP_S
from phar.media.editing import bitstream
from phar.media.editing.bitstream import H264, Hevc, Malformed
from phar.media.source import Source, first_frame

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Unfit(Exception):
    """The file's packets cannot be copied one by one; the message completes "... because"."""


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Every video packet, in the order of decoding; times are ticks of `time_base`."""

    time_base: Fraction
    origin: int
    """When the first picture is shown: time 0 of everything phar says."""
    shown: Ints
    """(n,) when each packet's picture is shown; no two are equal."""
    safe: Flags
    """(n,) whether decoding can begin there, and every later picture comes out right."""
    hidden: Flags
    """(n,) whether the picture serves others only: an edit list leaves it out."""
    end: int
    """When the last picture ends."""
    step: int
    """The usual time between two pictures."""
    codec: str
    header: H264 | Hevc | None
    """Parameter sets; None for other codecs."""
    sequence_header: bytes = b""
    """Of AV1, what its container's header holds; packets may rely on it."""

    @property
    def num_packets(self) -> int:
        """How many packets there are."""
        return len(self.shown)

    def seconds(self, ticks: int) -> Fraction:
        """Turn ticks on the file's clock into source time."""
        return (ticks - self.origin) * self.time_base


def read_index(path: str | Path) -> PacketIndex:
    """Read all packets of a file without decoding them.

    Raises:
        MediaError: the file cannot be opened.
        Unfit: the packets do not say when their pictures are shown, or not plausibly.
    """
    source = Source(path, num_threads=1)
    try:
        first = first_frame(source)
        origin = None if first is None else first.pts
    finally:
        source.close()
    if origin is None:
        raise Unfit("its first picture does not say when it is shown")
    source = Source(path, num_threads=1)
    try:
        if source.container.format.name == "avi":
            raise Unfit("AVI does not say when pictures are shown")
        return _Reading(source, origin).index()
    except Malformed as error:
        raise Unfit(str(error)) from error
    finally:
        source.close()


def only(source: Source, *kept: av.stream.Stream) -> None:
    """Let the demuxer skip every other stream."""
    for stream in source.container.streams:
        if stream not in kept:
            stream.discard = Discard.all


class _Reading:
    def __init__(self, source: Source, origin: int) -> None:
        self._source = source
        self._origin = origin
        context = source.video.codec_context
        if not context.width or not context.height:
            raise Unfit("its header does not say how large the pictures are")
        self._codec = context.codec.canonical_name
        self._header: H264 | Hevc | None = None
        self._extradata = context.extradata or b""
        if self._codec == "h264":
            self._header = H264.of(self._extradata)
        elif self._codec == "hevc":
            self._header = Hevc.of(self._extradata)

    def index(self) -> PacketIndex:
        shown, keys, hidden, lengths = [], [], [], []
        video = self._source.video
        only(self._source, video)
        try:
            for packet in self._source.demux(video):
                if not packet.size:
                    continue
                if packet.pts is None:
                    raise Unfit("some packets do not say when their picture is shown")
                if packet.is_corrupt:
                    raise Unfit("it is damaged")
                shown.append(packet.pts)
                keys.append(packet.is_keyframe and self._safe(bytes(packet)))
                hidden.append(packet.is_discard or packet.pts < self._origin)
                lengths.append(packet.duration or 0)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise Unfit("it is damaged") from error
        return self._checked(np.array(shown, np.int64), np.array(keys, bool), np.array(hidden, bool), lengths)

    def _safe(self, data: bytes) -> bool:
        """Tell whether decoding can begin at a key packet; note its parameter sets."""
        header = self._header
        if isinstance(header, H264):
            nals = bitstream.units(data, header.length_size)
            self._header = header.with_sets_of(nals)
            return bitstream.is_idr(nals)
        if isinstance(header, Hevc):
            nals = bitstream.units(data, header.length_size)
            known = set(header.sets)
            if any(nal not in known for nal in bitstream.hevc_sets(nals)):
                if known:
                    raise Malformed("the video changes its parameters on the way")
                self._header = Hevc(header.length_size, tuple(bitstream.hevc_sets(nals)))
            return bitstream.hevc_starts(nals)
        return True

    def _checked(self, shown: Ints, safe: Flags, hidden: Flags, lengths: list[int]) -> PacketIndex:
        base = self._source.video.time_base
        if base is None or not len(shown) or hidden.all():
            raise Unfit("it holds no picture")
        ordered = np.sort(shown)
        steps = np.diff(ordered)
        if len(steps) and steps.min() <= 0:
            raise Unfit("two pictures are shown at one time")
        if len(steps) and steps.max() * base > MAX_GAP_S:
            raise Unfit("its clock jumps")
        # Pictures wait for the decoder a few frames at most; what comes later than that is a jump back.
        if (np.maximum.accumulate(shown) - shown).max() * base > 5:
            raise Unfit("its clock jumps")
        step = int(np.median(steps)) if len(steps) else max(1, round(1 / (self._source.fps * base)))
        last = int(np.argmax(shown))
        length = lengths[last] if 0 < lengths[last] * base <= MAX_GAP_S else step
        header = self._header
        if isinstance(header, H264) and not (header.sps and header.pps):
            raise Unfit("its parameter sets are missing")
        if isinstance(header, Hevc) and not header.sets:
            raise Unfit("its parameter sets are missing")
        return PacketIndex(
            time_base=base,
            origin=self._origin,
            shown=shown,
            safe=safe,
            hidden=hidden,
            end=int(ordered[-1]) + length,
            step=max(1, step),
            codec=self._codec,
            header=header,
            sequence_header=self._extradata[4:] if self._codec == "av1" else b"",
        )
