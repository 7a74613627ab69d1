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
from phar.clock import Stopwatch, Trace
from phar.fusion import fuse
from phar.media import MediaReader, WindowMedia
from phar.profile import Profile, describe, load_profile
from phar.schema import Poses, Prediction, Report, StreamScore, Video, Window
from phar.streams.persons import join_poses
from phar.streams.skim import SKIMMED_OVER, Proposals, Skimmer
from phar.streams.stream import Answer, Chunk
from phar.streams.table import Streams, load_skimmer, load_streams

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

    def __init__(
        self, profile: Profile, *, device: str = "auto", backend: str = "auto", trace: Trace | None = None
    ) -> None:
        self.profile = profile
        self._vocabularies = {name: spec.labels for name, spec in profile.streams.items()}
        self._clock = Stopwatch(trace)
        self._where = {"device": device, "backend": backend}
        self._loaded_skimmer: Skimmer | None = None
        with self._clock.stage("load"):
            self.streams: Streams = load_streams(profile, clock=self._clock, **self._where)

    def analyze(
        self,
        video: str | Path,
        *,
        keep_poses: bool = False,
        topk: int = 5,
        num_threads: int = 0,
        skim: bool = False,
        progress: Progress | None = None,
    ) -> Report:
        """Analyse one video file and return its report; nothing is written.

        skim: look at single pictures first, and fully only where they show something.
        keep_poses: keep the persons the skeleton stream saw. topk: labels listed per clip.
        num_threads: decoding threads, 0 for the decoder's choice. progress: told after each chunk.
        Raises MediaError if the file cannot be read at all.
        """
        try:
            return self._analyze(video, keep_poses, topk, num_threads, skim, progress)
        finally:
            # Neither does the next video's timing hold that of one that failed.
            self._clock.restart()

    def _analyze(
        self,
        video: str | Path,
        keep_poses: bool,
        topk: int,
        num_threads: int,
        skim: bool,
        progress: Progress | None,
    ) -> Report:
        clock = self._clock
        predictions: list[Prediction] = []
        poses: list[Poses] = []
        tell = progress or (lambda stage, done_s, total_s: None)
        looked_at = self._skimmer().propose(video, num_threads) if skim else None
        with MediaReader(
            video,
            window_s=self.profile.window_s,
            stride_s=self.profile.stride_s,
            wanted=lambda _, __, window, times_s: self._wanted(window, times_s, looked_at),
            needed=None if looked_at is None else looked_at.touch,
            audio_hz=self.streams.audio_hz,
            num_threads=num_threads,
            trace=clock.trace,
        ) as reader:
            tell("read", 0.0, reader.video.duration_s)
            for media in self._chunks(reader):
                for prediction, seen in self._score(media, looked_at):
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
            profile=describe(self.profile, skimmed=skim, **self.streams.runtime),
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

    def _skimmer(self) -> Skimmer:
        if self._loaded_skimmer is None:
            with self._clock.stage("load"):
                self._loaded_skimmer = load_skimmer(self.profile, clock=self._clock, **self._where)
        return self._loaded_skimmer

    def _wanted(
        self, window: Window, frame_times_s: NDArray[np.float64], looked_at: Proposals | None
    ) -> set[int]:
        if looked_at is not None and not looked_at.touch(window.start_s, window.end_s):
            return set()
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

    def _score(
        self, media: list[WindowMedia], looked_at: Proposals | None
    ) -> Iterator[tuple[Prediction, Poses | None]]:
        seen = [
            each
            for each in media
            if looked_at is None or looked_at.touch(each.window.start_s, each.window.end_s)
        ]
        answers = self._ask(seen) if seen else {}
        position = {each.window.index: i for i, each in enumerate(seen)}
        for each in media:
            i = position.get(each.window.index)
            given = {
                stream.name: Answer(StreamScore(stream.name, each.window, silent=SKIMMED_OVER))
                if i is None
                else answers[stream.name][i]
                for stream in self.streams.in_order
            }
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

    def _ask(self, media: list[WindowMedia]) -> dict[str, list[Answer]]:
        """Return every stream's answers, one per window."""
        chunk = Chunk(media, None)
        answers: dict[str, list[Answer]] = {}
        for stream in self.streams.in_order:
            answers[stream.name] = stream.score(chunk)
            if stream.name == "rgb":
                chunk = Chunk(media, [answer.score for answer in answers["rgb"]])
        return answers

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
    skim: bool = False,
    progress: Progress | None = None,
    trace: Trace | None = None,
) -> Report:
    """Analyse one video with a profile and return the report; nothing is written.

    profile: a name, a YAML file, a Profile, or None for the default one. device: auto, cpu, cuda,
    cuda:0, ... backend: auto, torch or openvino. trace: filled with what each thread did when. For the
    rest see `Analyzer.analyze`. Raises MediaError, ModelError or ProfileError.
    """
    if not isinstance(profile, Profile):
        profile = load_profile(profile)
    analyzer = Analyzer(profile, device=device, backend=backend, trace=trace)
    return analyzer.analyze(
        video, keep_poses=keep_poses, topk=topk, num_threads=num_threads, skim=skim, progress=progress
    )
