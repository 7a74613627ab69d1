"""Training samples of the rendered world, one class for each kind of net.

A sample is a pure function of world, split, seed and position, so training can be stopped, resumed and
repeated. What the deployed pipeline does to a picture or a sound is done to it here too: video compression
(as JPEG, which is as blocky and far faster), other frame times, boxes that are a little off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from phar.openmmlab.clips import PoseClip
from phar.openmmlab.training import FrameRecord, PoseRecord, SoundRecord
from phar.schema import FloatArray
from phar.streams.features import SAMPLE_RATE_HZ, log_mel
from phar.synth import World
from phar.training.pictures import compressed, part, tinted
from phar.training.safety import SafetySamples
from phar.training.stills import PersonSamples, PictureSamples, SceneSamples
from phar.training.windows import Footage, Window, WorldSamples, drawn_size, shown

#: Errors (standard deviation, in body heights) and scores of each joint, as the bundled pose net has them on
#: held-out pictures: wrists move fastest and are seen worst.
_JOINT_ERRORS = np.array([0.014] * 5 + [0.015] * 2 + [0.028] * 2 + [0.038] * 2 + [0.016] * 2 + [0.02] * 4)
_JOINT_SCORES = np.array([1.0] * 5 + [0.83] * 2 + [0.6] * 2 + [0.48] * 2 + [0.98] * 2 + [0.83] * 4)


class FrameSamples(WorldSamples):
    """Clips of frames for the RGB net."""

    num_frames = 8
    elsewhere_share = 0.25

    def __getitem__(self, index: int) -> FrameRecord:
        rng = self.rng(index)
        record = self._draw_frames(self.window(index), rng)
        return self._varied(record, rng) if self._augment else record

    def _varied(self, record: FrameRecord, rng: np.random.Generator) -> FrameRecord:
        """The record compressed, at times, and cropped."""
        if rng.uniform() < 0.4:
            quality = int(rng.integers(25, 90))
            record = replace(record, frames=np.stack([compressed(f, quality) for f in record.frames]))
        frames, _ = part(tinted(record.frames, rng), rng)
        return replace(record, frames=frames)

    def _draw_frames(self, window: Window, rng: np.random.Generator) -> FrameRecord:
        times = _spread_times(window, self.num_frames, rng if self._augment else None)
        clip = window.clip
        frames = [clip.frame(t, **drawn_size(clip)) for t in times]
        return FrameRecord(np.stack(frames), self.world.labels.index(window.label))


class PoseSamples(WorldSamples):
    """Joints of 48 frames for the skeleton net: the truth, seen as badly as a pose net sees it."""

    num_frames = 48
    #: Four frames at 30 Hz, as the config's test pipeline says.
    step_s = 4 / 30

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        super().__init__(world, split, seed, size)
        self.labels = world.skeleton_labels

    def instants(self, index: int) -> tuple[list[float], Footage, str]:
        """The times of one position's frames, the clip they are in and its action."""
        window = self.window(index)
        rng = np.random.default_rng([self._first_seed, index, 3])
        times = _steady_times(window, self.num_frames, self.step_s, rng)
        return times, window.clip, window.label

    def __getitem__(self, index: int) -> PoseRecord:
        rng = self.rng(index)
        times, clip, label = self.instants(index)
        points = clip.keypoints(times).transpose(1, 0, 2, 3)
        scores = np.isfinite(points).all(-1).astype(np.float32)
        pose = _badly_seen(np.nan_to_num(points, nan=0.0), scores, clip.width_px, clip.height_px, rng)
        return PoseRecord(pose, self.world.skeleton_labels.index(label))


class SoundSamples(WorldSamples):
    """Log-mel features for the audio net; the pipeline takes a view of a window, so each gives several."""

    per_clip = 3
    video_share = 0.15

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        super().__init__(world, split, seed, size)
        self.labels = world.audio_labels
        self._heard: tuple[int, SoundRecord] | None = None

    def __getitem__(self, index: int) -> SoundRecord:
        number = self.number(index)
        if self._heard is None or self._heard[0] != number:
            self._heard = (number, self._record(self.window(index)))
        return self._heard[1]

    def _record(self, window: Window) -> SoundRecord:
        samples = window.clip.audio(window.start_s, window.end_s, SAMPLE_RATE_HZ)
        if samples is None:
            samples = np.zeros(round((window.end_s - window.start_s) * SAMPLE_RATE_HZ), np.float32)
        return SoundRecord(log_mel(samples), self.world.audio_labels.index(window.label))


