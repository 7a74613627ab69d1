"""Which frames of a window a recognizer looks at, as MMAction2's samplers choose them when testing.

Three rules: "frames-1.x" and "frames-0.x" count frames as those versions of MMAction2 do; "seconds" asks
what 1.x would pick at `REFERENCE_HZ` and takes the frames nearest in time, for rates unlike the training
data's. Source: mmaction2 1.2.0 and 0.24.1, `SampleFrames`, `DenseSampleFrames`, `UniformSampleFrames`,
`UniformSample`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.schema import ModelError

RULES = ("frames-1.x", "frames-0.x", "seconds")

#: Frame rate that clip lengths and intervals of the usual training sets are meant for.
REFERENCE_HZ = 30.0


@dataclass(frozen=True)
class FrameSampler:
    """One sampling step of a test pipeline."""

    kind: str
    """MMAction2's name of it: SampleFrames, DenseSampleFrames, UniformSampleFrames or UniformSample."""
    clip_len: int
    """Frames per clip."""
    num_clips: int = 1
    frame_interval: int = 1
    """Distance of neighbouring frames of a clip, in frames."""
    twice_sample: bool = False
    out_of_bound_opt: str = "loop"
    """Past the end: "loop" goes on from the first frame, "repeat_last" stays on the last."""
    target_fps: float | None = None
    sample_range: int = 64
    num_sample_positions: int = 10
    seed: int = 255

    @classmethod
    def from_step(cls, step: Mapping[str, Any]) -> FrameSampler:
        """Read one pipeline step. Raises ModelError where the step is of another kind."""
        kind = str(step["type"]).rsplit(".", 1)[-1]
        if kind not in _OFFSETS and kind not in _INDICES:
            raise ModelError(
                f"frame sampler {kind} is not known; use one of {', '.join((*_OFFSETS, *_INDICES))}"
            )
        fields = {k: v for k, v in step.items() if k in cls.__dataclass_fields__}
        return cls(kind=kind, **fields)

    @property
    def total_clips(self) -> int:
        """Clips that `indices` gives: `num_clips`, times start positions or times two where that is asked."""
        if self.kind == "DenseSampleFrames":
            return self.num_clips * self.num_sample_positions
        return self.num_clips * (2 if self.twice_sample and self.kind == "SampleFrames" else 1)

    def indices(
        self,
        num_frames: int,
        rule: str = "frames-1.x",
        frame_times_s: NDArray[np.float64] | None = None,
        fps: float | None = None,
    ) -> NDArray[np.int64]:
        """Frame indices of all clips, (total_clips * clip_len,), each in [0, num_frames).

        `rule` is one of `RULES`. `frame_times_s` (num_frames,), increasing, is needed for "seconds";
        `fps` only for samplers with a target rate.
        """
        if num_frames < 1:
            raise ValueError("no frame to sample from")
        if rule == "seconds":
            return self._by_time(num_frames, frame_times_s)
        if rule not in RULES:
            raise ValueError(f"sampling {rule!r} is not one of {', '.join(RULES)}")
        if self.kind in _INDICES:
            return _INDICES[self.kind](self, num_frames)
        ratio = fps / self.target_fps if fps and self.target_fps else 1.0
        offsets = _OFFSETS[self.kind](self, num_frames, rule, ratio)
        if self.target_fps:
            span = max(1.0, self.clip_len * self.frame_interval * ratio)
            steps = np.linspace(0, span - 1, self.clip_len).astype(np.int32)
        else:
            steps = np.arange(self.clip_len) * self.frame_interval
        clips = offsets[:, None] + steps
        if self.out_of_bound_opt == "loop":
            clips = np.mod(clips, num_frames)
        else:
            inside = clips < num_frames
            clips = np.where(inside, clips, np.max(clips * inside, axis=1, keepdims=True))
        return clips.reshape(-1).astype(np.int64)

    def _by_time(self, num_frames: int, times_s: NDArray[np.float64] | None) -> NDArray[np.int64]:
        if times_s is None or len(times_s) != num_frames:
            raise ValueError("sampling by seconds needs the time of every frame")
        if num_frames == 1:
            return np.zeros(self.total_clips * self.clip_len, np.int64)
        step_s = float(np.median(np.diff(times_s)))
        duration_s = float(times_s[-1] - times_s[0]) + step_s
        virtual = self.indices(max(1, round(duration_s * REFERENCE_HZ)), "frames-1.x", fps=REFERENCE_HZ)
        # A frame is shown from its own time until the next one's, so compare the middles of both.
        wanted_s = times_s[0] + (virtual + 0.5) / REFERENCE_HZ
        shown = np.searchsorted(times_s, wanted_s, side="right") - 1
        return np.clip(shown, 0, num_frames - 1).astype(np.int64)


