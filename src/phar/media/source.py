"""Open a media file safely and say what its container claims.

Files come from strangers, so two lists decide what may be opened: protocols
(a file, nothing on the network) and containers (none that names other files,
as playlists and concat scripts do).
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.packet import Packet as AnyPacket
from av.stream import Stream
from av.video.stream import VideoStream

from phar.media.frame import Geometry, has_known_colours
from phar.schema import MediaError, Video

PROTOCOLS = ("file", "pipe")

#: Containers that hold their own streams. Playlists (hls, dash, concat, ...),
#: image sequences and device inputs are left out on purpose.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,asf,ogg,gif,mxf,rm,nut,ivf,"
    "wtv,dv,h264,hevc,m4v,obu,vc1,vvc,apng,nsv,gxf,roq,"
    "wav,w64,mp3,aac,flac,aiff,ac3,eac3,dts,amr,au,caf,ape,wv,tta,loas,opus"
)

#: Largest picture that is decoded: 16384 x 8192, four times 8K.
MAX_PIXELS = 1 << 27

#: Pictures larger than this, above 8K, are decoded by one thread: every other would hold some more of them.
_ONE_THREAD_PIXELS = 1 << 26

#: Slowest clock of a stream, seconds a tick.
_COARSEST_TICK_S = 600

#: Rate assumed where a stream tells none.
FALLBACK_FPS = Fraction(25)

#: Below this many bits per second of claimed length, the claim is not believed.
_LEAST_BIT_RATE = 100

#: Packets tried for the first picture before a probe gives up on it.
_PROBE_PACKETS = 300

DAMAGED_PACKET = "video: a damaged packet was skipped"
DAMAGED_PICTURE = "video: a damaged picture was shown as far as it could be decoded"
UNKNOWN_COLOURS = "video: colours are coded in an unknown way; they are not what they should be"
OUT_OF_ORDER = "video: a frame out of order was left out"

#: Warnings that come with the decoding of pictures.
OF_PICTURES = frozenset((DAMAGED_PACKET, DAMAGED_PICTURE, UNKNOWN_COLOURS, OUT_OF_ORDER))

_PLAYLIST_HEADS = (b"ffconcat", b"#EXTM3U", b"[playlist]", b"<smil", b"<asx")

# Broken files make libav write a line per packet to stderr; what matters of it is in the warnings.
av.logging.set_level(None)


class Warnings:
    """Things that went wrong but did not stop the reading, each said once with its count."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count one occurrence of `text`."""
        self.counts[text] += 1

    def lines(self) -> tuple[str, ...]:
        """One line per text, in the order of first occurrence."""
        return warning_lines(self.counts)


