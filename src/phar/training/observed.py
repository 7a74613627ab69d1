"""Joints of rendered clips as the profile's own detector and pose net see them, for the skeleton net.

Finding persons in 48 pictures costs a hundred times what a step of the skeleton net costs on them, so it is
done once a clip and looked at many times. Samples whose joints are true ones seen badly are mixed in: there
is no end of those, and they keep the net from learning the clips by heart.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Subset

from phar.clock import Stopwatch
from phar.openmmlab import PoseClip
from phar.openmmlab.training import PoseRecord
from phar.profile import PersonSpec, Profile
from phar.schema import FloatArray
from phar.streams.skeleton import pose_clip
from phar.streams.table import load_person_finder
from phar.training.pictures import compressed
from phar.training.samples import PoseSamples

#: Clips between two notes of how far the finding has come.
_NOTE_EVERY = 50
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
    folder.mkdir(parents=True, exist_ok=True)
    first_s, first, _ = samples.instants(0)
    identity = {
        "size": len(samples),
        "clip": [first.seed, first.index, *first_s],
        "nets": _digest(finder.spec),
    }
    note, done = folder / "done.json", 0
    if note.is_file():
        state = json.loads(note.read_text())
        if {k: state[k] for k in identity} == identity:
            done = state["done"]
    shape = (len(samples), _NUM_PERSONS, samples.num_frames, 17, 3)
    mode = "r+" if done else "w+"
    joints = np.lib.format.open_memmap(folder / "joints.npy", mode, np.float32, shape)
    facts = np.lib.format.open_memmap(folder / "facts.npy", mode, np.int64, (len(samples), 3))
    rest = Subset(_Pictures(samples), range(done, len(samples)))  # type: ignore[arg-type]
    loader = DataLoader(rest, batch_size=None, num_workers=num_workers)
    for index, (frames, label) in enumerate(loader, start=done):
        pictures = [np.asarray(frame) for frame in frames]
        height_px, width_px = pictures[0].shape[:2]
        clip = pose_clip([k for _, k in finder.find_in(pictures)], height_px, width_px)
        found = np.concatenate([clip.keypoints, clip.scores[..., None]], axis=-1)[:_NUM_PERSONS]
        joints[index] = 0
        joints[index, : len(found)] = found
        facts[index] = height_px, width_px, label
        if (index + 1) % _NOTE_EVERY == 0 or index + 1 == len(samples):
            joints.flush()
            facts.flush()
            note.write_text(json.dumps({**identity, "done": index + 1}))


class ObservedSamples:
    """Found joints, in another order each time round; every other position shows a sample of `others`."""

    def __init__(self, folder: Path, size: int, seed: int, others: PoseSamples | None) -> None:
        """Read `folder`. Without `others`, the clips are shown in order and as they were found."""
        self._folder = folder
        self._size = size
        self._seed = seed
        self._others = others
        self._open()

    def _open(self) -> None:
        self._joints = np.load(self._folder / "joints.npy", mmap_mode="r")
        self._facts = np.load(self._folder / "facts.npy")

    def __getstate__(self) -> dict[str, Any]:
        # The Runner copies its datasets; the joints stay on the disk.
        return {k: v for k, v in self.__dict__.items() if k not in ("_joints", "_facts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> PoseRecord:
        if self._others is None:
            return self._record(index % len(self._facts))
        if index % 2:
            return self._others[index]
        turn, place = divmod(index // 2, len(self._facts))
        order = np.random.default_rng([self._seed, turn]).permutation(len(self._facts))
        record = self._record(int(order[place]))
        return replace(record, clip=_varied(record.clip, np.random.default_rng([self._seed, turn, index])))

    def _record(self, number: int) -> PoseRecord:
        joints = np.array(self._joints[number])
        height_px, width_px, label = self._facts[number].tolist()
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
