"""The checked records a profile consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phar.schema import SegmentSpec


@dataclass(frozen=True)
class ModelSpec:
    """One net: its OpenMMLab config and its weights, or an ONNX file that is both."""

    config: Path
    """An OpenMMLab config, which exists, or the ONNX file."""
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
class OnnxSpec:
    """What an ONNX net takes of a window, and what it gives."""

    outputs: tuple[str, ...]
    """The net's own labels, in the order of its outputs."""
    label_map: Mapping[str, str]
    """The net's own label to the stream's label; outputs that are not in it are ignored."""
    layout: str
    """Axes of the input: N views, C channels, H, W; T frames of a clip, S an axis of one."""
    frames: int
    """Frames of a clip; without T in the layout, frames that are looked at one by one."""
    size_px: tuple[int, int]
    """Width and height of the frames."""
    interval: int | None = None
    """Distance of a clip's neighbouring frames, in frames; None spreads them over the window."""
    clips: int = 1
    """Clips of a window; more than one only with `interval`."""
    fit: str = "stretch"
    """How frames of another shape become that size: `stretch`, `crop` (middle) or `pad` (with black)."""
    colour: str = "rgb"
    """Order of the channels: `rgb` or `bgr`."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from values of 0 to 255, per channel in the order of `colour`."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divides what is left, per channel."""
    output: str | None = None
    """Name of the output to read; None where the net has one only."""
    activation: str = "softmax"
    """What makes probabilities of the output: `softmax` (one label of all) or `sigmoid` (each by itself)."""
    applied: bool = False
    """Whether the net ends in that activation."""
    average: str = "prob"
    """Whether `prob`abilities of a window's views are averaged, or the `score`s before the activation."""


@dataclass(frozen=True)
class StreamSpec:
    """One recognizer and when it is asked."""

    name: str
    kind: str
    """What builds it: rgb, skeleton and audio are kinds of their own; streams of other names say theirs."""
    model: ModelSpec
    labels: tuple[str, ...]
    weight: float
    sampling: str
    """How frames are picked: `frames-1.x`, `frames-0.x` or `seconds`."""
    temperature: float = 1.0
    label_weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of single labels of its own, used instead of `weight`."""
    bias: Mapping[str, float] = field(default_factory=dict)
    """What is added to the logits of single labels of the profile where it speaks; for rule `stacked`."""
    rgb_topk: int | None = None
    """Asked only if one of RGB's best `rgb_topk` labels is among `labels`; None: always."""
    min_keypoint_share: float | None = None
    """Asked only if at least this share of keypoints is confident; None: always."""
    loudness: LoudnessGate | None = None
    """Asked only if the window is loud enough; None: always."""
    onnx: OnnxSpec | None = None
    """Input and outputs of a net of kind onnx; None for other kinds."""


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
    """How frames are picked by streams that do not say it themselves."""
    streams: Mapping[str, StreamSpec]
    """By name, in the order rgb, skeleton, audio, then others as the profile lists them."""
    persons: PersonSpec | None
    fusion: str
    """A rule's name in `phar.fusion.RULES`."""
    segments: SegmentSpec
    path: Path | None
    """The YAML file it was read from."""
    precision: str = "auto"
    """`auto`: bf16 where the processor is faster in it, else float32; `int8`: quantized nets."""
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

    def fusing(self) -> dict[str, Any]:
        """Return what `phar.fusion.fuse` asks for beside the scores, as keyword arguments."""
        return {
            "rule": self.fusion,
            "labels": self.labels,
            "vocabularies": {name: stream.labels for name, stream in self.streams.items()},
            "weights": {name: stream.weight for name, stream in self.streams.items()},
            "temperatures": {name: stream.temperature for name, stream in self.streams.items()},
            "label_weights": {name: stream.label_weights for name, stream in self.streams.items()},
            "biases": {name: stream.bias for name, stream in self.streams.items()},
        }

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