def warning_lines(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return one line per text, with its count if it is above 1."""
    return tuple(f"{text} ({n} times)" if n > 1 else text for text, n in counts.items())


def joined_counts(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return how often each thing went wrong in a video of which every part was read by itself.

    Pictures are decoded by one part each; what is read for the sake of time and sound, by every part up to
    its own end.
    """
    texts = dict.fromkeys(text for part in parts for text in part)
    return {
        text: (sum if text in OF_PICTURES else max)(part.get(text, 0) for part in parts) for text in texts
    }


class Source:
    """An opened file with the one video stream, and at most one audio stream, that are read.

    Raises:
        MediaError: missing, empty, not a media file, refused, or without a video
            stream that can be decoded.
    """

    def __init__(
        self,
        path: str | Path,
        num_threads: int | None = None,
        container: av.container.InputContainer | None = None,
    ) -> None:
        """Open a file, or take what is opened already, whose name for people is `path`."""
        self.path = str(path)
        self.container = container or open_container(self.path)
        try:
            self.video = _choose_video(self.container, self.path)
            self.audio, self.audio_problem = _choose_audio(self.container, self.video)
            context = self.video.codec_context
            pixels = (context.width or 0) * (context.height or 0)
            if pixels > MAX_PIXELS:
                raise MediaError(
                    f"{self.path}: picture of {context.width}x{context.height} is larger than "
                    f"the {MAX_PIXELS} pixels phar decodes; scale the video down first"
                )
            base = self.video.time_base
            if base is not None and base > _COARSEST_TICK_S:
                raise MediaError(f"{self.path}: its clock ticks every {float(base):g} s; re-encode it")
            context.options = {"max_pixels": str(MAX_PIXELS)}
            context.thread_type = "AUTO"
            context.thread_count = 1 if pixels > _ONE_THREAD_PIXELS else num_threads or 0
        except BaseException:
            self.container.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def demux(self, *streams: Stream) -> Iterator[AnyPacket[Stream]]:
        """Yield the packets of some streams, or of all, in file order; empty ones at the end."""
        try:
            yield from self.container.demux(*streams)
        except IndexError:
            # PyAV has given all packets, and stumbles over streams that came up in the middle of the file.
            return

    @property
    def fps(self) -> Fraction:
        """Frame rate that the stream claims, or a fallback where the claim makes no sense."""
        for rate in (self.video.average_rate, self.video.guessed_rate, self.video.base_rate):
            if rate and Fraction(1, 600) <= rate <= 1000:
                return Fraction(rate)
        return FALLBACK_FPS

    @property
    def claimed_duration_s(self) -> float:
        """Length that the container claims; 0 where it claims none or one that cannot be true."""
        stream, container = self.video, self.container
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration:
            seconds = container.duration / 1e6
        else:
            return 0.0
        size = container.size
        if not math.isfinite(seconds) or seconds <= 0 or 0 < size * 8 / seconds < _LEAST_BIT_RATE:
            return 0.0
        return round(seconds, 6)

    def geometry(self, frame: av.VideoFrame | None) -> Geometry:
        """How this stream's pictures are turned upright, from a decoded frame."""
        context = self.video.codec_context
        ratio = Fraction(self.video.sample_aspect_ratio or 0)
        if frame is None:
            return Geometry.of(context.width, context.height, ratio, None)
        return Geometry.of(frame.width, frame.height, ratio, display_matrix(frame))

    def why_nothing_decoded(self) -> str:
        """The most likely reason why no picture came out of the stream."""
        if looks_encrypted(self.path):
            return "the video is encrypted (DRM); decrypt it first"
        return (
            f"no picture could be decoded from its {self.video.codec_context.name} video; "
            "the file is damaged or encrypted"
        )


def probe(path: str | Path) -> Video:
    """Tell what the container claims, without reading the file through.

    `duration_s` is 0 where the container claims none or one that cannot be true
    for the file's size; only reading the file gives the exact value.

    Raises:
        MediaError: missing, not a media file, or without a video stream.
    """
    source = Source(path, num_threads=1)
    try:
        geometry = source.geometry(first_frame(source))
        return Video(
            path=source.path,
            duration_s=source.claimed_duration_s,
            fps=source.fps,
            width_px=geometry.width_px,
            height_px=geometry.height_px,
            has_audio=source.audio is not None,
        )
    finally:
        source.close()


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The frame's display matrix, nine 16.16 fixed-point numbers, if it has one."""
    try:
        data = bytes(frame.side_data["DISPLAYMATRIX"])  # type: ignore[typeddict-item]
    except KeyError:
        return None
    except ValueError:
        # PyAV stumbles over kinds of side data it has no name for; the angle it can always tell.
        quarter = round(frame.rotation / 90) % 4
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        return (cos, -sin, 0, sin, cos, 0, 0, 0, 1)
    return tuple(memoryview(data).cast("i")) if len(data) == 36 else None


def looks_encrypted(path: str) -> bool:
    """Whether the head of a file carries the marks of an encrypted mp4 or Matroska."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(1 << 20)
    except OSError:
        return False
    mp4 = any(mark in head for mark in (b"encv", b"enca", b"pssh", b"sinf", b"senc"))
    # ContentEncryption (0x5035) inside ContentEncoding (0x6240), in a file with an EBML head.
    matroska = head.startswith(b"\x1a\x45\xdf\xa3") and b"\x62\x40" in head and b"\x50\x35" in head
    return mp4 or matroska


def open_container(path: str) -> av.container.InputContainer:
    """Open a file, and nothing that it names.

    Raises:
        MediaError: missing, empty, refused or no media file.
    """
    file = Path(path)
    try:
        if not file.exists():
            raise MediaError(f"{path}: no such file")
        if file.is_dir():
            raise MediaError(f"{path}: is a folder, not a video file")
        if file.is_file() and file.stat().st_size == 0:
            raise MediaError(f"{path}: the file is empty")
    except (OSError, ValueError) as error:
        raise MediaError(f"{path[:200]!r}: cannot be read ({error})") from error
    options = {
        "protocol_whitelist": ",".join(PROTOCOLS),
        "format_whitelist": CONTAINERS,
        "probesize": str(10 << 20),
        "analyzeduration": str(10_000_000),
        "max_pixels": str(MAX_PIXELS),
    }
    try:
        # "file:" keeps libav from reading a name such as "concat:a|b" as a protocol.
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except PermissionError as error:
        raise MediaError(f"{path}: permission denied") from error
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise MediaError(f"{path}: {_why_not_opened(path)}") from error


def _why_not_opened(path: str) -> str:
    with Path(path).open("rb") as file:
        head = file.read(4096)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.lower().startswith(tuple(mark.lower() for mark in _PLAYLIST_HEADS)) or b"<MPD" in head:
        return "is a playlist that names other files, which phar does not follow; give the video itself"
    if looks_encrypted(path):
        return "cannot be opened: the file is encrypted (DRM) or cut off; decrypt it first"
    if head[4:8] in (b"ftyp", b"moov", b"free", b"mdat", b"styp", b"moof"):
        return "looks like mp4 but its index (moov) is missing or broken; the recording was probably cut off"
    return "is not a media file that phar can read, or it is damaged"


def _choose_video(container: av.container.InputContainer, path: str) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise MediaError(f"{path}: no video track, only {' and '.join(kinds) or 'nothing'}")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise MediaError(
            f"{path}: the video's codec is unknown to this build of ffmpeg; re-encode it to H.264"
        )
    best = container.streams.best("video")
    return best if best in decodable else decodable[0]


def _choose_audio(
    container: av.container.InputContainer, video: VideoStream
) -> tuple[AudioStream | None, str | None]:
    streams = list(container.streams.audio)
    if not streams:
        return None, None
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        return None, "audio: the codec is unknown to this build of ffmpeg; the sound is ignored"
    best = container.streams.best("audio", related=video)
    return (best if best in decodable else decodable[0]), None


def first_frame(source: Source) -> av.VideoFrame | None:
    """Decode the first picture; None if the first few hundred packets hold none."""
    with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
        for packet in itertools.islice(source.demux(source.video), _PROBE_PACKETS):
            with contextlib.suppress(av.error.FFmpegError, ValueError):
                if frames := packet.decode():
                    return frames[0]
    return None


def problems_of(stored: av.VideoFrame) -> list[str]:
    """Return the warnings that a decoded picture asks for."""
    found = {DAMAGED_PICTURE: stored.is_corrupt, UNKNOWN_COLOURS: not has_known_colours(stored)}
    return [text for text, holds in found.items() if holds]


def average_fps(claimed: Fraction, num_frames: int, duration_s: float) -> Fraction:
    """Return a video's frame rate: what its container claims, unless the frames counted say otherwise."""
    measured = Fraction(num_frames) / Fraction(duration_s).limit_denominator(10**6)
    return claimed if abs(measured - claimed) <= claimed / 200 else measured.limit_denominator(10**4)
