"""The table of streams, and how a profile's streams are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phar.clock import Stopwatch
from phar.openmmlab import Detector, PoseEstimator, Recognizer
from phar.profile import Profile, StreamSpec, require_checkpoints
from phar.schema import ProfileError
from phar.streams.audio import AudioStream
from phar.streams.onnx import OnnxRecognizer, OnnxStream
from phar.streams.persons import PersonFinder
from phar.streams.rgb import RgbStream
from phar.streams.skeleton import SkeletonStream
from phar.streams.skim import Skimmer
from phar.streams.stream import Stream


@dataclass(frozen=True)
class _Loading:
    """What every stream is built from."""

    profile: Profile
    clock: Stopwatch
    runtime: Mapping[str, str]
    """Where nets run: keyword arguments `device` and `backend` of every net's `load`."""

    def recognizer(self, spec: StreamSpec) -> Recognizer:
        return Recognizer.load(
            spec.model.config,
            spec.model.checkpoint,
            num_classes=len(spec.labels),
            sampling=spec.sampling,
            **self.runtime,
        )

    @property
    def rgb_labels(self) -> tuple[str, ...]:
        rgb = self.profile.streams.get("rgb")
        return rgb.labels if rgb else ()


def _rgb(spec: StreamSpec, loading: _Loading) -> RgbStream:
    return RgbStream(spec, loading.recognizer(spec), loading.clock)


def _skeleton(spec: StreamSpec, loading: _Loading) -> SkeletonStream:
    finder = load_person_finder(loading.profile, clock=loading.clock, **loading.runtime)
    return SkeletonStream(spec, loading.rgb_labels, loading.recognizer(spec), finder, loading.clock)


def _audio(spec: StreamSpec, loading: _Loading) -> AudioStream:
    return AudioStream(spec, loading.rgb_labels, loading.recognizer(spec), loading.clock)


def _onnx(spec: StreamSpec, loading: _Loading) -> OnnxStream:
    return OnnxStream(spec, loading.rgb_labels, OnnxRecognizer.load(spec), loading.clock)


#: Kind of stream to what builds it, in the order they run: RGB's answers open the others' gates.
STREAMS: Mapping[str, Callable[[StreamSpec, _Loading], Stream]] = {
    "rgb": _rgb,
    "audio": _audio,
    "onnx": _onnx,
    "moderation": _rgb,
    "skeleton": _skeleton,
}


@dataclass(frozen=True)
class Streams:
    """A profile's enabled streams with their nets loaded."""

    in_order: tuple[Stream, ...]
    """In the order they run."""
    audio_hz: int | None
    """Sample rate the sound is wanted at, or None if no stream listens."""
    runtime: Mapping[str, str]
    """Where the nets run, as the report says it: `backend`, `device`, `precision`."""


def runtime(profile: Profile, device: str, backend: str) -> dict[str, str]:
    """Return where a profile's nets run: keyword arguments of every net's `load`.

    Raises ProfileError where quantized nets are asked of another backend.
    """
    if profile.precision != "int8":
        return {"device": device, "backend": backend}
    if backend == "torch" or device not in ("auto", "cpu"):
        raise ProfileError(
            f"profile {profile.name} asks for int8, which OpenVINO runs on the CPU;"
            " leave --backend and --device out, or choose another preset"
        )
    return {"device": "cpu", "backend": "openvino-int8"}


def load_person_finder(profile: Profile, *, device: str, backend: str, clock: Stopwatch) -> PersonFinder:
    """Load a profile's detector and pose net. Raises ProfileError if it has none, ModelError."""
    persons = profile.persons
    if persons is None:
        raise ProfileError(
            f"profile {profile.name}: the skeleton stream needs `persons`; add it or drop the stream"
        )
    where = {"device": device, "backend": backend}
    detector, pose = persons.detector, persons.pose
    return PersonFinder(
        persons,
        Detector.load(detector.config, detector.checkpoint, score_thr=persons.det_score_thr, **where),
        PoseEstimator.load(pose.config, pose.checkpoint, **where),
        clock,
    )


def load_skimmer(profile: Profile, *, device: str, backend: str, clock: Stopwatch) -> Skimmer:
    """Load the net by which a profile skims. Raises ProfileError if it has none, ModelError."""
    if profile.skim is None:
        raise ProfileError(
            f"profile {profile.name} has no net to skim with; give it `skim` or leave --skim out"
        )
    model = profile.skim.model
    recognizer = Recognizer.load(
        model.config, model.checkpoint, num_classes=len(profile.skim.labels), device=device, backend=backend
    )
    return Skimmer(profile.skim, recognizer, clock)


def load_streams(profile: Profile, *, device: str, backend: str, clock: Stopwatch) -> Streams:
    """Load the nets of every stream the profile enables.

    Raises ModelError or ProfileError for what is missing or does not fit.
    """
    unknown = {spec.kind for spec in profile.streams.values()} - set(STREAMS)
    if unknown:
        raise ProfileError(
            f"profile {profile.name}: no such kind of stream {', '.join(sorted(unknown))};"
            f" use {', '.join(STREAMS)}"
        )
    require_checkpoints(profile)
    loading = _Loading(profile, clock, runtime(profile, device, backend))
    in_order = tuple(
        build(spec, loading)
        for kind, build in STREAMS.items()
        for spec in profile.streams.values()
        if spec.kind == kind
    )
    if not in_order:
        raise ProfileError(f"profile {profile.name}: every stream is switched off; leave one on")
    about = in_order[0].recognizer.describe()
    return Streams(
        in_order,
        next((stream.audio_hz for stream in in_order if stream.audio_hz), None),
        {key: about[key] for key in ("backend", "device", "precision")},
    )
