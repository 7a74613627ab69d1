"""An ONNX net as a recognizer: windows in, probabilities of the stream's labels out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.profile import OnnxSpec, StreamSpec
from phar.schema import FloatArray, ModelError
from phar.streams.onnx.clip import OnnxClip
from phar.streams.onnx.net import OnnxNet

#: How far outputs may leave [0, 1], or their sum 1, and still be probabilities; bf16 rounds that much.
_TOLERANCE = 0.03


class OnnxRecognizer:
    """Scores windows by an ONNX net: activation, mean over the views, then our labels for the net's."""

    def __init__(self, path: Path, spec: OnnxSpec, sampling: str, precision: str | None = None) -> None:
        """Load the net; sampling is one of `phar.openmmlab.sampling.RULES`. Raises ModelError."""
        self.clip = OnnxClip.of(spec, sampling)
        self.labels = tuple(dict.fromkeys(spec.label_map.values()))
        """The stream's labels, in the order of the scores."""
        self._path = path
        self._spec = spec
        self._net = OnnxNet(path, spec, precision)
        self._columns = [
            [i for i, own in enumerate(spec.outputs) if spec.label_map.get(own) == label]
            for label in self.labels
        ]

    @classmethod
    def load(cls, stream: StreamSpec) -> OnnxRecognizer:
        """Load the net of a stream of kind onnx. Raises ModelError."""
        if stream.onnx is None:
            raise ValueError(f"stream {stream.name} is of kind {stream.kind}")
        return cls(stream.model.config, stream.onnx, stream.sampling)

    def predict(self, windows: Sequence[NDArray[np.uint8]]) -> FloatArray:
        """Score windows of frames (num_frames, h, w, 3) uint8 RGB: (N, C) float32. Raises ModelError."""
        if not len(windows):
            return np.zeros((0, len(self.labels)), np.float32)
        views = [self.clip.views(window) for window in windows]
        scores = self._net(np.concatenate(views))
        parts = np.split(scores, np.cumsum([len(v) for v in views])[:-1])
        return np.stack([self._mapped(self._averaged(part)) for part in parts])

    def _averaged(self, scores: FloatArray) -> FloatArray:
        """Probabilities (C,) of the net's own labels from what it gives for each view, (V, C)."""
        if not np.isfinite(scores).all():
            raise ModelError(f"{self._path} gives values that are no numbers; check input.mean and input.std")
        if self._spec.average == "score":
            scores = scores.mean(axis=0, keepdims=True)
        mean: FloatArray = self._probabilities(scores.astype(np.float64)).mean(axis=0).astype(np.float32)
        return mean

    def _probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        exclusive = self._spec.activation == "softmax"
        if not self._spec.applied:
            if exclusive:
                powers = np.exp(scores - scores.max(axis=1, keepdims=True))
                return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
            # The tanh form does not overflow.
            return (1 + np.tanh(scores / 2)) / 2  # type: ignore[no-any-return]
        inside = scores.min() >= -_TOLERANCE and scores.max() <= 1 + _TOLERANCE
        if not inside or (exclusive and np.abs(scores.sum(axis=1) - 1).max() > _TOLERANCE):
            raise ModelError(
                f"{self._path} gives {scores.min():.3g} to {scores.max():.3g}, summing to"
                f" {scores[0].sum():.3g}, which is not what a {self._spec.activation} gives;"
                " correct output.activation or output.applied"
            )
        return np.clip(scores, 0, 1)

    def _mapped(self, probs: FloatArray) -> FloatArray:
        """Our labels' scores (C',): what is exclusive adds up, of independent ones the largest counts."""
        joined = np.sum if self._spec.activation == "softmax" else np.max
        mapped = np.array([joined(probs[columns]) for columns in self._columns], np.float32)
        return np.minimum(mapped, 1)

    @property
    def backend(self) -> str:
        """What runs the net."""
        return "openvino"

    def describe(self) -> dict[str, Any]:
        """What the report says of this net: backend, device, precision."""
        return {"backend": "openvino", "device": "cpu", "precision": self._net.precision}
