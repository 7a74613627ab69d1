"""Choose the bundled moderation policy's thresholds, and hold their promise against other streams.

    python benchmarks/rare_events.py calibrate --hours 12 --keep DIR --out configs/policies/moderation.yaml
    python benchmarks/rare_events.py check --hours 10 --keep DIR --policy configs/policies/moderation.yaml
    python benchmarks/rare_events.py encoded --minutes 20 --keep DIR

Streams of the rendered world hold six unsafe events an hour, 8 to 20 s each. Encoding ten hours of them and
decoding them again would take hours, so only the frames that the net takes are drawn, at the size it takes
them: the same windows, the same frame times, no video codec between. `encoded` shows what the codec changes:
it writes some of the same streams to mp4, runs the pipeline on them, and holds window against window.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from phar import analyze, timeline
from phar.moderation.calibrate import calibrate, calibrated_policy, check, summary, write_policy
from phar.moderation.curves import write_curves
from phar.moderation.policy import load_policy
from phar.moderation.thresholds import Promise
from phar.moderation.truth import Watched
from phar.openmmlab import Recognizer
from phar.profile import Profile, load_profile
from phar.schema import Prediction, Report, StreamScore, Video
from phar.synth import Clip, load_safety, write_clip

STREAM_S, EVENTS_PER_HOUR = 1200.0, 6.0
STREAM = "moderation"


def stream(seed: int, index: int) -> Clip:
    """The stream of a seed with a number."""
    return load_safety().stream(seed, index, STREAM_S, EVENTS_PER_HOUR)


def window_frames(clip: Clip, profile: Profile, net: Recognizer) -> NDArray[np.uint8]:
    """(windows, T, h, w, 3) the frames that the profile's net takes of each window, drawn."""
    spec = net.clip
    size = spec.frame_size(clip.width_px, clip.height_px)
    times_s = clip.frame_times_s
    found = []
    for window in timeline.windows(clip.duration_s, profile.window_s, profile.stride_s):
        inside = times_s[(times_s >= window.start_s) & (times_s < window.end_s)]
        picked = inside[spec.frame_indices(len(inside), inside, float(clip.fps))]
        drawn = {t: clip.frame(t, *size) for t in sorted(set(picked.tolist()))}
        (view,) = spec.views(np.stack([drawn[t] for t in picked.tolist()]))
        found.append(view)
    return np.stack(found)


def draw(profile_name: str, folder: Path, job: tuple[int, int]) -> Path:
    """Draw one stream's windows to a file, unless it is there."""
    cv2.setNumThreads(1)
    seed, index = job
    path = folder / f"windows-{seed}-{index:03}.npy"
    if not path.exists():
        profile = load_profile(profile_name)
        spec = profile.streams[STREAM]
        config, count = spec.model.config, len(spec.labels)
        net = Recognizer.load(config, None, count, backend="torch", sampling=spec.sampling)
        partial_path = path.with_suffix(".part")
        with partial_path.open("wb") as file:
            np.save(file, window_frames(stream(seed, index), profile, net))
        partial_path.rename(path)
    return path


