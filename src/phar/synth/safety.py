"""Safe and unsafe in the rendered world: one motion stands for what moderators look for.

Its twin differs in tempo alone, so a net that sees single pictures cannot tell them apart and one that sees
clips can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from phar.schema import UsageError
from phar.synth.clip import Clip, TrueSegment
from phar.synth.world import World, load_world

SAFE, UNSAFE = "safe", "unsafe"


def load_safety(version: int = 1) -> Safety:
    """Load a version of the stand-in; raises UsageError for one that does not exist."""
    path = Path(__file__).with_name(f"safety_{version}.yaml")
    if not path.is_file():
        raise UsageError(f"stand-in {version!r} does not exist: use 1")
    return Safety(path)


class Safety:
    """Clips and long streams of a world with the labels safe and unsafe."""

    def __init__(self, path: Path) -> None:
        text = path.read_bytes()
        self.sha256 = hashlib.sha256(text).hexdigest()
        self.spec: dict[str, Any] = yaml.safe_load(text)
        self.version: int = self.spec["safety"]
        self.world: World = load_world(self.spec["world"])
        self.unsafe: tuple[str, ...] = tuple(self.spec["unsafe"])
        self.twins: tuple[str, ...] = tuple(self.spec["twins"])
        self._others = tuple(label for label in self.world.labels if label not in (*self.unsafe, *self.twins))

    def label(self, action: str) -> str:
        """Return safe or unsafe for a label of the world."""
        return UNSAFE if action in self.unsafe else SAFE

    def clip(self, split_or_seed: str | int, index: int) -> Clip:
        """A short clip; its actions are drawn by `clip_shares`."""
        rng = np.random.default_rng([self.version, 2, self._seed(split_or_seed), index])
        share, shares = rng.uniform(), self.spec["clip_shares"]
        if share < shares["unsafe"]:
            among = self.unsafe
        elif share < shares["unsafe"] + shares["twins"]:
            among = self.twins
        else:
            among = self._others
        return self.world.clip(split_or_seed, index, label=str(rng.choice(among)))

    def stream(self, split_or_seed: str | int, index: int, duration_s: float, events_per_hour: float) -> Clip:
        """A long video with rare unsafe events, as many as a Poisson process of that rate gives."""
        spec = self.spec["stream"]
        rng = np.random.default_rng([self.version, 3, self._seed(split_or_seed), index])
        plan: list[tuple[str, float]] = []
        at = 0.0
        due = float(rng.exponential(3600 / events_per_hour)) if events_per_hour > 0 else np.inf
        while at < duration_s:
            last = plan[-1][0] if plan else ""
            if at >= due:
                label, length_s = str(rng.choice(self.unsafe)), float(rng.uniform(*spec["event_s"]))
                due = at + length_s + float(rng.exponential(3600 / events_per_hour))
            else:
                twin = rng.uniform() < spec["twin_share"] and last not in self.twins
                among = self.twins if twin else [label for label in self._others if label != last]
                label, length_s = str(rng.choice(among)), float(rng.uniform(*spec["segment_s"]))
                # An event begins when it is due, not when somebody else has finished.
                length_s = min(length_s, max(1.0, due - at))
            length_s = min(length_s, max(1.0, duration_s - at))
            plan.append((label, length_s))
            at += length_s
        return self.world.sequence(split_or_seed, index, plan)

    def truth(self, clip: Clip) -> tuple[TrueSegment, ...]:
        """Return a clip's segments with safe and unsafe for labels, equal neighbours joined."""
        return tuple(_joined([(self.label(s.label), s.start_s, s.end_s) for s in clip.segments]))

    def _seed(self, split_or_seed: str | int) -> int:
        return self.world.seeds(split_or_seed)[0] if isinstance(split_or_seed, str) else split_or_seed


def _joined(spans: Sequence[tuple[str, float, float]]) -> list[TrueSegment]:
    found: list[TrueSegment] = []
    for label, start_s, end_s in spans:
        if found and found[-1].label == label:
            found[-1] = TrueSegment(label, found[-1].start_s, end_s)
        else:
            found.append(TrueSegment(label, start_s, end_s))
    return found
