"""A stream of an outside net: looks at frames of the window, where the gate lets it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phar.clock import Stopwatch
from phar.profile import StreamSpec
from phar.schema import StreamScore
from phar.streams.gates import proposal_gate
from phar.streams.onnx.recognizer import OnnxRecognizer
from phar.streams.stream import Answer, Chunk, shown_frames, shown_pictures


class OnnxStream:
    """Scores windows by an ONNX net; bears the name the profile gives it."""

    audio_hz = None

    def __init__(
        self, spec: StreamSpec, rgb_labels: tuple[str, ...], recognizer: OnnxRecognizer, clock: Stopwatch
    ) -> None:
        self.name = spec.name
        self.spec = spec
        self._rgb_labels = rgb_labels
        self.recognizer = recognizer
        self._clock = clock

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return the frames the profile's input asks for in this window."""
        return set(shown_frames(self.recognizer.clip, frame_times_s))

    def score(self, chunk: Chunk) -> list[Answer]:
        """Score every window of the chunk in one batch; the gate is asked before frames are converted."""
        reasons = [
            proposal_gate(chunk.rgb_score(i), self._rgb_labels, self.spec.labels, self.spec.rgb_topk)[1]
            for i in range(len(chunk.media))
        ]
        seen = [i for i, reason in enumerate(reasons) if reason is None]
        with self._clock.stage("convert"):
            windows = [shown_pictures(self.recognizer.clip, chunk.media[i]) for i in seen]
        with self._clock.stage(self.name):
            probs = self.recognizer.predict(windows)
        spoken = dict(zip(seen, probs, strict=True))
        return [
            Answer(StreamScore(self.name, media.window, probs=spoken.get(i), silent=reasons[i]))
            for i, media in enumerate(chunk.media)
        ]
