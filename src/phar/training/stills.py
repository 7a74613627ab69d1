"""Training samples of single pictures of the rendered world."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from phar.openmmlab.training import PersonRecord, PictureRecord, SceneRecord
from phar.schema import COCO_MIRRORED
from phar.synth import PLACES, Truth, World
from phar.training.pictures import Pixels, compressed, part, tinted
from phar.training.windows import Footage, WorldSamples, drawn_size, in_turn, shown

#: Pictures between two looks at the same one: some batches, so that the net has moved on.
_PICTURES_APART = 256


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
        number = in_turn(index, self.looks, _PICTURES_APART) if self._augment else index
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
        time_s = shown(rng.uniform(window.start_s, window.end_s, 1), window.clip)[0]
        return _Still(window.clip, time_s, window.clip.frame(time_s, **drawn_size(window.clip)))

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
