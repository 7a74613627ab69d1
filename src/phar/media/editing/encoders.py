"""Encoders for parts of a video: like the packets around them, so that the parts can be joined."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
import av.error
from av.codec.context import Flags as CodecFlags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from phar.media.demux import Packet
from phar.media.editing.packets import Unfit

#: Per codec the encoder and its options. Pictures come out in the order they go in, one packet each,
#: so that their times are known before they are encoded.
_ENCODERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast", "crf": "18", "bf": "0"}),
    "hevc": (
        "libx265",
        {
            "preset": "veryfast",
            "crf": "20",
            "x265-params": "bframes=0:open-gop=0:repeat-headers=1:info=0:log-level=none",
        },
    ),
    "vp9": (
        "libvpx-vp9",
        {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "lag-in-frames": "0", "row-mt": "1"},
    ),
    "av1": ("libsvtav1", {"crf": "26", "preset": "9", "svtav1-params": "pred-struct=1:lookahead=0"}),
}

#: x264's names of the profiles that browsers and players ask for by name.
_X264_PROFILES = {
    "Baseline": "baseline",
    "Constrained Baseline": "baseline",
    "Main": "main",
    "High": "high",
    "High 10": "high10",
    "High 4:2:2": "high422",
    "High 4:4:4 Predictive": "high444",
}


@dataclass(frozen=True)
class Likeness:
    """What parts of one stream must share."""

    codec: str
    width_px: int
    height_px: int
    pix_fmt: str
    time_base: Fraction
    fps: Fraction
    profile: str | None = None
    pixel_aspect: Fraction | None = None
    colours: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, stream: av.VideoStream, fps: Fraction, time_base: Fraction, codec: str) -> Likeness:
        """Read what a stream's decoder says."""
        context = stream.codec_context
        names = ("colorspace", "color_range", "color_primaries", "color_trc")
        return cls(
            codec=codec,
            width_px=context.width,
            height_px=context.height,
            pix_fmt=context.pix_fmt or "yuv420p",
            time_base=time_base,
            fps=fps,
            profile=context.profile,
            pixel_aspect=stream.sample_aspect_ratio or None,
            colours={name: int(getattr(context, name) or 0) for name in names},
        )


def can_encode(codec: str) -> bool:
    """Tell whether parts of a stream of this codec can be encoded anew."""
    return codec in _ENCODERS


class PartEncoder:
    """Encodes one part, which begins with a picture that needs no other.

    Raises:
        Unfit: there is no encoder for this codec and this kind of picture.
    """

    def __init__(self, like: Likeness, parameter_set: int | None = None) -> None:
        if not can_encode(like.codec):
            raise Unfit(f"parts of {like.codec} video cannot be encoded to fit the rest")
        name, options = _ENCODERS[like.codec]
        # This encoder writes to stderr, whatever it is told through libav.
        os.environ.setdefault("SVT_LOG", "1")
        context = VideoCodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        allowed = {entry.name for entry in context.codec.video_formats or ()}
        if like.pix_fmt not in allowed:
            raise Unfit(f"{name} does not encode {like.pix_fmt} pictures")
        context.width, context.height = like.width_px, like.height_px
        context.pix_fmt = like.pix_fmt
        context.time_base, context.framerate = like.time_base, like.fps
        if like.pixel_aspect is not None:
            context.sample_aspect_ratio = like.pixel_aspect
        for key, value in like.colours.items():
            setattr(context, key, value)
        chosen = dict(options)
        if like.codec == "h264":
            if like.profile in _X264_PROFILES and like.pix_fmt != "yuvj420p":
                chosen["profile"] = _X264_PROFILES[like.profile]
            if parameter_set is not None:
                chosen["x264-params"] = f"sps-id={parameter_set}"
            context.flags |= CodecFlags.global_header
        context.options = chosen
        try:
            context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise Unfit(f"{name} does not take pictures like these") from error
        self._context = context
        self._like = like

    @property
    def header(self) -> bytes:
        """Parameter sets that lie outside the packets."""
        return self._context.extradata or b""

    def encode(self, frame: av.VideoFrame | None, pts: int = 0) -> Iterator[Packet]:
        """Encode a picture shown at `pts`, or with None what the encoder still holds."""
        like = self._like
        if frame is not None:
            if (frame.width, frame.height, frame.format.name) != (
                like.width_px,
                like.height_px,
                like.pix_fmt,
            ):
                raise Unfit("the picture changes its size or kind on the way")
            # The decoder's kind of picture would be forced upon the encoder.
            frame.pict_type = PictureType.NONE
            frame.pts, frame.time_base = pts, like.time_base
        yield from self._context.encode(frame)
