"""Clips written as H.264 and AAC in mp4, with their truth beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from phar.schema import OutputError
from phar.synth.clip import Clip

_CHUNK = 1024


def write_clip(clip: Clip, path: str | Path, truth: bool = True) -> Path:
    """Encode a clip to `path`; with `truth`, write `<stem>.json` beside it.

    The truth holds world, seed, index and `segments` of label, start_s, end_s.
    Raises OutputError where the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format="mp4") as container:
            _encode(clip, container)
        if truth:
            path.with_suffix(".json").write_text(json.dumps(clip.truth_record(), indent=1) + "\n")
    except (OSError, av.FFmpegError) as error:
        raise OutputError(f"cannot write {path}: {error}; choose a folder that can be written to") from error
    return path


def _encode(clip: Clip, container: av.container.OutputContainer) -> None:
    video = container.add_stream("libx264", rate=clip.fps, options={"crf": "23", "preset": "veryfast"})
    video.width, video.height, video.pix_fmt = clip.width_px, clip.height_px, "yuv420p"
    video.thread_count = 1
    audio = None
    if clip.has_audio:
        layout = "stereo" if clip.channels == 2 else "mono"
        audio = container.add_stream("aac", rate=clip.audio_hz, layout=layout, bit_rate=96000)
    pieces = _audio_frames(clip)
    sounded_s = 0.0
    for number, time_s in enumerate(clip.frame_times_s):
        frame = av.VideoFrame.from_ndarray(clip.frame(float(time_s)), format="rgb24")
        frame.pts, frame.time_base = number, 1 / clip.fps
        container.mux(video.encode(frame))
        while audio is not None and sounded_s <= time_s:
            piece = next(pieces, None)
            if piece is None:
                break
            sounded_s = float(piece.pts + piece.samples) / clip.audio_hz
            container.mux(audio.encode(piece))
    container.mux(video.encode(None))
    if audio is not None:
        for piece in pieces:
            container.mux(audio.encode(piece))
        container.mux(audio.encode(None))


def _audio_frames(clip: Clip) -> Iterator[av.AudioFrame]:
    samples = clip.audio(0.0, clip.duration_s, clip.audio_hz)
    if samples is None:
        return
    # The second channel is a little quieter, so that mixing down is not a mere copy.
    channels = np.stack([samples, 0.9 * samples])[: clip.channels].astype(np.float32)
    for start in range(0, channels.shape[1], _CHUNK):
        piece = np.ascontiguousarray(channels[:, start : start + _CHUNK])
        frame = av.AudioFrame.from_ndarray(piece, "fltp", "stereo" if clip.channels == 2 else "mono")
        frame.sample_rate, frame.pts = clip.audio_hz, start
        yield frame