class Kept:
    """Samples that are looked at again and again: each is made once and stays in memory."""

    def __init__(self, samples: Sequence[Any]) -> None:
        self._samples = samples
        self._made: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Any:
        if index not in self._made:
            self._made[index] = self._samples[index]
        return self._made[index]


def _spread_times(window: Window, count: int, rng: np.random.Generator | None) -> list[float]:
    """Instants in the middle of `count` equal parts of the window, moved a little where `rng` is given."""
    part = (window.end_s - window.start_s) / count
    offsets = np.full(count, 0.5)
    if rng is not None:
        offsets += rng.uniform(-0.35, 0.35) + rng.uniform(-0.1, 0.1, count)
    return shown(window.start_s + (np.arange(count) + offsets) * part, window.clip)


def _steady_times(window: Window, count: int, step_s: float, rng: np.random.Generator) -> list[float]:
    """Instants `step_s` apart, from the start again where the window ends, as SampleFrames takes frames."""
    length_s = window.end_s - window.start_s
    first_s = rng.uniform(0, max(step_s, length_s - count * step_s))
    return shown(window.start_s + (first_s + np.arange(count) * step_s) % length_s, window.clip)


def _badly_seen(
    points: FloatArray, scores: FloatArray, width_px: int, height_px: int, rng: np.random.Generator
) -> PoseClip:
    """Joints (2, T, 17, 2) with what a detector and a pose net do to them."""
    persons, frames, joints = scores.shape
    spans = np.array(
        [np.ptp(p[s > 0][:, 1]) if (s > 0).any() else 1.0 for p, s in zip(points, scores, strict=True)]
    )
    # Errors in shares of the body: a steady one per joint, a fresh one per frame, now and then a miss.
    spread = _JOINT_ERRORS[:, None] * rng.uniform(0.2, 1.2, (persons, 1, 1, 1))
    steady = 0.9 * spread * rng.normal(0, 1, (persons, 1, joints, 2))
    fresh = 0.35 * spread * rng.normal(0, 1, (persons, frames, joints, 2))
    wild = (rng.uniform(size=(persons, frames, joints, 1)) < rng.uniform(0, 0.02)) * rng.normal(
        0, 0.15, (persons, frames, joints, 2)
    )
    seen = points + (steady + fresh + wild) * spans[:, None, None, None]
    certainty = _JOINT_SCORES * rng.uniform(0.8, 1.2, (persons, 1, 1))
    certainty = np.clip(certainty + rng.normal(0, 0.18, (persons, frames, joints)), 0.05, 1.0)
    weak = rng.uniform(size=(persons, frames, joints)) < rng.uniform(0, 0.1)
    scores = scores * np.where(weak, 0.15, certainty).astype(np.float32)
    # A detector misses a person for a few frames, or for good.
    for person in range(persons):
        if rng.uniform() < 0.3:
            start, length = int(rng.integers(frames)), int(rng.integers(1, 9))
            scores[person, start : start + length] = 0
    if rng.uniform() < 0.1:
        scores[1] = 0
    inside = ((seen >= 0) & (seen < [width_px, height_px])).all(-1)
    scores = scores * inside
    seen = np.where(scores[..., None] > 0, seen, 0)
    # Ranks follow the detector's score and change places at times.
    swapped = rng.uniform(size=frames) < (0.5 if rng.uniform() < 0.3 else 0.0)
    seen[:, swapped], scores[:, swapped] = seen[::-1, swapped], scores[::-1, swapped]
    return PoseClip(seen.astype(np.float32), scores.astype(np.float32), height_px, width_px)


#: Samples of each kind of net.
SAMPLES: dict[str, Callable[[World, str, int, int], Sequence[Any]]] = {
    "scene": SceneSamples,  # type: ignore[dict-item]
    "rgb": FrameSamples,  # type: ignore[dict-item]
    "skeleton": PoseSamples,  # type: ignore[dict-item]
    "audio": SoundSamples,  # type: ignore[dict-item]
    "person": PictureSamples,  # type: ignore[dict-item]
    "pose": PersonSamples,  # type: ignore[dict-item]
    "moderation": SafetySamples,  # type: ignore[dict-item]
}