def _sample_offsets(sampler: FrameSampler, num_frames: int, rule: str, ratio: float) -> NDArray[Any]:
    if rule == "frames-0.x":
        return _sample_offsets_0x(sampler, num_frames)
    if sampler.clip_len == 1:
        interval = num_frames / sampler.num_clips
        base = np.arange(sampler.num_clips) * interval
        middle = base + interval / 2.0
        return np.concatenate([middle, base]) if sampler.twice_sample else middle
    if sampler.target_fps:
        length = max(1.0, sampler.clip_len * sampler.frame_interval * ratio)
    else:
        length = (sampler.clip_len - 1) * sampler.frame_interval + 1
    free = max(num_frames - length, 0)
    num_clips = sampler.total_clips
    if num_clips == 1:
        return np.array([free // 2])
    between = free / max(sampler.num_clips - 1, 1)
    if sampler.target_fps:
        return np.arange(num_clips) * np.floor(between)
    return np.round(np.arange(num_clips) * between)


def _sample_offsets_0x(sampler: FrameSampler, num_frames: int) -> NDArray[Any]:
    length = sampler.clip_len * sampler.frame_interval
    if num_frames < length:
        return np.zeros(sampler.total_clips, np.int64)
    interval = (num_frames - length + 1) / sampler.num_clips
    base = np.arange(sampler.num_clips) * interval
    middle = (base + interval / 2.0).astype(np.int64)
    return np.concatenate([middle, base]) if sampler.twice_sample else middle


def _dense_offsets(sampler: FrameSampler, num_frames: int, rule: str, ratio: float) -> NDArray[Any]:
    positions = max(1, 1 + num_frames - sampler.sample_range)
    starts = np.linspace(0, positions - 1, num=sampler.num_sample_positions, dtype=int)
    base = np.arange(sampler.num_clips) * (sampler.sample_range // sampler.num_clips)
    return ((base + starts[:, None]) % num_frames).reshape(-1)


def _uniform_indices(sampler: FrameSampler, num_frames: int) -> NDArray[np.int64]:
    length = sampler.clip_len
    # The library seeds numpy's global generator anew at each call; this is the same one, kept apart.
    random = np.random.RandomState(sampler.seed)
    clips = []
    for i in range(sampler.num_clips):
        if num_frames < length:
            start = i if num_frames < sampler.num_clips else i * num_frames // sampler.num_clips
            clips.append(np.arange(start, start + length))
        elif num_frames < 2 * length:
            skipped = np.zeros(length + 1, np.int64)
            skipped[random.choice(length + 1, num_frames - length, replace=False)] = 1
            clips.append(np.arange(length) + np.cumsum(skipped)[:-1])
        else:
            bounds = np.arange(length + 1) * num_frames // length
            clips.append(bounds[:-1] + random.randint(np.diff(bounds)))
    return np.mod(np.concatenate(clips), num_frames).astype(np.int64)


def _uniform_segment_indices(sampler: FrameSampler, num_frames: int) -> NDArray[np.int64]:
    segment = (num_frames - 1) / sampler.clip_len
    starts = np.array([int(np.round(segment * i)) for i in range(sampler.clip_len)])
    step = segment / (sampler.num_clips + 1)
    return np.concatenate([starts + int(step * (k + 1)) for k in range(sampler.num_clips)]).astype(np.int64)


_OFFSETS = {"SampleFrames": _sample_offsets, "DenseSampleFrames": _dense_offsets}
_INDICES = {"UniformSampleFrames": _uniform_indices, "UniformSample": _uniform_segment_indices}
