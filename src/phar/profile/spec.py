"""The checked records a profile consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phar.schema import SegmentSpec


@dataclass(frozen=True)
class ModelSpec:
    """One net: its OpenMMLab config and its weights."""

    config: Path
    """An OpenMMLab config; it exists."""
    checkpoint: Path | None
    """Weights; may be missing until they are used, None for random weights."""
    sha256: str | None = None
    """Hexadecimal hash the checkpoint must have, where it is known."""


@dataclass(frozen=True)
class LoudnessGate:
    """How loud a window must be for the audio stream to listen, as integrated loudness.

    Source: ITU-R BS.1770 for the measure; the rules `mean` and `label` are the
    original project's.
    """

    rule: str
    """`mean` of all thresholds, the threshold of the `label` RGB proposes, or one `fixed` value."""
    thresholds_lufs: Mapping[str, float] = field(default_factory=dict)
    """Threshold per label, LUFS."""
    fixed_lufs: float | None = None
    """The threshold of rule `fixed`, LUFS."""


@dataclass(frozen=True)
class StreamSpec:
    """One recognizer and when it is asked."""

    name: str
    model: ModelSpec
    labels: tuple[str, ...]
    weight: float
    temperature: float = 1.0
    rgb_topk: int | None = None
    """Asked only if one of RGB's best `rgb_topk` labels is among `labels`; None: always."""
    min_keypoint_share: float | None = None
    """Asked only if at least this share of keypoints is confident; None: always."""
    loudness: LoudnessGate | None = None
    """Asked only if the window is loud enough; None: always."""


@dataclass(frozen=True)
class PersonSpec:
    """How persons and their keypoints are found for the skeleton stream."""

    detector: ModelSpec
    pose: ModelSpec
    det_score_thr: float
    """Boxes below this score are dropped."""
    pose_score_thr: float
    """Keypoints at or above this score are confident; depends on the pose net."""
    correct_rate: float
    """The skeleton stream's `min_keypoint_share`, 0 if it has none."""
    detector_stride: int
    """The detector looks at every n-th analysed frame."""
    max_persons: int
    """The best boxes kept per frame."""
    short_side_px: int | None = None
    """Short side of the frames handed to detector and pose; None: as the source."""


@dataclass(frozen=True)
class SkimSpec:
    """How `--skim` finds the parts of a video that are worth a full look."""

    model: ModelSpec
    """A recognizer of single pictures."""
    labels: tuple[str, ...]
    """What it tells apart, `none` among it."""
    threshold: float
    """A picture is worth a look if what is not `none` sums up to this much; in [0, 1]."""
    every_s: float
    """Pictures are taken at most this often."""
    max_gap_s: float
    """Key frames this far apart are enough."""


@dataclass(frozen=True)
class Profile:
    """Everything that decides how a video is analysed."""

    name: str
    labels: tuple[str, ...]
    """Labels of the fused scores."""
    window_s: float
    stride_s: float
    sampling: str
    """How frames are picked: `frames-1.x`, `frames-0.x` or `seconds`."""
    streams: Mapping[str, StreamSpec]
    """By name, in the order rgb, skeleton, audio."""
    persons: PersonSpec | None
    fusion: str
    """A rule's name in `phar.fusion.RULES`."""
    segments: SegmentSpec
    path: Path | None
    """The YAML file it was read from."""
    skim: SkimSpec | None = None
    """None: the profile has no net to skim with."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The checked YAML document, with overrides merged in."""

    @property
    def threshold(self) -> float:
        """Fused score below which a window is `none`."""
        return self.segments.threshold

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the presets the profile defines."""
        return tuple(self.document.get("presets", {}))

    def models(self) -> dict[str, ModelSpec]:
        """Return every model by its name: the streams', then `detector` and `pose`, and `skim`."""
        found = {name: stream.model for name, stream in self.streams.items()}
        if self.persons is not None:
            found |= {"detector": self.persons.detector, "pose": self.persons.pose}
        if self.skim is not None:
            found["skim"] = self.skim.model
        return found

    def missing_checkpoints(self) -> dict[str, Path]:
        """Return the checkpoints that are named but not there, by model name."""
        return {
            name: model.checkpoint
            for name, model in self.models().items()
            if model.checkpoint is not None and not model.checkpoint.is_file()
        }
