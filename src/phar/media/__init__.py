"""Probe, decode and write media: the only room that knows ffmpeg and PyAV."""

from phar.media.chapters import check_chapters_target, copy_with_chapters, first_frame_offset_s
from phar.media.excerpt import write_excerpt
from phar.media.fetch import Fetched, fetched
from phar.media.frame import Frame
from phar.media.plan import Wanted
from phar.media.reader import MediaReader, MediaTiming, WindowMedia, frame_times_s, read_frames
from phar.media.recording import has_pictures, read_recording, recording_s
from phar.media.sound import Sound
from phar.media.source import average_fps, joined_counts, probe, warning_lines
from phar.media.span import frames_between, sound_between
from phar.media.stills import read_stills
from phar.media.writer import TimedPicture, at_rate, write_video

__all__ = [
    "Fetched",
    "Frame",
    "MediaReader",
    "MediaTiming",
    "Sound",
    "TimedPicture",
    "Wanted",
    "WindowMedia",
    "at_rate",
    "average_fps",
    "check_chapters_target",
    "copy_with_chapters",
    "fetched",
    "first_frame_offset_s",
    "frame_times_s",
    "frames_between",
    "has_pictures",
    "joined_counts",
    "probe",
    "read_frames",
    "read_recording",
    "read_stills",
    "recording_s",
    "sound_between",
    "warning_lines",
    "write_excerpt",
    "write_video",
]
