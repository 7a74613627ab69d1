"""The audio stream: a ResNet on the log-mel spectrogram of the window's sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phar.clock import Stopwatch
from phar.openmmlab import Recognizer
from phar.profile import StreamSpec
from phar.schema import StreamScore
from phar.streams.features import SAMPLE_RATE_HZ, log_mel_batch
from phar.streams.gates import proposal_gate
from phar.streams.loudness import audible, integrated_lufs
from phar.streams.stream import Answer, Chunk


class AudioStream:
    """Scores windows that sound loud enough and where RGB proposes a label one can hear."""

    name = "audio"
    audio_hz = SAMPLE_RATE_HZ

    def __init__(
        self, spec: StreamSpec, rgb_labels: tuple[str, ...], recognizer: Recognizer, clock: Stopwatch
    ) -> None:
        self.spec = spec
        self._rgb_labels = rgb_labels
        self.recognizer = recognizer
        self._clock = clock

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return no frames: this stream only listens."""
        return set()

    def score(self, chunk: Chunk) -> list[Answer]:
        """Score every window of the chunk; gates are asked before features are computed."""
        reasons = [self._silence(chunk, i) for i in range(len(chunk.media))]
        heard = [i for i, reason in enumerate(reasons) if reason is None]
        with self._clock.stage("audio_features"):
            features = log_mel_batch([chunk.media[i].audio.mean(axis=1) for i in heard]) if heard else []
        with self._clock.stage("audio"):
            probs = self.recognizer.predict(features) if heard else []
        spoken = dict(zip(heard, probs, strict=True))
        return [
            Answer(
                StreamScore(self.name, media.window, probs=spoken[i])
                if i in spoken
                else StreamScore(self.name, media.window, silent=reasons[i])
            )
            for i, media in enumerate(chunk.media)
        ]

    def _silence(self, chunk: Chunk, position: int) -> str | None:
        """Return why this window is not listened to, or None."""
        samples = chunk.media[position].audio
        if samples is None:
            return "the video has no audio track"
        if samples.size == 0:
            return "the audio track has no sound here"
        proposed, reason = proposal_gate(
            chunk.rgb_score(position), self._rgb_labels, self.spec.labels, self.spec.rgb_topk
        )
        if reason is not None or self.spec.loudness is None:
            return reason
        with self._clock.stage("loudness"):
            loud, why = audible(integrated_lufs(samples, SAMPLE_RATE_HZ), self.spec.loudness, proposed)
        return None if loud else why
