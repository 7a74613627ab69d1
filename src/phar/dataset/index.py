"""One pass over a video: where its shots begin, and how each quarter of a second looks and sounds.

What was found is kept by the file's content and the settings, so a video is decoded once, under any name.
"""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import platformdirs
from numpy.typing import NDArray

from phar.dataset.detectors import Detector, DetectorSettings, make_detector
from phar.export.target import replacing
from phar.media import MediaReader
from phar.schema import FloatArray, MediaError, PharError

#: Distance between two looks at a video, seconds.
SAMPLE_S = 0.25
#: A pixel darker than this counts as dark. Source: ffmpeg's blackdetect, pix_th 0.1 of the range 16 to 235.
_DARK = 16 + round(0.1 * 219)
#: Width at which brightness and change are measured.
_LOOK_PX = (64, 36)
_AUDIO_HZ = 8000
#: Level given to digital silence and to videos without sound.
SILENCE_DB = -120.0
#: Raised when what an index holds changes.
_VERSION = 1

#: Called with the seconds of video done so far.
Told = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """What one pass over a video found; arrays hold one value each `SAMPLE_S`."""

    content: str
    """Hash of the file's bytes."""
    duration_s: float
    """Exact length."""
    fps: float
    has_audio: bool
    cuts_s: NDArray[np.float64]
    """(n,) increasing times at which shots begin, without the first at 0."""
    dark: FloatArray
    """(m,) share of dark pixels, in [0, 1]."""
    change: FloatArray
    """(m,) mean absolute difference of luma to the look before, in [0, 255]; 0 for the first."""
    contrast: FloatArray
    """(m,) standard deviation of luma."""
    level_db: FloatArray
    """(m,) root mean square of the sound in dB of full scale; `SILENCE_DB` where there is none."""
    hashes: NDArray[np.uint64]
    """(m,) perceptual hashes of 64 bits."""

    def shots(self) -> list[tuple[float, float]]:
        """Half-open spans that cover the video."""
        return list(pairwise([0.0, *map(float, self.cuts_s), self.duration_s]))

    def looks(self, start_s: float, end_s: float) -> slice:
        """The looks within a span, at least one."""
        first = min(math.ceil(start_s / SAMPLE_S - 1e-6), len(self.dark) - 1)
        last = math.ceil(end_s / SAMPLE_S - 1e-6)
        return slice(first, max(first + 1, min(last, len(self.dark))))


def index_video(
    video: Path, settings: DetectorSettings, cache: Path | None = None, told: Told | None = None
) -> tuple[VideoIndex, bool]:
    """Return a video's index, from the cache if it is there, and whether it was.

    Args:
        video: the file.
        settings: how shots are found.
        cache: folder of indexes; None for the user's.
        told: told how far the reading has come.

    Raises:
        MediaError: the video cannot be read.
        ModelError: the detector's weights cannot be used.
    """
    folder = cache or cache_folder()
    content = content_hash(video, folder)
    key = hashlib.sha256(f"{_VERSION}|{SAMPLE_S}|{settings.key}".encode()).hexdigest()[:12]
    kept = folder / f"{content}-{key}.npz"
    found = _load(kept)
    if found is not None:
        return found, True
    found = _look_through(video, content, settings, told)
    _save(found, kept)
    return found, False


def cache_folder() -> Path:
    """The user's folder of indexes."""
    named = os.environ.get("PHAR_CACHE")
    return (Path(named) if named else Path(platformdirs.user_cache_dir("phar"))) / "shots"


def content_hash(video: Path, folder: Path) -> str:
    """Return the BLAKE2b hash of a file's bytes, 32 hexadecimal digits.

    The hash is remembered in `folder` by path, size and time of change, so that a library on a slow disk is
    not read anew by each command.

    Raises:
        MediaError: the file cannot be read.
    """
    try:
        stat = video.stat()
        known = hashlib.blake2b(
            f"{video.resolve()}|{stat.st_size}|{stat.st_mtime_ns}".encode(), digest_size=16
        )
        note = folder / "files" / known.hexdigest()
        if note.is_file() and len(text := note.read_text(encoding="ascii", errors="replace")) == 32:
            return text
        digest = hashlib.blake2b(digest_size=16)
        with video.open("rb") as stream:
            while chunk := stream.read(1 << 22):
                digest.update(chunk)
    except OSError as error:
        raise MediaError(f"{video}: cannot be read ({error.strerror})") from None
    note.parent.mkdir(parents=True, exist_ok=True)
    with replacing(note) as partial:
        partial.write_text(digest.hexdigest(), encoding="ascii")
    return digest.hexdigest()


def _look_through(video: Path, content: str, settings: DetectorSettings, told: Told | None) -> VideoIndex:
    import imagehash
    from PIL import Image

    dark, change, contrast, level_db, hashes = [], [], [], [], []
    previous: NDArray[np.int16] | None = None
    detector: Detector | None = None
    with MediaReader(
        video, SAMPLE_S, SAMPLE_S, lambda num_frames, *_: range(num_frames), audio_hz=_AUDIO_HZ
    ) as reader:
        shown_s = -1.0
        for media in reader:
            if detector is None:
                detector = make_detector(settings, float(reader.video.fps))
            for number in sorted(media.frames):
                frame = media.frames[number]
                # A held or stand-in picture comes up in more than one place.
                if frame.time_s > shown_s:
                    shown_s = frame.time_s
                    rgb = frame.to_rgb(*detector.size_px)
                    detector.take(rgb, shown_s)
            first = media.frames[min(media.frames)]
            grey = cv2.cvtColor(first.to_rgb(256), cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, _LOOK_PX, interpolation=cv2.INTER_AREA).astype(np.int16)
            dark.append(float((small < _DARK).mean()))
            contrast.append(float(small.std()))
            change.append(0.0 if previous is None else float(np.abs(small - previous).mean()))
            previous = small
            level_db.append(_level_db(media.audio))
            bits = imagehash.phash(Image.fromarray(grey)).hash.reshape(-1)
            hashes.append(int.from_bytes(np.packbits(bits).tobytes(), "big"))
            if told is not None:
                told(media.window.end_s)
        info = reader.video
    assert detector is not None
    cuts_s = [cut_s for cut_s in detector.cuts_s() if cut_s < info.duration_s]
    return VideoIndex(
        content,
        info.duration_s,
        float(info.fps),
        info.has_audio,
        np.array(cuts_s, np.float64),
        np.array(dark, np.float32),
        np.array(change, np.float32),
        np.array(contrast, np.float32),
        np.array(level_db, np.float32),
        np.array(hashes, np.uint64),
    )


def _level_db(audio: FloatArray | None) -> float:
    power = 0.0 if audio is None or not audio.size else float(np.mean(np.square(audio, dtype=np.float64)))
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


def _save(index: VideoIndex, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **vars(index))


def _load(path: Path) -> VideoIndex | None:
    """Read an index; None where there is none or it is damaged, for then it is made anew."""
    try:
        with np.load(path, allow_pickle=False) as data:
            values = {name: data[name] for name in data.files}
            scalars = {"content": str, "duration_s": float, "fps": float, "has_audio": bool}
            return VideoIndex(
                **{name: scalars.get(name, lambda a: a)(value) for name, value in values.items()}
            )
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, PharError):
        return None
