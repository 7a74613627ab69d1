"""Training samples of the rendered world, one class for each kind of net.

A sample is a pure function of world, split, seed and position, so training can be stopped, resumed and
repeated. What the deployed pipeline does to a picture or a sound is done to it here too: video compression
(as JPEG, which is as blocky and far faster), other frame times, boxes that are a little off.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.openmmlab.clips import PoseClip
from phar.openmmlab.training import (
    FrameRecord,
    PersonRecord,
    PictureRecord,
    PoseRecord,
    SceneRecord,
    SoundRecord,
)
from phar.schema import COCO_MIRRORED, FloatArray
from phar.streams.features import SAMPLE_RATE_HZ, log_mel
from phar.synth import PLACES, Clip, Elsewhere, Truth, World
from phar.training.pictures import Pixels, compressed, part, tinted
from phar.training.safety import SafetySamples

WINDOW_S = 7.0
#: Persons a picture of the world may hold.
_MAX_PERSONS = 2
#: Short side that frames are drawn at, one size a clip: backdrops are kept by size.
_SHORT_SIDES_PX = (192, 208, 224, 240)
#: Clips kept open beyond those that will be looked at again.
_OPEN_CLIPS = 4
#: Pictures between two looks at the same one: some batches, so that the net has moved on.
_PICTURES_APART = 256

#: Errors (standard deviation, in body heights) and scores of each joint, as the bundled pose net has them on
#: held-out pictures: wrists move fastest and are seen worst.
_JOINT_ERRORS = np.array([0.014] * 5 + [0.015] * 2 + [0.028] * 2 + [0.038] * 2 + [0.016] * 2 + [0.02] * 4)
_JOINT_SCORES = np.array([1.0] * 5 + [0.83] * 2 + [0.6] * 2 + [0.48] * 2 + [0.98] * 2 + [0.83] * 4)


#: What a position may show.
Footage = Clip | Elsewhere


@dataclass(frozen=True)
class _Window:
    clip: Footage
    start_s: float
    end_s: float
    label: str


class WorldSamples:
    """The common part: which clip or window position `index` shows, and its own random numbers."""

    #: Share of the positions that show a window of a long video, cuts between actions included.
    video_share = 0.3
    #: Share of the positions that show a short window, as at the end of a video.
    short_share = 0.25
    #: Share of the clips of training that show nothing of the world, for nets that are to say `none` of it.
    elsewhere_share = 0.0
    #: Labels that are shown; None for all of the world's.
    labels: tuple[str, ...] | None = None
    #: Positions that look at one clip: drawing costs as much as a training step.
    per_clip = 1
    #: Clips between two looks at the same one, so that a batch holds different clips.
    apart = 1

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        self.world = world
        self._first_seed = world.seeds(split)[0] + seed
        self._augment = split == "train"
        self._size = size
        self._open: OrderedDict[int, _Window] = OrderedDict()

    def __len__(self) -> int:
        return self._size

    def rng(self, index: int) -> np.random.Generator:
        """The random numbers of one position."""
        return np.random.default_rng([self._first_seed, index, 1])

    def window(self, index: int) -> _Window:
        """The window of at most 7 s that position `index` looks at."""
        number = self.number(index)
        if number not in self._open:
            while len(self._open) >= self.apart + _OPEN_CLIPS:
                self._open.popitem(last=False)
            self._open[number] = self._draw(number)
        return self._open[number]

    def number(self, index: int) -> int:
        """Which clip position `index` looks at."""
        return _in_turn(index, self.per_clip, self.apart)

    def _draw(self, number: int) -> _Window:
        rng = np.random.default_rng([self._first_seed, number, 2])
        length_s = WINDOW_S if rng.uniform() >= self.short_share else float(rng.uniform(0.4, WINDOW_S))
        own = np.random.default_rng([self._first_seed, number, 4])
        if self._augment and own.uniform() < self.elsewhere_share:
            elsewhere = Elsewhere(self._first_seed, number)
            start_s = float(rng.uniform(0, elsewhere.duration_s - length_s))
            return _Window(elsewhere, start_s, start_s + length_s, elsewhere.label)
        if rng.uniform() < self.video_share:
            # Long videos are numbered apart from clips; each gives one window.
            clip = self.world.video(self._first_seed, number)
            spans = [s for s in clip.segments if self.labels is None or s.label in self.labels]
            if spans:
                span = spans[int(rng.integers(len(spans)))]
                start_s = float(rng.uniform(span.start_s - 0.4 * length_s, span.end_s - 0.6 * length_s))
                start_s = float(np.clip(start_s, 0, clip.duration_s - length_s))
                label, _ = clip.window_label(start_s, start_s + length_s)
                if self.labels is None or label in self.labels:
                    return _Window(clip, start_s, start_s + length_s, label)
        wanted = None if self.labels is None else self.labels[number % len(self.labels)]
        clip = self.world.clip(self._first_seed, number, wanted)
        length_s = min(length_s, clip.duration_s)
        start_s = float(rng.uniform(0, clip.duration_s - length_s))
        return _Window(clip, start_s, start_s + length_s, clip.label)


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

    def _draw_frames(self, window: _Window, rng: np.random.Generator) -> FrameRecord:
        times = _spread_times(window, self.num_frames, rng if self._augment else None)
        clip = window.clip
        frames = [clip.frame(t, **_drawn_size(clip)) for t in times]
        return FrameRecord(np.stack(frames), self.world.labels.index(window.label))


@dataclass(frozen=True)
class _Still:
    clip: Footage
    time_s: float
    frame: Pixels

    @cached_property
    def truth(self) -> Truth:
        """What is in it; as dear as drawing it."""
        return self.clip.truth(self.time_s)


class StillSamples(WorldSamples):
    """Single pictures."""

    #: Looks at each picture of training, every time in another part, other colours, other compression.
    looks = 1

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        super().__init__(world, split, seed, size)
        self._drawn: OrderedDict[int, _Still] = OrderedDict()

    def still(self, index: int) -> _Still:
        """The picture that position `index` looks at."""
        number = _in_turn(index, self.looks, _PICTURES_APART) if self._augment else index
        if number not in self._drawn:
            if len(self._drawn) >= _PICTURES_APART:
                self._drawn.popitem(last=False)
            self._drawn[number] = self._draw_still(number)
        return self._drawn[number]

    def compressed(self, frame: Pixels, rng: np.random.Generator) -> Pixels:
        """The picture as a video file would keep it; in training not always."""
        if self._augment and rng.uniform() >= 0.7:
            return frame
        return compressed(frame, int(rng.integers(30, 90)))

    def _draw_still(self, number: int) -> _Still:
        clip = self.window(number).clip
        time_s = float(np.random.default_rng([self._first_seed, number, 5]).uniform(0, clip.duration_s))
        return _Still(clip, time_s, clip.frame(time_s))


class SceneSamples(StillSamples):
    """Single pictures for the RGB net's stem, and what stands where in them."""

    per_clip = 4
    apart = 32
    looks = 2
    elsewhere_share = 0.06
    #: As the RGB net sees them.
    size_px = (192, 128)

    def _draw_still(self, number: int) -> _Still:
        window = self.window(number)
        rng = np.random.default_rng([self._first_seed, number, 5])
        time_s = _shown(rng.uniform(window.start_s, window.end_s, 1), window.clip)[0]
        return _Still(window.clip, time_s, window.clip.frame(time_s, **_drawn_size(window.clip)))

    def __getitem__(self, index: int) -> SceneRecord:
        rng = self.rng(index)
        still = self.still(index)
        clip, time_s, frame = still.clip, still.time_s, still.frame
        left, top, width, height = 0.0, 0.0, 1.0, 1.0
        if self._augment:
            frame = tinted(self.compressed(frame, rng), rng)
            frame, (left, top, width, height) = part(frame, rng)
        sides = np.array([clip.width_px, clip.height_px], np.float32)
        joints = clip.keypoints([time_s])[0] / sides
        joints = (joints[np.isfinite(joints).all((1, 2))] - [left, top]) / [width, height]
        places = clip.places(time_s)
        boxes = np.array([box for _, box in places]).reshape(-1, 4) / np.tile(sides, 2)
        boxes = (boxes - [left, top, left, top]) / [width, height, width, height]
        frame = cv2.resize(frame, self.size_px, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        if self._augment and rng.uniform() < 0.5:
            frame = frame[:, ::-1]
            joints = joints[:, COCO_MIRRORED] * [-1, 1] + [1, 0]
            boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
        label, _ = clip.window_label(time_s, time_s + 1e-3)
        posture = next(i for i, group in enumerate(self.world.postures) if label in group)
        return SceneRecord(
            np.ascontiguousarray(frame),
            joints.astype(np.float32),
            tuple(PLACES.index(kind) for kind, _ in places),
            boxes.astype(np.float32),
            posture,
        )


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

    def _record(self, window: _Window) -> SoundRecord:
        samples = window.clip.audio(window.start_s, window.end_s, SAMPLE_RATE_HZ)
        if samples is None:
            samples = np.zeros(round((window.end_s - window.start_s) * SAMPLE_RATE_HZ), np.float32)
        return SoundRecord(log_mel(samples), self.world.audio_labels.index(window.label))


class PictureSamples(StillSamples):
    """Single pictures for the person detector."""

    per_clip = 4
    video_share = 0.0

    def __getitem__(self, index: int) -> PictureRecord:
        still = self.still(index)
        return PictureRecord(self.compressed(still.frame, self.rng(index)), still.truth.boxes)


class PersonSamples(StillSamples):
    """Single persons for the pose net, in boxes a little off the true ones."""

    per_clip = 6
    video_share = 0.0
    looks = 2

    def __init__(self, world: World, split: str, seed: int, size: int) -> None:
        super().__init__(world, split, seed, size)
        self.labels = tuple(label for label in world.labels if label != "none")

    def __getitem__(self, index: int) -> PersonRecord:
        rng = self.rng(index)
        for attempt in range(8):
            still = self.still(index + attempt * len(self))
            if len(still.truth.boxes):
                break
        else:
            raise IndexError(f"no person in 8 pictures after position {index}")
        frame, truth = self.compressed(still.frame, rng), still.truth
        person = int(rng.integers(len(truth.boxes)))
        box = truth.boxes[person].copy()
        if self._augment:
            size = box[2:] - box[:2]
            box += np.concatenate([rng.normal(0, 0.03, 2) * size, rng.normal(0, 0.03, 2) * size])
        return PersonRecord(frame, box.astype(np.float32), truth.keypoints[person])


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


def _in_turn(index: int, looks: int, apart: int) -> int:
    """Number what position `index` looks at, where everything is looked at so often, others between."""
    block, place = divmod(index, looks * apart)
    return block * apart + place % apart


def _drawn_size(clip: Footage) -> dict[str, int]:
    short = _SHORT_SIDES_PX[clip.index % len(_SHORT_SIDES_PX)]
    return {"height_px": short} if clip.width_px >= clip.height_px else {"width_px": short}


def _spread_times(window: _Window, count: int, rng: np.random.Generator | None) -> list[float]:
    """Instants in the middle of `count` equal parts of the window, moved a little where `rng` is given."""
    part = (window.end_s - window.start_s) / count
    offsets = np.full(count, 0.5)
    if rng is not None:
        offsets += rng.uniform(-0.35, 0.35) + rng.uniform(-0.1, 0.1, count)
    return _shown(window.start_s + (np.arange(count) + offsets) * part, window.clip)


def _steady_times(window: _Window, count: int, step_s: float, rng: np.random.Generator) -> list[float]:
    """Instants `step_s` apart, from the start again where the window ends, as SampleFrames takes frames."""
    length_s = window.end_s - window.start_s
    first_s = rng.uniform(0, max(step_s, length_s - count * step_s))
    return _shown(window.start_s + (first_s + np.arange(count) * step_s) % length_s, window.clip)


def _shown(times: NDArray[np.float64], clip: Footage) -> list[float]:
    """The times of the frames that are on screen at the given instants."""
    fps = float(clip.fps)
    return [float(t) for t in np.clip(np.floor(times * fps), 0, clip.num_frames - 1) / fps]


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
