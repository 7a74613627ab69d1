"""The one place that knows the order: read, look, gate, listen, fuse, segment, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar import __version__, timeline
from phar.fusion import fuse
from phar.media import MediaReader, WindowMedia
from phar.profile import Profile, describe, load_profile
from phar.schema import Poses, Prediction, Report, Video, Window
from phar.streams.persons import join_poses
from phar.streams.stopwatch import Stopwatch
from phar.streams.stream import Chunk
from phar.streams.table import Streams, load_streams

#: Called with the stage's name, the seconds of video that are done and the expected duration.
Progress = Callable[[str, float, float], None]

#: A chunk is closed when it holds this many windows or this many bytes of frames, whichever
#: comes first: batches for the nets, and a bound on memory for large pictures.
_CHUNK_WINDOWS = 4
_CHUNK_BYTES = 400 * 2**20


class Analyzer:
    """Loaded models that analyse one video after another.

    The first report's timing holds the loading too, under `load`.
    """

    def __init__(self, profile: Profile, *, device: str = "auto", backend: str = "auto") -> None:
        self.profile = profile
        self._vocabularies = {name: spec.labels for name, spec in profile.streams.items()}
        self._clock = Stopwatch()
        with self._clock.stage("load"):
            self.streams: Streams = load_streams(profile, device=device, backend=backend, clock=self._clock)
            # It reads every checkpoint through for its hash: once, not once a video.
            self._described = describe(profile, **self.streams.runtime)

    def analyze(
        self,
        video: str | Path,
        *,
        keep_poses: bool = False,
        topk: int = 5,
        num_threads: int = 0,
        progress: Progress | None = None,
    ) -> Report:
        """Analyse one video file and return its report; nothing is written.

        keep_poses: keep the persons the skeleton stream saw. topk: labels listed per clip.
        num_threads: decoding threads, 0 for the decoder's choice. progress: told after each chunk.
        Raises MediaError if the file cannot be read at all.
        """
        try:
            return self._analyze(video, keep_poses, topk, num_threads, progress)
        finally:
            # Neither does the next video's timing hold that of one that failed.
            self._clock.restart()

    def _analyze(
        self, video: str | Path, keep_poses: bool, topk: int, num_threads: int, progress: Progress | None
    ) -> Report:
        clock = self._clock
        predictions: list[Prediction] = []
        poses: list[Poses] = []
        tell = progress or (lambda stage, done_s, total_s: None)
        with MediaReader(
            video,
            window_s=self.profile.window_s,
            stride_s=self.profile.stride_s,
            wanted=self._wanted,
            audio_hz=self.streams.audio_hz,
            num_threads=num_threads,
        ) as reader:
            tell("read", 0.0, reader.video.duration_s)
            for media in self._chunks(reader):
                for prediction, seen in self._score(media):
                    predictions.append(prediction)
                    if keep_poses and seen is not None:
                        poses.append(seen)
                tell("analyse", predictions[-1].window.end_s, reader.video.duration_s)
            source, warnings, reading = reader.video, list(reader.warnings), asdict(reader.timing)
        with clock.stage("segments"):
            segments = timeline.segments(predictions, self.profile.labels, self.profile.segments)
            tags = timeline.tags(segments, [p.window for p in predictions], source.duration_s)
        return Report(
            video=source,
            profile=self._described,
            labels=self.profile.labels,
            vocabularies=self._vocabularies,
            predictions=tuple(predictions),
            timestamps=tuple(segments),
            tags=tuple(tags),
            timing=self._timing(source, reading),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            phar_version=__version__,
            topk=topk,
            poses=join_poses(poses) if keep_poses else None,
            warnings=tuple(warnings),
        )

    def _wanted(
        self, num_frames: int, fps: float, window: Window, frame_times_s: NDArray[np.float64]
    ) -> set[int]:
        return set().union(*(stream.wanted(frame_times_s) for stream in self.streams.in_order))

    def _chunks(self, reader: MediaReader) -> Iterator[list[WindowMedia]]:
        """Gather windows as they are decoded; the time spent waiting for them is counted apart."""
        windows = iter(reader)
        chunk: list[WindowMedia] = []
        num_bytes = 0
        while True:
            with self._clock.stage("wait"):
                media = next(windows, None)
            if media is not None:
                chunk.append(media)
                num_bytes += media.num_bytes
            full = len(chunk) == _CHUNK_WINDOWS or num_bytes >= _CHUNK_BYTES
            if chunk and (media is None or full):
                yield chunk
                chunk, num_bytes = [], 0
            if media is None:
                return

    def _score(self, media: list[WindowMedia]) -> Iterator[tuple[Prediction, Poses | None]]:
        chunk = Chunk(media, None)
        answers = {}
        for stream in self.streams.in_order:
            answers[stream.name] = stream.score(chunk)
            if stream.name == "rgb":
                chunk = Chunk(media, [answer.score for answer in answers["rgb"]])
        for i in range(len(media)):
            given = {name: answer[i] for name, answer in answers.items()}
            with self._clock.stage("fusion"):
                prediction = fuse(
                    self.profile.fusion,
                    self.profile.labels,
                    self._vocabularies,
                    {name: spec.weight for name, spec in self.profile.streams.items()},
                    {name: answer.score for name, answer in given.items()},
                    {name: spec.temperature for name, spec in self.profile.streams.items()},
                )
            yield prediction, next((a.poses for a in given.values() if a.poses is not None), None)

    def _timing(self, video: Video, reading: dict[str, float]) -> dict[str, Any]:
        total_s = self._clock.total_s
        return {
            "main": {name: round(s, 3) for name, s in self._clock.seconds.items()},
            "reader": {name: round(s, 3) for name, s in reading.items()},
            "total_s": round(total_s, 3),
            "realtime_factor": round(video.duration_s / total_s, 3),
        }


def analyze(
    video: str | Path,
    profile: str | Path | Profile | None = None,
    *,
    device: str = "auto",
    backend: str = "auto",
    keep_poses: bool = False,
    topk: int = 5,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Analyse one video with a profile and return the report; nothing is written.

    profile: a name, a YAML file, a Profile, or None for the default one. device: auto, cpu, cuda,
    cuda:0, ... backend: auto, torch or openvino. For the rest see `Analyzer.analyze`.
    Raises MediaError, ModelError or ProfileError.
    """
    if not isinstance(profile, Profile):
        profile = load_profile(profile)
    analyzer = Analyzer(profile, device=device, backend=backend)
    return analyzer.analyze(
        video, keep_poses=keep_poses, topk=topk, num_threads=num_threads, progress=progress
    )
