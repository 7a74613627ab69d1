"""The records that pass between rooms, and the error tree.

Every error phar raises on purpose is a `PharError`; the commands print its one
line and leave with its exit code:

    PharError                 1   a fault of phar's own
    +-- UsageError            2   arguments that make no sense together
    +-- MediaError            3   input media missing or unreadable
    +-- ModelError            4   a model, config or checkpoint that does not fit
    |   +-- ProfileError      4   a profile or label file that is wrong
    +-- OutputError           5   output that cannot be written
    +-- NetworkError          6   a download that failed
    +-- ReportError           2   a file that is not a report phar can read

Arrays inside records are float32 and must not be written to.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def _read_only(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


# Records travel between processes; their read-only mappings do not by themselves.
copyreg.pickle(MappingProxyType, lambda view: (_read_only, (dict(view),)))

#: The label of a window or a span in which no known action was seen.
NONE = "none"

#: COCO's 17 body joints, in the order every keypoint array here uses.
#: Source: COCO keypoint annotation, https://cocodataset.org/#keypoints-2017
COCO_KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
#: Where each joint is once left and right are exchanged.
COCO_MIRRORED = tuple(
    COCO_KEYPOINTS.index(name.replace("left", "?").replace("right", "left").replace("?", "right"))
    for name in COCO_KEYPOINTS
)


#: Exit code of a command where some of many inputs failed; each error has the code of a command that fails.
SOME_FAILED = 7


class PharError(Exception):
    """A failure whose message is one line: what, what was got, how to mend it."""

    exit_code = 1


class UsageError(PharError):
    """Arguments that are missing, unknown or contradict each other."""

    exit_code = 2


class ReportError(UsageError):
    """A file that is not a report phar can read."""


class MediaError(PharError):
    """Input media that is missing, empty or cannot be decoded."""

    exit_code = 3


class ModelError(PharError):
    """A model, config or checkpoint that is missing or does not fit."""

    exit_code = 4


class ProfileError(ModelError):
    """A profile or label file that is missing or wrong."""


class ProcessError(PharError):
    """A process that died at its work, as one does that runs out of memory."""


class OutputError(PharError):
    """Output that cannot be written where it was asked for."""

    exit_code = 5


class NetworkError(PharError):
    """A download that failed."""

    exit_code = 6


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True)
class Video:
    """One video file as it was decoded."""

    path: str
    """The path as the user gave it."""
    duration_s: float
    """Last frame's timestamp plus its duration, minus the first frame's timestamp."""
    fps: Fraction
    """Average frame rate, frames per second."""
    width_px: int
    """Width of the upright picture."""
    height_px: int
    """Height of the upright picture."""
    has_audio: bool
    """Whether there is an audio track that can be decoded."""


@dataclass(frozen=True)
class Window:
    """A half-open span [start_s, end_s) of source time; time 0 is the first frame."""

    index: int
    """0-based position in the list of windows."""
    start_s: float
    """Seconds from the first frame."""
    end_s: float
    """Seconds from the first frame; the last window ends where the video ends."""

    def __post_init__(self) -> None:
        _require(self.index >= 0, f"window index {self.index} is negative")
        _require(
            0 <= self.start_s < self.end_s,
            f"window {self.index} spans {self.start_s} to {self.end_s} s",
        )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class StreamScore:
    """What one stream says of one window: probabilities, or why it is silent.

    Silent is not zero: exactly one of `probs` and `silent` is set.
    """

    stream: str
    """Name of the stream, as in the profile: rgb, skeleton, audio, ..."""
    window: Window
    probs: FloatArray | None = None
    """(C,) probabilities in [0, 1] over the stream's own labels, in its label file's order."""
    silent: str | None = None
    """Reason why the stream did not speak, for people to read."""

    def __post_init__(self) -> None:
        _require(
            (self.probs is None) != (self.silent is None),
            f"{self.stream}: exactly one of probs and silent must be given",
        )
        if self.probs is not None:
            _require(
                self.probs.ndim == 1 and self.probs.size > 0,
                f"{self.stream}: probs have shape {self.probs.shape}, not (C,)",
            )
            _require(
                bool(np.isfinite(self.probs).all())
                and float(self.probs.min()) >= 0
                and float(self.probs.max()) <= 1 + 1e-5,
                f"{self.stream}: probs leave [0, 1]",
            )


@dataclass(frozen=True)
class Prediction:
    """The fused answer for one window, with everything it came from."""

    window: Window
    probs: FloatArray
    """(L,) fused scores in [0, 1] over the profile's labels; all zero if no stream spoke."""
    streams: Mapping[str, StreamScore]
    """Every enabled stream's score or silence, by stream name."""
    weights: Mapping[str, float]
    """Weight used for each stream that spoke, by stream name."""

    def __post_init__(self) -> None:
        _require(self.probs.ndim == 1, f"fused probs have shape {self.probs.shape}, not (L,)")
        object.__setattr__(self, "streams", MappingProxyType(dict(self.streams)))
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))


