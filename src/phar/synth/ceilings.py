"""How well the truth itself could tell the labels from what each stream sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.schema import NONE, FloatArray
from phar.synth.clip import Clip
from phar.synth.sound import RATE_HZ, Samples
from phar.synth.world import World

#: Length of a window, and the instants of it that the skeleton stream looks at.
WINDOW_S, NUM_POSES = 7.0, 48
#: One long video for so many short clips, about as many windows of each.
_CLIPS_PER_VIDEO = 13


@dataclass(frozen=True)
class TruthWindow:
    """One window of a held-out clip."""

    clip: Clip
    start_s: float
    end_s: float
    label: str
    purity: float


def held_out_windows(world: World, seed: int, num: int) -> list[TruthWindow]:
    """`num` windows, about half from short clips and half, cuts and `none` included, from long videos."""
    windows: list[TruthWindow] = []
    index = 0
    while len(windows) < num:
        is_video = index % (_CLIPS_PER_VIDEO + 1) == _CLIPS_PER_VIDEO
        block, place = divmod(index, _CLIPS_PER_VIDEO + 1)
        clip = world.video(seed, block) if is_video else world.clip(seed, block * _CLIPS_PER_VIDEO + place)
        starts = np.arange(0.0, clip.duration_s - WINDOW_S + 1e-6, WINDOW_S) if is_video else [0.0]
        for start_s in starts:
            label, purity = clip.window_label(float(start_s), float(start_s) + WINDOW_S)
            windows.append(TruthWindow(clip, float(start_s), float(start_s) + WINDOW_S, label, purity))
        index += 1
    return windows[:num]


def pose_features(points: FloatArray, duration_s: float) -> NDArray[np.float64]:
    """Tempo, size and evenness of the motion of wrists and ankles in (T, 17, 2) joints.

    Positions are taken from the hips in lengths of the torso, so neither place nor scale counts.
    """
    hips = points[:, 11:13].mean(1, keepdims=True)
    torso = np.linalg.norm(points[:, 5:7].mean(1) - hips[:, 0], axis=-1).mean()
    series = ((points[:, [9, 10, 15, 16]] - hips) / max(float(torso), 1e-6)).reshape(len(points), -1)
    series = series - series.mean(0)
    spread = series.std(0)
    power = np.abs(np.fft.rfft(series * np.hanning(len(series))[:, None], axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(series), duration_s / len(series))

    def tempo(columns: Sequence[int]) -> float:
        return float(frequency[power[:, columns].sum(1).argmax()])

    wrists = series[:, :4]
    scale = np.maximum(spread[:4], 1e-3)
    together = (wrists[:, :2] * wrists[:, 2:]).mean(0) / (scale[:2] * scale[2:])
    arms, legs = float(np.linalg.norm(spread[:4])), float(np.linalg.norm(spread[4:]))
    high = float((points[:, 0, 1] - points[:, 9:11, 1].min(1)).mean() / max(float(torso), 1e-6))
    return np.array(
        [tempo(range(4)), tempo(range(4, 8)), np.log(arms + 0.02), np.log(legs + 0.02), together[1], high]
    )


def sound_features(samples: Samples) -> NDArray[np.float64]:
    """Brightness, tonality and rhythm of mono samples at `sound.RATE_HZ`."""
    frame, hop = 1024, 512
    starts = np.arange(0, len(samples) - frame, hop)
    frames = samples[starts[:, None] + np.arange(frame)] * np.hanning(frame)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 + 1e-10
    # The steady background is what the quietest frames hold.
    power = np.maximum(power - 1.5 * np.quantile(power, 0.1, axis=0), 1e-10)
    frequency = np.fft.rfftfreq(frame, 1 / RATE_HZ)
    loudness = power.sum(1)
    loud = power[loudness >= np.quantile(loudness, 0.6)]
    mean = loud.mean(0)
    centroid = float((mean * frequency).sum() / mean.sum())
    peakiness = float(np.log(loud.max(1) / loud.mean(1)).mean())
    low = float(mean[frequency < 500].sum() / mean.sum())
    level = np.log(np.maximum(loudness, loudness.max() * 1e-5))
    return np.array(
        [np.log(centroid), peakiness, low, level.std(), np.abs(np.diff(level)).mean(), np.diff(level).max()]
    )


class _Centroids:
    """Nearest class mean in the space whitened by the pooled within-class covariance."""

    def __init__(self, features: NDArray[np.float64], labels: Sequence[str]) -> None:
        names = np.asarray(labels)
        self.labels = sorted(set(labels))
        self.means = np.stack([features[names == name].mean(0) for name in self.labels])
        rest = features - self.means[[self.labels.index(name) for name in labels]]
        self.inverse = np.linalg.inv(np.cov(rest.T) + 1e-4 * np.eye(features.shape[1]))

    def predict(self, features: NDArray[np.float64]) -> list[str]:
        away = features[:, None] - self.means
        return [self.labels[i] for i in np.einsum("nci,ij,ncj->nc", away, self.inverse, away).argmin(1)]


def _poses(clip: Clip, start_s: float, end_s: float) -> NDArray[np.float64]:
    times = start_s + (np.arange(NUM_POSES) + 0.5) * (end_s - start_s) / NUM_POSES
    return pose_features(clip.keypoints(times)[:, 0], end_s - start_s)


def _sounds(clip: Clip, start_s: float, end_s: float) -> NDArray[np.float64]:
    samples = clip.audio(start_s, end_s)
    assert samples is not None, "labels told by sound always have a track"
    return sound_features(samples)


def _measured(
    world: World, windows: Sequence[TruthWindow], labels: Sequence[str], features: Any
) -> tuple[float, int]:
    """Accuracy of centroids learnt on training seeds, on the windows wholly within one of `labels`."""
    first = world.seeds("train")[0]
    learnt = [(world.clip(first, 1000 + i, label=label), label) for label in labels for i in range(12)]
    model = _Centroids(
        np.stack([features(clip, 0.0, WINDOW_S) for clip, _ in learnt]), [name for _, name in learnt]
    )
    asked = [w for w in windows if w.label in labels and w.purity >= 0.999]
    if not asked:
        return float("nan"), 0
    told = model.predict(np.stack([features(w.clip, w.start_s, w.end_s) for w in asked]))
    return float(np.mean([a == w.label for a, w in zip(told, asked, strict=True)])), len(asked)


def _observer(windows: Sequence[TruthWindow], merged: Sequence[Sequence[str]], known: Sequence[str]) -> float:
    """Expected accuracy of one who sees the label up to the merged groups, and only if it is known."""
    size = dict.fromkeys(known, 1.0)
    for group in merged:
        size |= {label: float(len(group)) for label in group if label in known}
    return float(np.mean([1 / size[w.label] if w.label in size else 0.0 for w in windows]))


def ceilings(world: World, seed: int, num: int) -> Mapping[str, Any]:
    """What each stream could reach on `num` held-out windows of 7 s.

    `rgb_dense`, `rgb_sparse`, `skeleton`, `audio` and `fused` are the expected top-1 accuracies over
    all windows of an observer who knows the truth up to what the stream cannot see; labels it cannot
    tell apart are guessed, labels outside its vocabulary are wrong. The sparse one sees too few frames
    to know a tempo. `skeleton_measured` and `audio_measured` are what class means of hand-made
    features of true joints and clean sound reach on the stream's own labels, windows with a cut left
    out; `*_windows` counts those.
    """
    windows = held_out_windows(world, seed, num)
    sound_pairs = world.spec["pairs"]["sound"]
    # Same postures at another tempo; a pair whose arms differ in phase shows in single frames.
    actions = world.spec["actions"]
    tempo_pairs = [
        pair
        for pair in world.spec["pairs"]["limb_motion"]
        if actions[pair[0]]["offset_cycles"] == actions[pair[1]]["offset_cycles"]
    ]
    skeleton, skeleton_windows = _measured(world, windows, world.skeleton_labels, _poses)
    audio, audio_windows = _measured(world, windows, world.audio_labels, _sounds)
    return {
        "windows": len(windows),
        "straddling": float(np.mean([w.purity < 0.999 for w in windows])),
        "none": float(np.mean([w.label == NONE for w in windows])),
        "rgb_dense": _observer(windows, sound_pairs, world.labels),
        "rgb_sparse": _observer(windows, [*sound_pairs, *tempo_pairs], world.labels),
        "skeleton": _observer(windows, [], world.skeleton_labels),
        "audio": _observer(windows, [], world.audio_labels),
        "fused": _observer(windows, [], world.labels),
        "skeleton_measured": skeleton,
        "skeleton_windows": skeleton_windows,
        "audio_measured": audio,
        "audio_windows": audio_windows,
    }
