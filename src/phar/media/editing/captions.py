"""Subtitles, chapters and covers, cut and moved with the video."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.packet import Packet as NewPacket
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from phar.media.demux import Packet
from phar.media.editing.mapping import TimeMap
from phar.media.editing.metadata import lasting
from phar.media.source import Source, Warnings

#: Text subtitles that phar can turn into each other.
_TEXT = ("subrip", "text", "webvtt", "mov_text", "ass", "ssa")

#: What each container holds; the first is what others are turned into.
_HELD = {
    "mp4": ("mov_text", "dvd_subtitle"),
    "mov": ("mov_text",),
    "matroska": ("subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"),
    "webm": ("webvtt",),
}

#: Without styles of its own the encoder of mov_text describes them by this.
_STYLES = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Bold, Italic, Underline, Alignment
Style: Default,Arial,16,&Hffffff,&H0,0,0,0,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""

#: Shorter than this, a subtitle or chapter is what a cut left over.
_LEAST_S = Fraction(1, 50)

_MARKUP = re.compile(r"<[^>]*>|\{\\[^}]*\}")


class Captions:
    """One subtitle track on its way into another container."""

    def __init__(self, stream: SubtitleStream, times: TimeMap) -> None:
        self._times = times
        self._kind = stream.codec_context.codec.canonical_name
        self._waiting: tuple[bytes, Fraction] | None = None
        self._out: Any = None
        self._to = self._kind

    def attach(
        self, container: av.container.OutputContainer, stream: SubtitleStream, warnings: Warnings
    ) -> bool:
        """Add the track; False, with a warning, where the container cannot hold it."""
        held = _HELD[container.format.name]
        if self._kind in held:
            self._out = container.add_stream_from_template(stream)
        elif self._kind in _TEXT and held[0] in _TEXT:
            self._to = held[0]
            if self._to == "mov_text":
                # The encoder only describes the track; the texts are packed by hand.
                self._out = container.add_stream("mov_text")
                self._out.codec_context.subtitle_header = _STYLES
                self._out.time_base = Fraction(1, 1000)
            else:
                self._out = container.add_mux_stream(self._to)
        else:
            warnings.add(
                f"subtitles: {self._kind} does not fit {container.format.name} and was left out; write .mkv"
            )
            return False
        self._out.metadata.update(lasting(stream.metadata))
        self._out.disposition = stream.disposition
        return True

    def packets(self, packet: Packet, at_s: Fraction) -> Iterator[tuple[Fraction, Packet]]:
        """Yield what becomes of one packet that begins at `at_s` in source time."""
        data = bytes(packet)
        length_s = (packet.duration or 0) * packet.time_base
        if not length_s:
            yield from self._timeless(data, at_s)
            return
        start, end = self._times.out(at_s), self._times.out(at_s + length_s)
        if end - start < _LEAST_S or (self._kind == "mov_text" and len(data) <= 2):
            # In mp4, empty samples fill the time between two subtitles; the muxer makes its own.
            return
        yield self._made(data, start, end - start)

    def finish(self) -> Iterator[tuple[Fraction, Packet]]:
        """Yield what is left at the end of the file."""
        yield from self._held_back()

    def _timeless(self, data: bytes, at_s: Fraction) -> Iterator[tuple[Fraction, Packet]]:
        """Pictures that stay until the next one: of those cut out, the last is what the join shows."""
        if self._times.has(at_s):
            yield from self._held_back()
            yield self._made(data, self._times.out(at_s), Fraction(0))
        elif at_s >= 0:
            self._waiting = (data, self._times.out(at_s))

    def _held_back(self) -> Iterator[tuple[Fraction, Packet]]:
        if self._waiting is not None:
            yield self._made(*self._waiting, Fraction(0))
            self._waiting = None

    def _made(self, data: bytes, start: Fraction, length: Fraction) -> tuple[Fraction, Packet]:
        if self._to != self._kind:
            data = _packed(_text_of(data, self._kind), self._to)
        packet = NewPacket(data)
        packet.stream = self._out
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round(start * 1000)
        packet.duration = round(length * 1000)
        packet.is_keyframe = True
        return start, packet


class Cover:
    """A cover picture, which has no time."""

    def __init__(self, path: Path, stream: Stream) -> None:
        self._name = stream.metadata.get("filename")
        self._kind = stream.codec_context.codec.canonical_name
        with contextlib.closing(Source(path, num_threads=1)) as source:
            packets = source.demux(source.container.streams[stream.index])
            self._data = next((bytes(packet) for packet in packets if packet.size), b"")
        self._out: Any = None

    def attach(self, container: av.container.OutputContainer, stream: Stream, warnings: Warnings) -> bool:
        """Add the picture; False, with a warning, where the container cannot hold it."""
        image = {"mjpeg": "jpeg"}.get(self._kind, self._kind)
        try:
            if container.format.name == "matroska":
                name = self._name or f"cover.{image.replace('jpeg', 'jpg')}"
                container.add_attachment(name, f"image/{image}", self._data)
                return False
            self._out = container.add_stream_from_template(stream, opaque=True)
            self._out.disposition = Disposition.attached_pic
        except (av.error.FFmpegError, ValueError):
            warnings.add(f"cover: {image} does not fit {container.format.name} and was left out")
            return False
        return True

    def packets(self, packet: Packet, at_s: Fraction) -> Iterator[tuple[Fraction, Packet]]:
        """Yield nothing: the picture comes at the end."""
        yield from ()

    def finish(self) -> Iterator[tuple[Fraction, Packet]]:
        """Yield the picture."""
        packet = NewPacket(self._data)
        packet.stream = self._out
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = 0
        packet.is_keyframe = True
        yield Fraction(0), packet


def _text_of(data: bytes, kind: str) -> str:
    if kind == "mov_text":
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    text = data.decode("utf-8", "replace")
    if kind in ("ass", "ssa"):
        # Matroska keeps the fields of a Dialogue line but its times; the text is the ninth.
        text = text.split(",", 8)[-1].replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    return _MARKUP.sub("", text)


def _packed(text: str, kind: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data if kind == "mov_text" else data


def moved_chapters(chapters: Sequence[Any], times: TimeMap, origin_s: Fraction) -> list[dict[str, Any]]:
    """Return PyAV's chapters with new times; those that were cut out are gone."""
    found: list[dict[str, Any]] = []
    for chapter in chapters:
        base = chapter["time_base"]
        start = times.out(chapter["start"] * base - origin_s)
        end = times.out(chapter["end"] * base - origin_s)
        if end - start >= _LEAST_S:
            found.append(
                {
                    "id": len(found) + 1,
                    "start": round(start * 1000),
                    "end": round(end * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": dict(chapter["metadata"]),
                }
            )
    return found
