"""Probe, decode and write media: the only room that knows ffmpeg and PyAV."""

from phar.media.assembly import Wanted
from phar.media.excerpt import write_excerpt
from phar.media.frame import Frame
from phar.media.reader import MediaReader, MediaTiming, WindowMedia, frame_times_s, read_frames
from phar.media.sound import Sound
from phar.media.source import probe
from phar.media.writer import TimedPicture, at_rate, write_video

__all__ = [
    "Frame",
    "MediaReader",
    "MediaTiming",
    "Sound",
    "TimedPicture",
    "Wanted",
    "WindowMedia",
    "at_rate",
    "frame_times_s",
    "probe",
    "read_frames",
    "write_excerpt",
    "write_video",
]
