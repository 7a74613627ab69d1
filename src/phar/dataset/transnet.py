"""TransNetV2 run by OpenVINO, from an ONNX or OpenVINO file that the user brings.

Source: Soucek and Lokoc, TransNet V2, https://arxiv.org/abs/2008.04838, and its reference inference: frames
of 48x27, windows of 100 frames every 50, of which the middle 50 count; the first and last frame are repeated
around the video; a transition is a run of frames above the threshold, and a shot begins after its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from phar.dataset.detectors import DetectorSettings, Pixels, spaced
from phar.schema import ModelError

_WINDOW, _STEP, _EDGE = 100, 50, 25


class TransNet:
    """A shot detector: takes frames, keeps one window of them, and says where shots begin.

    Args:
        weights: .onnx or .xml; takes (1, 100, 27, 48, 3) RGB from 0 to 255, gives one number a frame as its
            first output: a logit, or a probability where all lie in [0, 1].
        threshold: probability above which a frame belongs to a transition.
        settings: the rest of the settings.

    Raises:
        ModelError: the file cannot be read, or the net has other inputs or outputs.
    """

    size_px = (48, 27)

    def __init__(self, weights: Path, threshold: float, settings: DetectorSettings) -> None:
        self._threshold, self._min_shot_s = threshold, settings.min_shot_s
        self._net = _load(weights)
        self._frames: list[Pixels] = []
        self._times_s: list[float] = []
        self._scores: list[NDArray[np.float32]] = []

    def take(self, rgb: Pixels, time_s: float) -> None:
        """Look at the next frame, (27, 48, 3) RGB."""
        if not self._frames:
            self._frames = [rgb] * _EDGE
        self._frames.append(rgb)
        self._times_s.append(time_s)
        if len(self._frames) == _WINDOW:
            self._look()

    def cuts_s(self) -> list[float]:
        """Times of the first frames of all shots but the first, once every frame was taken."""
        times_s = np.array(self._times_s)
        while self._frames and sum(map(len, self._scores)) < len(times_s):
            self._frames += [self._frames[-1]] * (_WINDOW - len(self._frames))
            self._look()
        if not len(times_s):
            return []
        scores = np.concatenate(self._scores)[: len(times_s)]
        # Probabilities stay within [0, 1]; logits of frames without a cut are well below 0.
        if scores.min() < 0 or scores.max() > 1:
            scores = expit(scores)
        inside = scores > self._threshold
        ends = np.flatnonzero(inside[:-1] & ~inside[1:]) + 1
        return spaced([float(times_s[end]) for end in ends], self._min_shot_s)

    def _look(self) -> None:
        """Score the middle of the window, and move on by half a window."""
        batch = np.stack(self._frames)[None]
        scores = np.asarray(self._net(batch), np.float32).reshape(-1)
        if len(scores) != _WINDOW:
            raise ModelError(f"the net of transnetv2 gives {len(scores)} scores for {_WINDOW} frames")
        self._scores.append(scores[_EDGE : _EDGE + _STEP])
        self._frames = self._frames[_STEP:]


def _load(weights: Path) -> Any:
    # It brings torch along, which the other detectors do without.
    from phar.openmmlab.backends import openvino_core

    try:
        core = openvino_core()
        model = core.read_model(weights)
        (given,) = model.inputs
        model.reshape({given: [1, _WINDOW, 27, 48, 3]})
        dtype = given.get_element_type().to_dtype()
        net = core.compile_model(model, "CPU")
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1][:160]
        raise ModelError(
            f"{weights} is no TransNetV2 that takes (1, 100, 27, 48, 3) frames ({reason}); name another"
        ) from None
    return lambda batch: net(batch.astype(dtype))[0]
