"""Copy a video with other chapters, its streams as they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

from phar.media.comment import read_comment
from phar.media.source import CONTAINERS, PROTOCOLS, Source, first_frame
from phar.schema import MediaError, OutputError, UsageError

#: Target suffix: ffmpeg's muxer, what its text subtitles are, and whether it holds attached files.
_TARGETS = {
    ".mp4": ("mp4", "mov_text", False),
    ".m4v": ("mp4", "mov_text", False),
    ".mov": ("mov", "mov_text", False),
    ".mkv": ("matroska", "srt", True),
}
#: Text subtitles, which become the target's kind; pictures are copied, or refused by the muxer.
_TEXT_SUBTITLES = frozenset({"mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text"})


def first_frame_offset_s(video: str | Path) -> float:
    """Return how long after the container's start its first picture is shown, in seconds.

    Raises:
        MediaError: the file cannot be read.
    """
    source = Source(video, num_threads=1)
    try:
        frame = first_frame(source)
        if frame is None:
            raise MediaError(f"{video}: {source.why_nothing_decoded()}")
        if frame.time is None or source.container.start_time is None:
            return 0.0
        return max(0.0, frame.time - source.container.start_time / 1e6)
    finally:
        source.close()


def check_chapters_target(target: Path) -> None:
    """Check, before any work, that a file's suffix is one that can hold chapters. Raises UsageError."""
    if target.suffix.lower() not in _TARGETS:
        raise UsageError(f"{target}: chapters are put into {', '.join(_TARGETS)}; change the suffix")


def copy_with_chapters(video: str | Path, target: Path, ffmetadata: str, *, comment: str) -> None:
    """Copy pictures, sound and subtitles of `video` to `target`, with the chapters of an ffmetadata text.

    Tags and dispositions are kept, chapters replaced. Text subtitles become the kind that the target's
    container holds. Tracks of other data, such as time codes, are left out.

    Args:
        video: the source.
        target: a file that may be overwritten, ending in .mp4, .m4v, .mov or .mkv.
        ffmetadata: chapters, in FFmpeg's own form.
        comment: put before the container's own comment.

    Raises:
        MediaError: the source cannot be read.
        OutputError: the container cannot hold one of the streams.
    """
    muxer, subtitles, attachments = _TARGETS[target.suffix.lower()]
    there = read_comment(video)
    source = Source(video, num_threads=1)
    try:
        codecs = [
            stream.codec_context and stream.codec_context.name
            for stream in source.container.streams.subtitles
        ]
    finally:
        source.close()
    if there.startswith(comment):
        comment = there
    elif there:
        comment = f"{comment}; {there}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostats", "-loglevel", "error", "-y"]
    command += [
        "-protocol_whitelist",
        ",".join(PROTOCOLS),
        "-format_whitelist",
        CONTAINERS,
        "-i",
        f"file:{video}",
    ]
    command += ["-protocol_whitelist", "pipe", "-f", "ffmetadata", "-i", "pipe:0"]
    command += ["-map", "0:v", "-map", "0:a?", "-map", "0:s?", *(["-map", "0:t?"] if attachments else [])]
    command += ["-map_metadata", "0", "-map_chapters", "1", "-metadata", f"comment={comment}", "-c", "copy"]
    for index, codec in enumerate(codecs):
        if codec in _TEXT_SUBTITLES and codec != subtitles:
            command += [f"-c:s:{index}", subtitles]
    if muxer != "matroska":
        command += ["-movflags", "+faststart"]
    command += ["-f", muxer, f"file:{target}"]
    result = subprocess.run(command, input=ffmetadata.encode(), capture_output=True, check=False)
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        # The first line names the stream, later ones only what followed from it.
        hint = "check the disk" if muxer == "matroska" else "try .mkv"
        raise OutputError(f"{video} cannot be copied into {target.suffix} ({said[0]}); {hint}")
