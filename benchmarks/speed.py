"""Measure phar against the flow of OpenMMLab's demos, at full size, on one machine.

    make bench            or: python benchmarks/speed.py [--repeats 3] [--video FILE]

The work: 60 s of 720p30 with sound (a clip of yours with --video, looped; else the rendered world), the nets
of `phar17` with random weights, every gate open, two person boxes forced in every analysed frame. Systems
take turns, each in a process of its own. Where a window takes a minute, one window is timed and scaled to
the video; there the reference's detector and pose net look at a part of the window's frames, scaled too.
Prints a Markdown table of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

DURATION_S = 60
WINDOW_S = 7
#: Two persons side by side, as shares of width and height.
BOXES = np.array([[0.1, 0.1, 0.45, 0.95], [0.5, 0.1, 0.85, 0.95]], np.float32)
#: Share of a window's frames that the reference's detector and pose net are timed on.
SHARE = 0.1

#: Name to preset, person nets and whether it is phar; `window`: one window is timed and scaled.
SYSTEMS: dict[str, dict[str, Any]] = {
    "phar balanced": {"preset": "balanced"},
    "phar accurate, RTM nets": {"preset": "accurate", "persons": "balanced", "window": True},
    "reference, RTM nets": {"preset": "accurate", "persons": "balanced", "reference": True},
    "reference, Faster R-CNN + HRNet": {"preset": "accurate", "reference": True},
}


def main() -> None:
    """Prepare the work, let the systems take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--video", type=Path, help="clip to loop, with sound")
    parser.add_argument("--work", type=Path, help="folder of video and nets, kept and used again")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(SYSTEMS), metavar="SYSTEM", help="systems to measure"
    )
    parser.add_argument("--measure", choices=tuple(SYSTEMS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.work)))
        return
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        prepare(work, options.video)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only or SYSTEMS}
        for _ in range(options.repeats):
            for name, done in runs.items():
                done.append(in_child(name, work))
                print(f"{name}: {sum(done[-1]['seconds'].values()):.1f} s", file=sys.stderr, flush=True)
    print(table(runs))


def prepare(work: Path, clip: Path | None) -> None:
    """Make the video and the nets, where they are not there yet."""
    from phar.models.untrained import write_untrained

    work.mkdir(parents=True, exist_ok=True)
    video = work / "video.mp4"
    if not video.exists():
        if clip is None:
            from phar.synth import load_world, write_clip

            clip = work / "rendered.mp4"
            write_clip(load_world().video(0, 0), clip)
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", "-stream_loop", "-1"]
        command += ["-i", str(clip), "-t", str(DURATION_S), "-r", "30", "-c:v", "libx264", "-crf", "23"]
        command += ["-vf", "scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:-1:-1"]
        subprocess.run([*command, "-pix_fmt", "yuv420p", "-c:a", "aac", str(video)], check=True)
    if not (work / "nets").exists():
        write_untrained("phar17", work / "nets", seed=0)


def in_child(name: str, work: Path) -> dict[str, Any]:
    """Measure one system in a fresh process."""
    command = [sys.executable, __file__, "--measure", name, "--work", str(work)]
    environment = {**os.environ, "PHAR_CACHE": str(work / "cache")}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, work: Path) -> dict[str, Any]:
    """Return one system's seconds by stage for the whole video, its start-up and its peak memory."""
    from phar.profile import load_profile, ungated, with_overrides, with_preset

    system = SYSTEMS[name]
    base = load_profile(work / "nets" / "phar17-random.yaml")
    profile = with_preset(base, system["preset"])
    if "persons" in system:
        chosen = with_preset(base, system["persons"]).document["persons"]
        assert profile.persons is not None
        stride = profile.persons.detector_stride
        profile = with_overrides(profile, {"persons": {**chosen, "detector_stride": stride}})
    # Random scores lie around a half: above this, few boxes are left to be told apart, as in real life.
    profile = ungated(with_overrides(profile, {"persons": {"det_score_thr": 0.9, "max_persons": 2}}))
    started = time.perf_counter()
    if system.get("reference"):
        seconds, load_s = _reference(profile, work, started)
    else:
        seconds, load_s = _ours(profile, work, started, one_window=system.get("window", False))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "load_s": load_s, "peak_mib": peak_mib}


def _reference(profile: Any, work: Path, started: float) -> tuple[dict[str, float], float]:
    from reference_flow import ReferenceFlow

    flow = ReferenceFlow(profile, BOXES)
    load_s = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        seconds = flow.window(work / "video.mp4", Path(folder), SHARE)
    return {stage: value * DURATION_S / WINDOW_S for stage, value in seconds.items()}, load_s


def _ours(profile: Any, work: Path, started: float, one_window: bool) -> tuple[dict[str, float], float]:
    from phar.pipeline import Analyzer

    analyzer = Analyzer(profile)
    for stream in analyzer.streams.in_order:
        if stream.name == "skeleton":
            force_boxes(stream)
    video = work / "video.mp4"
    part = work / "window.mp4"
    if not part.exists():
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-loglevel",
            "error",
            "-i",
            str(video),
            "-t",
            str(WINDOW_S),
        ]
        # A copy of packets may reach beyond the window, and a second window would be counted twice.
        subprocess.run([*command, "-c:v", "libx264", "-crf", "23", "-c:a", "copy", str(part)], check=True)
    # Nets are converted, or read from the cache, when they first see an input.
    analyzer.analyze(part)
    load_s = time.perf_counter() - started
    report = analyzer.analyze(part if one_window else video)
    timing = report.timing
    if one_window and len(report.predictions) != 1:
        raise SystemExit(f"{part} has {len(report.predictions)} windows, not one")
    scale = DURATION_S / WINDOW_S if one_window else 1.0
    stages = {stage: seconds * scale for stage, seconds in timing["main"].items()}
    stages["other"] = timing["total_s"] * scale - sum(stages.values())
    return stages, load_s


def force_boxes(stream: Any) -> None:
    """Let the detector do its work, and answer with `BOXES` whatever it finds."""
    find = stream._persons.detector.predict

    def predict(frames: list[np.ndarray]) -> list[np.ndarray]:
        find(frames)
        found = []
        for frame in frames:
            height, width = frame.shape[:2]
            scale = np.array([width, height, width, height], np.float32)
            found.append(np.concatenate([BOXES * scale, np.full((len(BOXES), 1), 0.95, np.float32)], axis=1))
        return found

    stream._persons.detector.predict = predict


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Return the medians as Markdown."""
    from phar.openmmlab.backends import machine

    stages = list(dict.fromkeys(stage for done in runs.values() for run in done for stage in run["seconds"]))
    lines = [
        f"{machine()}; seconds for {DURATION_S} s of video",
        "",
        "| system | total s | x real time | " + " | ".join(stages) + " | start s | peak MiB |",
    ]
    lines.append("|---" * (len(stages) + 5) + "|")
    for name, done in runs.items():
        total = statistics.median(sum(run["seconds"].values()) for run in done)
        cells = [
            f"{statistics.median(run['seconds'].get(stage, 0) for run in done):.1f}"
            if any(stage in run["seconds"] for run in done)
            else ""
            for stage in stages
        ]
        start = statistics.median(run["load_s"] for run in done)
        peak = statistics.median(run["peak_mib"] for run in done)
        row = [name, f"{total:.1f}", f"{DURATION_S / total:.3g}", *cells, f"{start:.1f}", f"{peak:.0f}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
