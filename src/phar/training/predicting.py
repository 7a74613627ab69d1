"""What a trained net says of a split's clips, looking at them as the deployed stream does."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from phar.dataset.manifest import Clip
from phar.export.target import replacing
from phar.openmmlab import PoseClip, Recognizer
from phar.openmmlab.clips import ClipSpec
from phar.openmmlab.training import ClipRecord, PoseRecord, SoundRecord
from phar.schema import FloatArray
from phar.training.examples import REFERENCE_HZ
from phar.training.sources import Source, View

#: Clips that the net is given at once.
_BATCH = 8


@dataclass(frozen=True)
class Predictions:
    """Scores of clips."""

    labels: tuple[str, ...]
    clips: tuple[Clip, ...]
    numbers: tuple[int, ...]
    """The true label of each clip, by its position among `labels`."""
    probs: FloatArray
    """(clips, labels) in [0, 1]."""

    @property
    def top1(self) -> float:
        """Share of clips whose best label is the true one."""
        return float((self.probs.argmax(1) == self.numbers).mean())

    @property
    def mean_class(self) -> float:
        """That share of each class, averaged over the classes there are."""
        return float(np.mean([right / count for right, count in self.per_class().values()]))

    def per_class(self) -> dict[str, tuple[int, int]]:
        """By label: clips named right, and clips."""
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for number, best in zip(self.numbers, self.probs.argmax(1).tolist(), strict=True):
            found[self.labels[number]][0] += int(best == number)
            found[self.labels[number]][1] += 1
        return {label: (right, count) for label, (right, count) in found.items()}


def predict(
    recognizer: Recognizer,
    source: Source,
    split: str,
    view: View,
    told: Callable[[int], None] | None = None,
) -> Predictions:
    """Score the clips of a split; of a clip longer than a window its middle.

    `told` is told how many clips are done. Raises ModelError, MediaError, UsageError.
    """
    chosen = source.split(split)
    # Frames are picked here, so the examples need none of their own rules.
    plain = replace(view, sampling="frames-1.x")
    samples = source.make(chosen, len(chosen.clips), None, plain, 0)
    probs = []
    for first in range(0, len(chosen.clips), _BATCH):
        numbers = range(first, min(first + _BATCH, len(chosen.clips)))
        probs.append(recognizer.predict([_window(samples[number], recognizer.clip) for number in numbers]))
        if told is not None:
            told(numbers.stop)
    return Predictions(
        source.labels,
        chosen.clips,
        chosen.numbers,
        np.concatenate(probs) if probs else np.zeros((0, len(source.labels)), np.float32),
    )


def _window(record: PoseRecord | SoundRecord | ClipRecord, clip: ClipSpec) -> object:
    """What a recognizer is given of a clip."""
    if isinstance(record, SoundRecord):
        return record.features
    if isinstance(record, ClipRecord):
        times_s = np.arange(record.num_frames) / record.fps
        return np.stack(record.read(clip.frame_indices(record.num_frames, times_s, record.fps)))
    joints = record.clip
    num_frames = joints.keypoints.shape[1]
    times_s = record.times_s if record.times_s is not None else np.arange(num_frames) / REFERENCE_HZ
    shown = clip.frame_indices(num_frames, times_s, None)
    return PoseClip(
        joints.keypoints[:, shown], joints.scores[:, shown], joints.height_px, joints.width_px, shown
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a row for each clip as CSV: id, video, start_s, end_s, label, and a score for each label.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "video", "start_s", "end_s", "label", *predictions.labels])
        for clip, number, probs in zip(
            predictions.clips, predictions.numbers, predictions.probs.tolist(), strict=True
        ):
            times = [f"{clip.start_s:.3f}", f"{clip.end_s:.3f}"]
            scores = [f"{score:.6f}" for score in probs]
            writer.writerow([clip.id, clip.video, *times, predictions.labels[number], *scores])
