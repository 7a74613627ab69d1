"""Joints of rendered clips as the profile's own detector and pose net see them, for the skeleton net.

Finding persons in 48 pictures costs a hundred times what a step of the skeleton net costs on them, so it is
done once a clip and looked at many times. Samples whose joints are true ones seen badly are mixed in: there
is no end of those, and they keep the net from learning the clips by heart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Subset

from phar.clock import Stopwatch
from phar.openmmlab import PoseClip
from phar.openmmlab.training import Arrays, PoseRecord, Row, fill
from phar.profile import PersonSpec, Profile
from phar.schema import FloatArray
from phar.streams.skeleton import pose_clip
from phar.streams.table import load_person_finder
from phar.training.pictures import compressed
from phar.training.samples import PoseSamples

#: Persons a clip keeps.
_NUM_PERSONS = 2


class _Pictures:
    """The pictures of the clips that a list of pose samples shows."""

    def __init__(self, samples: PoseSamples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[list[NDArray[np.uint8]], int]:
        cv2.setNumThreads(1)
        times, clip, label = self.samples.instants(index)
        quality = int(self.samples.rng(index).integers(30, 95))
        frames = [compressed(clip.frame(t), quality) for t in times]
        return frames, self.samples.world.skeleton_labels.index(label)


def find_joints(samples: PoseSamples, profile: Profile, folder: Path, *, num_workers: int = 1) -> None:
    """Write the joints that the profile's person nets find in the clips of `samples` to `folder`.

    What is there already, of the same samples and nets, is kept. Raises ProfileError, ModelError.
    """
    finder = load_person_finder(profile, device="auto", backend="auto", clock=Stopwatch())
    first_s, first, _ = samples.instants(0)
    identity = {"clip": [first.seed, first.index, *first_s], "nets": _digest(finder.spec)}

    def rows(done: int) -> Iterator[Row]:
        rest = Subset(_Pictures(samples), range(done, len(samples)))  # type: ignore[arg-type]
        for frames, label in DataLoader(rest, batch_size=None, num_workers=num_workers):
            pictures = [np.asarray(frame) for frame in frames]
            height_px, width_px = pictures[0].shape[:2]
            clip = pose_clip([k for _, k in finder.find_in(pictures)], height_px, width_px)
            found = np.concatenate([clip.keypoints, clip.scores[..., None]], axis=-1)[:_NUM_PERSONS]
            joints = np.zeros((_NUM_PERSONS, samples.num_frames, 17, 3), np.float32)
            joints[: len(found)] = found
            yield {"joints": joints, "facts": np.array([height_px, width_px, label])}

    fill(folder, identity, len(samples), rows)


class ObservedSamples:
    """Found joints, in another order each time round; every other position shows a sample of `others`."""

    def __init__(self, folder: Path, size: int, seed: int, others: PoseSamples | None) -> None:
        """Read `folder`. Without `others`, the clips are shown in order and as they were found."""
        self._kept = Arrays(folder, "joints", "facts")
        self._size = size
        self._seed = seed
        self._others = others

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> PoseRecord:
        if self._others is None:
            return self._record(index % len(self._kept["facts"]))
        if index % 2:
            return self._others[index]
        turn, place = divmod(index // 2, len(self._kept["facts"]))
        order = np.random.default_rng([self._seed, turn]).permutation(len(self._kept["facts"]))
        record = self._record(int(order[place]))
        return replace(record, clip=_varied(record.clip, np.random.default_rng([self._seed, turn, index])))

    def _record(self, number: int) -> PoseRecord:
        joints = np.array(self._kept["joints"][number])
        height_px, width_px, label = self._kept["facts"][number].tolist()
        return PoseRecord(PoseClip(joints[..., :2], joints[..., 2], height_px, width_px), label)


def _varied(clip: PoseClip, rng: np.random.Generator) -> PoseClip:
    """The clip begun at another frame, its joints moved a little, a person now and then missed."""
    points, scores = clip.keypoints, clip.scores
    if rng.uniform() < 0.5:
        shift = int(rng.integers(points.shape[1]))
        points, scores = np.roll(points, shift, 1), np.roll(scores, shift, 1)
    spans = _heights(points, scores)[:, None, None, None]
    shape = (len(points), 1, 17, 2)
    moved = rng.normal(0, 0.008, shape) + rng.normal(0, 0.006, points.shape)
    points = points + spans * moved * (scores > 0)[..., None]
    scores = np.clip(scores * rng.uniform(0.8, 1.2), 0, 1)
    if len(scores) > 1 and rng.uniform() < 0.1:
        scores = scores.copy()
        scores[1] = 0
    return replace(clip, keypoints=points.astype(np.float32), scores=scores.astype(np.float32))


def _heights(points: FloatArray, scores: FloatArray) -> NDArray[np.float64]:
    """The height of each person over all frames, pixels."""
    seen = scores > 0
    return np.array([np.ptp(p[s][:, 1]) if s.any() else 1.0 for p, s in zip(points, seen, strict=True)])


def _digest(spec: PersonSpec) -> str:
    digest = hashlib.sha256(repr((spec.det_score_thr, spec.detector_stride, spec.max_persons)).encode())
    for model in (spec.detector, spec.pose):
        digest.update(Path(model.checkpoint).read_bytes())
    return digest.hexdigest()[:16]
