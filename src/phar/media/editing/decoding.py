"""Chosen pictures of a file, decoded in one sequential pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np

from phar.media.demux import Packet
from phar.media.editing.packets import PacketIndex, Unfit, only
from phar.media.source import Source


class PacketReader:
    """Hands out the bytes of video packets by their place in the file; requests go forward only."""

    def __init__(self, path: str | Path) -> None:
        self._source = Source(path, num_threads=1)
        only(self._source, self._source.video)
        self._packets = self._source.demux(self._source.video)
        self._read = 0

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def take(self, position: int) -> bytes:
        """Return the packet at `position`, counted as in the index.

        Raises:
            Unfit: the file ends before it.
        """
        try:
            for packet in self._packets:
                if not packet.size:
                    continue
                self._read += 1
                if self._read == position + 1:
                    return bytes(packet)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise Unfit("it is damaged") from error
        raise Unfit("it changed while it was read")


class PictureReader:
    """Hands out decoded pictures by their place in the order of showing; requests go forward only.

    What lies between two requests is skipped up to the last packet from which decoding can begin.
    """

    def __init__(self, path: str | Path, index: PacketIndex) -> None:
        self._source = Source(path)
        only(self._source, self._source.video)
        self._packets = self._source.demux(self._source.video)
        self._index = index
        self._times = np.sort(index.shown)
        self._starts = np.flatnonzero(index.safe)
        rank = np.empty(index.num_packets, np.int64)
        rank[np.argsort(index.shown)] = np.arange(index.num_packets)
        self._start_ranks = rank[self._starts]
        self._read = 0
        self._decoding_from: int | None = None
        self._waiting: dict[int, av.VideoFrame] = {}
        self._reached = -1

    @property
    def stream(self) -> av.VideoStream:
        """The stream that is decoded."""
        return self._source.video

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def pictures(self, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (place, picture) for the places [first, last).

        Raises:
            Unfit: one of them does not come out of the decoder.
        """
        self._go_to(first)
        for place in range(first, last):
            while place not in self._waiting and self._reached < place and self._decode():
                pass
            if place not in self._waiting:
                raise Unfit("a picture is missing in it")
            yield place, self._waiting.pop(place)
        self._waiting = {place: frame for place, frame in self._waiting.items() if place >= last}

    def _go_to(self, place: int) -> None:
        """Begin to decode at the last place that is early enough, unless that is under way."""
        number = int(np.searchsorted(self._start_ranks, place, side="right")) - 1
        if number < 0:
            raise Unfit("its first pictures need others that are not there")
        start = int(self._starts[number])
        if self._decoding_from is not None and start <= self._read:
            return
        while self._read < start:
            if self._next() is None:
                raise Unfit("it changed while it was read")
        self._source.video.codec_context.flush_buffers()
        self._decoding_from = start
        self._waiting.clear()
        self._reached = -1

    def _next(self) -> Packet | None:
        try:
            for packet in self._packets:
                if packet.size:
                    self._read += 1
                    return packet
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise Unfit("it is damaged") from error
        return None

    def _decode(self) -> bool:
        """Feed one packet to the decoder, or let it give out what it holds; False after that."""
        context = self._source.video.codec_context
        packet = self._next()
        try:
            frames = context.decode(packet)
        except EOFError:
            return False
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise Unfit("a part of it cannot be decoded") from error
        for frame in frames:
            if frame.pts is None:
                raise Unfit("some pictures do not say when they are shown")
            place = int(np.searchsorted(self._times, frame.pts))
            if place < len(self._times) and self._times[place] == frame.pts:
                self._waiting[place] = frame
                self._reached = max(self._reached, place)
        return packet is not None or bool(frames)
