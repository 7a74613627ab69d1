"""Clips written as mp4, with their truth beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from phar.media import Sound, TimedPicture, write_video
from phar.schema import OutputError
from phar.synth.clip import Clip

#: Quality of libx264 that rendered videos are kept at.
_CRF = 23


def write_clip(clip: Clip, path: str | Path, truth: bool = True) -> Path:
    """Encode a clip to `path`; with `truth`, write `<stem>.json` beside it.

    The truth holds `world`, `seed`, `index` and the `segments` with label, start_s and end_s.
    Folders are made as needed. Raises OutputError where a file cannot be written.
    """
    path = Path(path)
    beside = path.with_suffix(".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The truth comes first, so that a video that is there has its truth.
        if truth:
            beside.write_text(json.dumps(clip.truth_record(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{beside}: cannot be written ({error.strerror}); choose another folder") from error
    write_video(path, _pictures(clip), clip.fps, _sound(clip), crf=_CRF)
    return path


def _pictures(clip: Clip) -> Iterator[TimedPicture]:
    for time_s in clip.frame_times_s:
        yield float(time_s), clip.frame(float(time_s))


def _sound(clip: Clip) -> Sound | None:
    samples = clip.audio(0.0, clip.duration_s, clip.audio_hz)
    if samples is None:
        return None
    if clip.channels == 1:
        return samples, clip.audio_hz
    # The second channel is a little quieter, so that mixing down is not a mere copy.
    return np.stack([samples, 0.9 * samples], -1), clip.audio_hz
