"""Where shots begin: PySceneDetect's detectors, or a TransNetV2 net that the user brings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.schema import ModelError, UsageError

Pixels = NDArray[np.uint8]

_CLOCK = Fraction(1, 90_000)


@dataclass(frozen=True)
class DetectorSettings:
    """Which detector, and how easily it sees a cut."""

    name: str = "adaptive"
    """A name of DETECTORS."""
    threshold: float | None = None
    """The detector's own threshold; None for its default."""
    min_shot_s: float = 0.5
    """No shot is shorter; a cut that would make one is left out."""
    weights: Path | None = None
    """The net of `transnetv2`, .onnx or .xml."""

    def __post_init__(self) -> None:
        if self.name not in DETECTORS:
            raise UsageError(f"detector {self.name!r} is unknown; use one of {', '.join(DETECTORS)}")
        if self.name == "transnetv2" and (self.weights is None or not self.weights.is_file()):
            given = f"{self.weights} does not exist" if self.weights else "none were given"
            raise ModelError(
                f"detector transnetv2 needs its weights, {given}; name an .onnx or .xml file by --weights"
            )

    @property
    def key(self) -> str:
        """A text that is the same for the same settings and weights."""
        weights = "" if self.weights is None else hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return f"{self.name}|{self.threshold}|{self.min_shot_s}|{weights}"


class Detector(Protocol):
    """Takes the frames of a video in order and says where shots begin."""

    @property
    def size_px(self) -> tuple[int, int | None]:
        """Width and height at which it wants the frames; None follows from the width."""

    def take(self, rgb: Pixels, time_s: float) -> None:
        """Look at the next frame, (H, W, 3) RGB."""

    def cuts_s(self) -> list[float]:
        """Times of the first frames of all shots but the first, once every frame was taken."""


def make_detector(settings: DetectorSettings, fps: float) -> Detector:
    """Return a fresh detector for a video.

    Raises:
        ModelError: the weights cannot be used.
    """
    return DETECTORS[settings.name](settings, fps)


class _SceneDetect:
    """A detector of PySceneDetect, fed by us so that the file is opened by nobody else.

    Source: PySceneDetect 0.7, https://www.scenedetect.com/docs/latest/api/detectors.html; it scales frames to
    an effective width of 256 pixels before looking at them, and so do we.
    """

    size_px = (256, None)

    def __init__(self, detector: Any, fps: float, min_shot_s: float) -> None:
        self._detector, self._fps, self._min_shot_s = detector, fps, min_shot_s
        self._cuts: list[float] = []
        self._last: Any = None

    def take(self, rgb: Pixels, time_s: float) -> None:
        from scenedetect.common import FrameTimecode, Timecode

        self._last = FrameTimecode(Timecode(round(time_s / _CLOCK), _CLOCK), self._fps)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        self._cuts += [cut.seconds for cut in self._detector.process_frame(self._last, bgr)]

    def cuts_s(self) -> list[float]:
        if self._last is not None:
            self._cuts += [cut.seconds for cut in self._detector.post_process(self._last)]
            self._last = None
        return spaced(self._cuts, self._min_shot_s)


def _adaptive(settings: DetectorSettings, fps: float) -> Detector:
    from scenedetect.detectors import AdaptiveDetector

    threshold = {} if settings.threshold is None else {"adaptive_threshold": settings.threshold}
    # Shots are kept apart below, by time: at 0 the library compares nothing.
    return _SceneDetect(AdaptiveDetector(min_scene_len=0, **threshold), fps, settings.min_shot_s)


def _content(settings: DetectorSettings, fps: float) -> Detector:
    from scenedetect.detectors import ContentDetector

    threshold = {} if settings.threshold is None else {"threshold": settings.threshold}
    return _SceneDetect(ContentDetector(min_scene_len=0, **threshold), fps, settings.min_shot_s)


def _transnet(settings: DetectorSettings, fps: float) -> Detector:
    from phar.dataset.transnet import TransNet

    assert settings.weights is not None
    return TransNet(settings.weights, 0.5 if settings.threshold is None else settings.threshold, settings)


def spaced(cuts_s: list[float], min_shot_s: float) -> list[float]:
    """Return sorted cuts without those that would make a shot shorter than `min_shot_s`."""
    kept: list[float] = []
    for cut_s in sorted(set(cuts_s)):
        if cut_s - (kept[-1] if kept else 0.0) >= max(min_shot_s, 1e-6):
            kept.append(cut_s)
    return kept


#: Detector name to what makes one.
DETECTORS: Mapping[str, Callable[[DetectorSettings, float], Detector]] = MappingProxyType(
    {"adaptive": _adaptive, "content": _content, "transnetv2": _transnet}
)
