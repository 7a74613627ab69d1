"""Samples of one's own data: poses and features that lie in files, one class for each kind of net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from phar.dataset.manifest import Clip
from phar.dataset.poses import PoseFile, read_poses
from phar.dataset.sounds import read_features
from phar.openmmlab.clips import PoseClip
from phar.openmmlab.training import PoseRecord, SoundRecord
from phar.training.order import Balanced, Shuffled

#: Rate at which `sampling: seconds` counts frames; see `phar.openmmlab.sampling`.
REFERENCE_HZ = 30.0
#: Files of poses kept in memory: unpacking one costs as much as all steps of a pipeline on it.
_KEPT_POSES = 2048


class Order(Protocol):
    """Position to the number of an example."""

    def __getitem__(self, position: int) -> int: ...


@dataclass(frozen=True)
class Labelled:
    """The clips to look at, and what each shows."""

    clips: tuple[Any, ...]
    """Clips, or pictures of persons: they have `id`, `split`, `label` and `category`."""
    numbers: tuple[int, ...]
    """The label of each, by its position among the net's labels."""

    @classmethod
    def of(cls, clips: Sequence[Any], number: Callable[[Any], int]) -> Labelled:
        """Number the labels of clips."""
        return cls(tuple(clips), tuple(map(number, clips)))

    def balanced(self, seed: int) -> Order:
        """An order in which classes, and within them categories, are seen alike."""
        # A class may hold several labels, as `unsafe` does: they count as categories.
        return Balanced(self.numbers, [(clip.label, clip.category) for clip in self.clips], seed)

    def shuffled(self, seed: int) -> Order:
        """An order in which each clip is seen as often as the others."""
        return Shuffled(len(self.clips), seed, 3)


class Drawn:
    """Examples in the order of training, or one by one to validate.

    Args:
        examples: what there is to learn from.
        size: positions; as many as training will see.
        order: which example each position shows; None for one after the other.
        window_s: a longer clip shows this much of itself: at random in training, else its middle.
        seed: of what is drawn at random.
    """

    def __init__(
        self, examples: Labelled, size: int, order: Order | None, window_s: float, seed: int
    ) -> None:
        self.examples = examples
        self._size = size
        self._order = order
        self._window_s = window_s
        self._seed = seed

    def __len__(self) -> int:
        return self._size

    def at(self, position: int) -> tuple[Clip, int]:
        """The clip that a position shows, and its label's number."""
        number = position if self._order is None else self._order[position]
        return self.examples.clips[number], self.examples.numbers[number]

    def span(self, position: int, length_s: float) -> tuple[float, float]:
        """The part of a clip of `length_s` that a position shows, seconds from the clip's start."""
        free_s = max(0.0, length_s - self._window_s)
        share = 0.5 if self._order is None else np.random.default_rng([self._seed, position, 4]).uniform()
        return free_s * share, min(length_s, free_s * share + self._window_s)


class PoseExamples(Drawn):
    """The poses of clips, all frames: the pipeline picks some."""

    def __init__(
        self,
        examples: Labelled,
        size: int,
        order: Order | None,
        window_s: float,
        seed: int,
        *,
        path: Callable[[Clip], Path],
        sampling: str,
    ) -> None:
        super().__init__(examples, size, order, window_s, seed)
        self._path = path
        self._by_time = sampling == "seconds"
        self._read = lru_cache(_KEPT_POSES)(read_poses)
        self._alike: dict[int, list[int]] = {}
        for number, label in enumerate(examples.numbers):
            self._alike.setdefault(label, []).append(number)

    def __getitem__(self, position: int) -> PoseRecord:
        clip, label = self.at(position)
        record = self._record(clip, label, position)
        if self._order is None:
            return record

        def another(rng: np.random.RandomState) -> PoseRecord:
            number = int(rng.choice(self._alike[label]))
            return self._record(self.examples.clips[number], label, position)

        return replace(record, another=another)

    def _record(self, clip: Clip, label: int, position: int) -> PoseRecord:
        poses = self._read(self._path(clip))
        shown = self._shown(poses, *self.span(position, clip.end_s - clip.start_s))
        height_px, width_px = poses.img_shape
        keypoints, scores = poses.keypoint[:, shown], poses.keypoint_score[:, shown]
        if not len(keypoints):
            # Nobody was seen; nets want to be told so by a person without joints.
            keypoints = np.zeros((1, len(shown), 17, 2), np.float32)
            scores = np.zeros((1, len(shown), 17), np.float32)
        # As MMAction2 keeps poses, and as deployed nets get them.
        keypoints, scores = keypoints.astype(np.float16), scores.astype(np.float16)
        joints = PoseClip(keypoints.astype(np.float32), scores.astype(np.float32), height_px, width_px)
        return PoseRecord(joints, label, picked=False, times_s=poses.time_s[shown])

    def _shown(self, poses: PoseFile, start_s: float, end_s: float) -> Any:
        """The frames of a part of the clip: all of them, or those on show 30 times a second."""
        inside = np.flatnonzero((poses.time_s >= start_s - 1e-6) & (poses.time_s < end_s - 1e-6))
        if not len(inside):
            inside = np.array([int(np.abs(poses.time_s - start_s).argmin())])
        if not self._by_time or len(inside) == 1:
            return inside
        step_s = float(np.median(np.diff(poses.time_s[inside])))
        first_s, last_s = poses.time_s[inside[0]], poses.time_s[inside[-1]] + step_s
        wanted_s = (
            first_s + (np.arange(max(1, round((last_s - first_s) * REFERENCE_HZ))) + 0.5) / REFERENCE_HZ
        )
        shown = np.searchsorted(poses.time_s, wanted_s, side="right") - 1
        return np.clip(shown, inside[0], inside[-1])


class SoundExamples(Drawn):
    """The features of clips; clips are no longer than a window."""

    def __init__(
        self,
        examples: Labelled,
        size: int,
        order: Order | None,
        window_s: float,
        seed: int,
        *,
        path: Callable[[Clip], Path],
    ) -> None:
        super().__init__(examples, size, order, window_s, seed)
        self._path = path

    def __getitem__(self, position: int) -> SoundRecord:
        clip, label = self.at(position)
        return SoundRecord(read_features(self._path(clip)), label)