def drawn(options: argparse.Namespace, seed: int) -> list[Path]:
    """Draw as many hours of a seed as are asked for."""
    options.keep.mkdir(parents=True, exist_ok=True)
    jobs = [(seed, index) for index in range(round(options.hours * 3600 / STREAM_S))]
    with ProcessPoolExecutor(options.workers) as pool:
        paths = []
        for path in pool.map(partial(draw, options.profile, options.keep), jobs):
            paths.append(path)
            print(f"\r{len(paths)} of {len(jobs)} streams drawn", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return paths


def truth(clip: Clip) -> Watched:
    """What is true of a stream, as people who watched all of it would tell."""
    events = tuple((s.start_s, s.end_s, s.label) for s in load_safety().truth(clip) if s.label == "unsafe")
    return Watched(Path("/"), events, ((0.0, clip.duration_s),))


def report(clip: Clip, profile: Profile, probs: Sequence[NDArray[np.float32]]) -> Report:
    """The report of a stream from the probabilities of its windows."""
    labels = profile.labels
    predictions = []
    for window, each in zip(
        timeline.windows(clip.duration_s, profile.window_s, profile.stride_s), probs, strict=True
    ):
        score = StreamScore(STREAM, window, probs=each)
        predictions.append(Prediction(window, each, {STREAM: score}, {STREAM: 1.0}))
    video = Video("stream", clip.duration_s, clip.fps, clip.width_px, clip.height_px, False)
    return Report(
        video, {}, labels, {STREAM: labels}, tuple(predictions), (), (), {}, "2024-01-01T00:00:00+00:00", ""
    )


def judged(
    profile_name: str, paths: Sequence[Path], backend: str = "auto"
) -> tuple[list[Watched], list[Report]]:
    """Truth of drawn streams, and what a profile's net makes of them."""
    profile = load_profile(profile_name)
    spec = profile.streams[STREAM]
    files, count = (spec.model.config, spec.model.checkpoint), len(spec.labels)
    net = Recognizer.load(*files, count, backend=backend, sampling=spec.sampling)
    watched, reports = [], []
    for path in paths:
        seed, index = map(int, path.stem.split("-")[1:])
        clip, frames = stream(seed, index), np.load(path, mmap_mode="r")
        probs = [row for at in range(0, len(frames), 32) for row in net.predict(list(frames[at : at + 32]))]
        watched.append(truth(clip))
        reports.append(report(clip, profile, probs))
    return watched, reports


def choose(options: argparse.Namespace) -> None:
    """Calibrate a policy on validation streams and write it."""
    watched, reports = judged(options.profile, drawn(options, 1_000_000), options.backend)
    promise = Promise("false_alarms_per_hour", options.promise, options.confidence)
    policy = load_policy(options.policy)
    results = calibrate(policy, watched, reports, promise)
    about = {"data": f"rendered streams, seed 1000000, {options.hours:g} h", "profile": options.profile}
    made = calibrated_policy(policy, results, promise, "review", options.out, about)
    write_policy(made)
    write_curves(results, promise, options.out.with_suffix(".png"))
    for name, each in results.items():
        print(f"{name}: threshold {each.threshold:.4f}, of scores {each.chosen.threshold:.5f},", end=" ")
        print(f"at most {each.bound:.3f} an hour at {promise.confidence:.0%}", summary(each.chosen))


def hold(options: argparse.Namespace) -> None:
    """Measure a policy on streams that chose nothing."""
    watched, reports = judged(options.profile, drawn(options, 2_000_000), options.backend)
    policy = load_policy(options.policy)
    for name, each in check(policy, watched, reports).items():
        bound = Promise("false_alarms_per_hour", options.promise, options.confidence).bound(each)
        print(f"{name}: at most {bound:.3f} an hour at {options.confidence:.0%};", summary(each))


def compare(options: argparse.Namespace) -> None:
    """Hold drawn windows against the same ones of an mp4."""
    options.hours = options.minutes / 60
    seed = 2_000_000
    _, reports = judged(options.profile, drawn(options, seed), options.backend)
    alarm = load_policy(options.policy).categories[0]
    pairs = []
    for index, each in enumerate(reports):
        path = options.keep / f"stream-{seed}-{index:03}.mp4"
        if not path.exists():
            write_clip(stream(seed, index), path)
        encoded = analyze(path, profile=options.profile, backend=options.backend)
        for one, other in zip(each.predictions, encoded.predictions, strict=True):
            pairs.append([alarm.probability(float(p.probs[1])) for p in (one, other)])
    values = np.array(pairs)
    alike = ((values >= alarm.alarm)[:, 0] == (values >= alarm.alarm)[:, 1]).sum()
    apart = np.abs(values[:, 0] - values[:, 1])
    print(f"{len(values)} windows: {alike} on the same side of {alarm.alarm:.4f}", end="; ")
    print(f"apart by {np.median(apart):.4f} (median), {np.quantile(apart, 0.99):.4f} (of 99 % at most)")


def main() -> None:
    """Parse, do what is asked, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("calibrate", "check", "encoded"))
    parser.add_argument("--hours", type=float, default=6)
    parser.add_argument("--minutes", type=float, default=20, help="of encoded streams")
    parser.add_argument("--promise", type=float, default=0.5, help="false alarms an hour")
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--policy", default="moderation")
    parser.add_argument("--out", type=Path, help="policy to write")
    parser.add_argument("--profile", default="moderation")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--keep", type=Path, required=True, help="folder for drawn windows")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    {"calibrate": choose, "check": hold, "encoded": compare}[options.what](options)


if __name__ == "__main__":
    main()
