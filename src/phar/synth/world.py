"""The world's specification, and the clips it holds."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from phar.schema import NONE, FloatArray, UsageError
from phar.synth.canvas import Pixels
from phar.synth.clip import Clip, TrueSegment

_KINDS = {"clip": 0, "video": 1}


def load_world(version: int = 1) -> World:
    """Load a version of the world; raises UsageError for one that does not exist."""
    path = Path(__file__).with_name(f"world_{version}.yaml")
    if not path.is_file():
        known = sorted(int(p.stem.removeprefix("world_")) for p in Path(__file__).parent.glob("world_*.yaml"))
        raise UsageError(f"world {version!r} does not exist: use one of {known}")
    return World(path)


class World:
    """A frozen specification; the same seed and index give the same clip everywhere."""

    def __init__(self, path: Path) -> None:
        text = path.read_bytes()
        self.sha256 = hashlib.sha256(text).hexdigest()
        self.spec: dict[str, Any] = yaml.safe_load(text)
        self.version: int = self.spec["world"]
        self.labels: tuple[str, ...] = tuple(self.spec["labels"])
        self.skeleton_labels: tuple[str, ...] = tuple(self.spec["skeleton_labels"])
        self.audio_labels: tuple[str, ...] = tuple(self.spec["audio_labels"])
        self._vignettes: dict[tuple[int, int], FloatArray] = {}

    @cached_property
    def postures(self) -> tuple[tuple[str, ...], ...]:
        """The labels in groups that no single picture tells apart: same motion, phase and place."""
        groups: dict[Any, list[str]] = {}
        for label in self.labels:
            action = self.spec["actions"].get(label)
            key = action and (action["motion"], action["offset_cycles"], action.get("place"))
            groups.setdefault(key, []).append(label)
        return tuple(tuple(group) for group in groups.values())

    def seeds(self, split: str) -> range:
        """All seeds of train, val or test."""
        if split not in self.spec["seeds"]:
            raise UsageError(f"split {split!r} is unknown: use one of {', '.join(self.spec['seeds'])}")
        first, last = self.spec["seeds"][split]
        return range(first, last + 1)

    def _seed(self, split_or_seed: str | int) -> int:
        if isinstance(split_or_seed, str):
            return self.seeds(split_or_seed)[0]
        if split_or_seed < 0:
            raise UsageError(f"seed {split_or_seed} is negative: give 0 or more")
        return int(split_or_seed)

    def rng(self, kind: str, seed: int, index: int, number: int, name: str) -> np.random.Generator:
        """The random numbers kept under one name of one segment of one clip."""
        return np.random.default_rng(
            [self.version, _KINDS[kind], seed, index, number, zlib.crc32(name.encode())]
        )

    def clip(
        self, split_or_seed: str | int, index: int, label: str | None = None, none_kind: str | None = None
    ) -> Clip:
        """A short clip of one label.

        A split's name stands for its first seed. Without `label`, every run of
        len(labels) indexes holds each label once; with it, the same scene is
        played with that label. `none_kind` picks one of the fillings of `none`.
        """
        seed = self._seed(split_or_seed)
        if label is None:
            block, place = divmod(index, len(self.labels))
            order = self.rng("clip", seed, block, 0, "labels").permutation(len(self.labels))
            label = self.labels[int(order[place])]
        self._check(label, none_kind)
        low, high = self.spec["clip"]["duration_s"]
        duration_s = float(self.rng("clip", seed, index, 0, "duration").uniform(low, high))
        segments = (TrueSegment(label, 0.0, duration_s),)
        return self._make("clip", seed, index, segments, none_kind)

    def video(self, split_or_seed: str | int, index: int) -> Clip:
        """A long video: segments of different labels, now and then a short `none` between."""
        seed = self._seed(split_or_seed)
        spec, rng = self.spec["video"], self.rng("video", seed, index, 0, "plan")
        length = float(rng.uniform(*spec["duration_s"]))
        segments: list[TrueSegment] = []
        at, last = 0.0, ""
        while at < length:
            label = str(rng.choice([name for name in self.labels if name != last]))
            end = at + float(rng.uniform(*spec["segment_s"]))
            segments.append(TrueSegment(label, at, end))
            at, last = end, label
            between, pause = rng.uniform(), float(rng.uniform(*spec["between_s"]))
            if at < length and label != NONE and between < spec["between_share"]:
                segments.append(TrueSegment(NONE, at, at + pause))
                at, last = at + pause, NONE
        return self._make("video", seed, index, tuple(segments), None)

    def sequence(self, split_or_seed: str | int, index: int, plan: Sequence[tuple[str, float]]) -> Clip:
        """A video of given labels and lengths: `plan` holds (label, seconds) in order."""
        segments: list[TrueSegment] = []
        for label, length_s in plan:
            self._check(label, None)
            start_s = segments[-1].end_s if segments else 0.0
            segments.append(TrueSegment(label, start_s, start_s + length_s))
        if not segments:
            raise UsageError("the plan of a sequence is empty: give at least one label and length")
        return self._make("video", self._seed(split_or_seed), index, tuple(segments), None)

    def _check(self, label: str, none_kind: str | None) -> None:
        if label not in self.labels:
            raise UsageError(
                f"label {label!r} is not in world {self.version}: use one of {', '.join(self.labels)}"
            )
        if none_kind is not None and none_kind not in self.spec["none_shares"]:
            raise UsageError(
                f"none kind {none_kind!r} is unknown: use one of {', '.join(self.spec['none_shares'])}"
            )

    def _make(
        self, kind: str, seed: int, index: int, segments: tuple[TrueSegment, ...], none_kind: str | None
    ) -> Clip:
        picture, levels = self.spec["picture"], self.spec["sound"]
        rng = self.rng(kind, seed, index, 0, "picture")
        silent = rng.uniform() < levels["silent_track_share"]
        heard = any(segment.label in self.audio_labels for segment in segments)
        values = {
            "fps": rng.choice(picture["fps"], p=picture["fps_share"]),
            "size": picture["sizes"][int(rng.choice(len(picture["sizes"]), p=picture["sizes_share"]))],
            "audio_hz": int(rng.choice(levels["rates_hz"])),
            "channels": 2 if rng.uniform() < levels["stereo_share"] else 1,
            "background": str(rng.choice(levels["backgrounds"])),
            "has_audio": heard or not silent,
        }
        return Clip(self, seed, index, kind, segments, values, none_kind)

    @cached_property
    def grain(self) -> Pixels:
        """A tile of sensor grain around 128 with standard deviation 40."""
        noise = np.random.default_rng(self.version).normal(128, 40, (800, 800, 3))
        return np.clip(noise, 0, 255).astype(np.uint8)

    def vignette(self, width: int, height: int) -> FloatArray:
        """(height, width) how much a lens darkens: 0 in the middle, 1 in the corners."""
        if (width, height) not in self._vignettes:
            if len(self._vignettes) > 24:
                self._vignettes.clear()
            x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
            self._vignettes[(width, height)] = (((x**2 + y**2) / 2) ** 1.2).astype(np.float32)
        return self._vignettes[(width, height)]
