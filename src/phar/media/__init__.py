"""Probe, decode and write media: the only room that knows ffmpeg and PyAV."""

from phar.media.assembly import Wanted
from phar.media.frame import Frame
from phar.media.reader import MediaReader, MediaTiming, WindowMedia
from phar.media.source import probe

__all__ = ["Frame", "MediaReader", "MediaTiming", "Wanted", "WindowMedia", "probe"]
