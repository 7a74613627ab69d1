"""The one place that knows the order: read, look, gate, listen, fuse, segment, report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar import __version__, timeline
from phar.clock import Stopwatch, Trace
from phar.fusion import fuse
from phar.media import MediaReader, WindowMedia, average_fps, joined_counts, warning_lines
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
CHUNK_WINDOWS = 4
_CHUNK_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Part:
    """What was seen in some of a video's windows; `joined` makes a report of all of them."""

    video: Video
    """As far as it was read: exact in the last part only."""
    claimed_fps: Fraction
    """Frame rate that the container claims."""
    num_frames: int
    """Frames that begin in this part."""
    predictions: tuple[Prediction, ...]
    poses: Poses | None
    """Of the frames of these windows; None if none were kept."""
    runtime: Mapping[str, Any]
    """Backend, device and precision of each net."""
    skimmed: bool
    warnings: Mapping[str, int]
    """What went wrong without stopping the reading, and how often."""
    main_s: Mapping[str, float]
    """Seconds of the main thread by stage."""
    reader_s: Mapping[str, float]
    """Seconds of reading and waiting."""
    total_s: float


class Analyzer:
    """Loaded models that analyse one video after another.

    The first report's timing holds the loading too, under `load`.
    """

    def __init__(
        self, profile: Profile, *, device: str = "auto", backend: str = "auto", trace: Trace | None = None
    ) -> None:
        self.profile = profile
        self._terms = profile.fusing()
        self._clock = Stopwatch(trace)
        self._where = {"device": device, "backend": backend}
        self._loaded_skimmer: Skimmer | None = None
        with self._clock.stage("load"):
            self.streams: Streams = load_streams(profile, clock=self._clock, **self._where)
        self._clock.pause()

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
        part = self.analyze_part(
            video, keep_poses=keep_poses, num_threads=num_threads, skim=skim, progress=progress
        )
        return joined(self.profile, [part], topk=topk)

    def analyze_part(
        self,
        video: str | Path,
        windows: tuple[int, int | None] = (0, None),
        *,
        keep_poses: bool = False,
        num_threads: int = 0,
        skim: bool = False,
        progress: Progress | None = None,
    ) -> Part:
        """Analyse the windows from the first of two numbers to before the second, None for the end.

        Where the first number is a multiple of `CHUNK_WINDOWS`, the same windows share a batch as in an
        analysis of the whole; elsewhere the last digits of scores may differ. A video that ends before the
        first window gives a part without predictions. For the rest see `analyze`.
        """
        with self._timed():
            return self._analyze_part(video, windows, keep_poses, num_threads, skim, progress)

    def _analyze_part(
        self,
        video: str | Path,
        windows: tuple[int, int | None],
        keep_poses: bool,
        num_threads: int,
        skim: bool,
        progress: Progress | None,
    ) -> Part:
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
            windows=windows,
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
            warnings, reading = reader.warning_counts, asdict(reader.timing)
        return Part(
            video=reader.video,
            claimed_fps=reader.claimed_fps,
            num_frames=reader.num_own_frames,
            predictions=tuple(predictions),
            poses=join_poses(poses) if keep_poses else None,
            runtime=self.streams.runtime,
            skimmed=skim,
            warnings=warnings,
            main_s=clock.seconds,
            reader_s=reading,
            total_s=clock.total_s,
        )

    def predict(self, media: list[WindowMedia]) -> list[Prediction]:
        """Score windows that somebody else reads, such as those of several live sources.

        Their frames must be those that `wanted` names, their sound at the rate of `streams.audio_hz`.
        """
        with self._timed():
            return [prediction for prediction, _ in self._score(media, None)]

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return the indices of the frames of a window that the streams may need."""
        return set().union(*(stream.wanted(frame_times_s) for stream in self.streams.in_order))

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count what the body takes; what passes between two bodies or in a failed one is in no timing."""
        self._clock.resume()
        try:
            yield
        finally:
            self._clock.restart()
            self._clock.pause()

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
        return self.wanted(frame_times_s)

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
            full = len(chunk) == CHUNK_WINDOWS or num_bytes >= _CHUNK_BYTES
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
        position = {id(each): i for i, each in enumerate(seen)}
        for each in media:
            i = position.get(id(each))
            given = {
                stream.name: Answer(StreamScore(stream.name, each.window, silent=SKIMMED_OVER))
                if i is None
                else answers[stream.name][i]
                for stream in self.streams.in_order
            }
            with self._clock.stage("fusion"):
                prediction = fuse(
                    scores={name: answer.score for name, answer in given.items()}, **self._terms
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


def joined(profile: Profile, parts: Sequence[Part], *, topk: int = 5) -> Report:
    """Return the report of a video of which every window is in one of `parts`, given in order of time.

    Seconds in `timing` are the sums over the parts, whether they were made at once or one by one.
    """
    started = time.perf_counter()
    video = parts[-1].video
    if len(parts) > 1:
        num_frames = sum(part.num_frames for part in parts)
        video = replace(video, fps=average_fps(parts[0].claimed_fps, num_frames, video.duration_s))
    predictions = [prediction for part in parts for prediction in part.predictions]
    poses = [part.poses for part in parts if part.poses is not None]
    segments = timeline.segments(predictions, profile.labels, profile.segments)
    tags = timeline.tags(segments, [p.window for p in predictions], video.duration_s)
    main_s = _added(part.main_s for part in parts)
    joining_s = time.perf_counter() - started
    total_s = sum(part.total_s for part in parts) + joining_s
    return Report(
        video=video,
        profile=describe(profile, skimmed=parts[0].skimmed, **parts[0].runtime),
        labels=profile.labels,
        vocabularies={name: spec.labels for name, spec in profile.streams.items()},
        predictions=tuple(predictions),
        timestamps=tuple(segments),
        tags=tuple(tags),
        timing={
            "main": {**main_s, "segments": round(joining_s, 3)},
            "reader": _added(part.reader_s for part in parts),
            "total_s": round(total_s, 3),
            "realtime_factor": round(video.duration_s / total_s, 3),
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        phar_version=__version__,
        topk=topk,
        poses=join_poses(poses) if poses else None,
        warnings=warning_lines(joined_counts([part.warnings for part in parts])),
    )


def _added(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add up seconds by stage."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return {name: round(seconds, 3) for name, seconds in total.items()}


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