@dataclass(frozen=True)
class SegmentSpec:
    """How window scores become segments; the profile's `fusion.threshold` and `segments`."""

    threshold: float = 0.0
    """A window whose best fused score is below this is `none`; in [0, 1]."""
    label_thresholds: Mapping[str, float] = field(default_factory=dict)
    """Thresholds of single labels, used instead of `threshold`; in [0, 1]."""
    hysteresis: float = 0.0
    """By how much windows beside one that passes may miss the threshold; in [0, 1]."""
    smooth_s: float = 0.0
    """Scores are the median over a neighbourhood this long; 0 leaves them as they are."""
    min_length_s: float = 0.0
    """A run shorter than this becomes `none`."""
    label_min_lengths_s: Mapping[str, float] = field(default_factory=dict)
    """Least lengths of single labels, used instead of `min_length_s`."""
    max_gap_s: float = 0.0
    """A span of `none` up to this long between two runs of one label is bridged."""
    label_max_gaps_s: Mapping[str, float] = field(default_factory=dict)
    """Longest bridged gaps of single labels, used instead of `max_gap_s`."""

    def __post_init__(self) -> None:
        for share in (self.threshold, self.hysteresis, *self.label_thresholds.values()):
            _require(0 <= share <= 1, f"threshold or hysteresis {share} leaves [0, 1]")
        lengths_s = (
            self.smooth_s,
            self.min_length_s,
            self.max_gap_s,
            *self.label_min_lengths_s.values(),
            *self.label_max_gaps_s.values(),
        )
        _require(min(lengths_s) >= 0, f"smooth_s, min_length_s or max_gap_s {min(lengths_s)} is negative")
        for name in ("label_thresholds", "label_min_lengths_s", "label_max_gaps_s"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> SegmentSpec:
        """Return the settings of a report's or a profile's `segments`; unknown ones are left out.

        Raises:
            ValueError: a value makes no sense.
        """
        known = {entry.name for entry in fields(cls)}
        try:
            return cls(**{name: value for name, value in settings.items() if name in known})
        except (TypeError, AttributeError):
            raise ValueError("the settings of segments are no numbers") from None

    def threshold_of(self, label: str) -> float:
        """Return the score a window needs to be named `label`."""
        return self.label_thresholds.get(label, self.threshold)

    def min_length_of(self, label: str) -> float:
        """Return the seconds below which a run of `label` is dropped."""
        return self.label_min_lengths_s.get(label, self.min_length_s)

    def max_gap_of(self, label: str) -> float:
        """Return the longest gap, in seconds, that is bridged between two runs of `label`."""
        return self.label_max_gaps_s.get(label, self.max_gap_s)

    def settings(self) -> dict[str, Any]:
        """Return every setting by name, as the report's `profile.segments` holds them."""
        values = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values}


@dataclass(frozen=True)
class Segment:
    """One label over one half-open span of source time."""

    label: str
    start_s: float
    end_s: float
    score: float
    """Mean fused score of the label over the span, in [0, 1]; for `none` the mean best score."""

    def __post_init__(self) -> None:
        _require(
            0 <= self.start_s < self.end_s,
            f"segment {self.label!r} spans {self.start_s} to {self.end_s} s",
        )


@dataclass(frozen=True)
class Tag:
    """How much of a video one label covers."""

    label: str
    seconds: float
    """Total length of the label's segments."""
    share: float
    """`seconds` over the video's duration, in [0, 1]."""
    score: float
    """Segment scores averaged by length, in [0, 1]."""
    clips: int
    """Number of windows whose label it is."""


@dataclass(frozen=True)
class Poses:
    """Persons of a whole video, flat: row i of each (N, ...) array is one person in one frame."""

    frame_time_s: NDArray[np.float64]
    """(T,) source time of each analysed frame, increasing."""
    frame_index: NDArray[np.int64]
    """(N,) index into `frame_time_s`."""
    boxes: FloatArray
    """(N, 5) x1, y1, x2, y2 in upright source pixels, and the detector's score in [0, 1]."""
    keypoints: FloatArray
    """(N, 17, 3) x, y in upright source pixels and the confidence in [0, 1], in COCO order."""

    def __post_init__(self) -> None:
        n = self.frame_index.shape[0]
        _require(self.boxes.shape == (n, 5), f"boxes have shape {self.boxes.shape}, not ({n}, 5)")
        _require(
            self.keypoints.shape == (n, 17, 3),
            f"keypoints have shape {self.keypoints.shape}, not ({n}, 17, 3)",
        )


@dataclass(frozen=True)
class Report:
    """Everything known about one analysed video; what the writers of `export` write."""

    video: Video
    profile: Mapping[str, Any]
    """The `profile` object of the JSON report: name, windows, fusion, coefficients, models, ..."""
    labels: tuple[str, ...]
    """The profile's labels; position i names element i of every fused score vector."""
    vocabularies: Mapping[str, tuple[str, ...]]
    """Each enabled stream's own labels, by stream name."""
    predictions: tuple[Prediction, ...]
    """One per window, in time order."""
    timestamps: tuple[Segment, ...]
    """Merged runs of equal labels, sorted by start; `none` where nothing passed."""
    tags: tuple[Tag, ...]
    """Sorted by seconds, longest first."""
    timing: Mapping[str, Any]
    """Busy and waited seconds per stage, `total_s` and `realtime_factor`."""
    created: str
    """ISO-8601 time with zone."""
    phar_version: str
    topk: int = 5
    """How many labels the `topk` list of each clip shows."""
    poses: Poses | None = None
    poses_path: str | None = None
    """File name of the saved poses beside the report, if they were saved."""
    warnings: Sequence[str] = field(default_factory=tuple)
