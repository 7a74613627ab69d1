"""Runs `phar` with a batch whose nets are replaced by arithmetic on the file's bytes.

All else, processes, limits, catalogue and outputs, is as ever. Each analysis writes a line to the file
that SCRIPTED_LOG names when it begins.

Where a file lies at the path that SCRIPTED_DEATH names, one process removes it and dies in the middle.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phar import __version__, timeline
from phar.batch import job
from phar.batch.job import Load, VideoJob
from phar.cli import main
from phar.fusion import fuse
from phar.profile import Profile, describe
from phar.schema import MediaError, Report, StreamScore, Video

#: How long a window takes.
WINDOW_S = 0.08


class ScriptedAnalyzer:
    """A file of n bytes is a video of n seconds; its content decides what is seen."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def analyze(self, video: str | Path, *, topk: int, progress: Any, **_: Any) -> Report:
        with Path(os.environ["SCRIPTED_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{str(video)!a}\n")
        try:
            content = Path(video).read_bytes()
        except OSError as error:
            raise MediaError(f"{video}: {error.strerror}") from None
        if content.startswith(b"broken"):
            raise MediaError(f"{video}: is broken")
        duration_s = float(len(content))
        profile = self.profile
        predictions = []
        for window in timeline.windows(duration_s, profile.window_s, profile.stride_s):
            scores = {}
            for name, spec in profile.streams.items():
                seed = hashlib.sha256(content + f"{name}{window.index}".encode()).digest()
                probs = np.random.default_rng(list(seed)).random(len(spec.labels), np.float32)
                scores[name] = StreamScore(name, window, probs / probs.sum())
            predictions.append(
                fuse(
                    profile.fusion,
                    profile.labels,
                    {name: spec.labels for name, spec in profile.streams.items()},
                    {name: spec.weight for name, spec in profile.streams.items()},
                    scores,
                )
            )
            _die_once()
            time.sleep(WINDOW_S)
            progress("analyse", window.end_s, duration_s)
        found = timeline.segments(predictions, profile.labels, profile.segments)
        return Report(
            video=Video(str(video), duration_s, Fraction(25), 64, 48, True),
            profile=describe(profile, backend="torch", device="cpu", precision="f32"),
            labels=profile.labels,
            vocabularies={name: spec.labels for name, spec in profile.streams.items()},
            predictions=tuple(predictions),
            timestamps=tuple(found),
            tags=tuple(timeline.tags(found, [p.window for p in predictions], duration_s)),
            timing={"total_s": time.perf_counter() % 10, "realtime_factor": 1.0},
            created=datetime.now(UTC).isoformat(),
            phar_version=__version__,
            topk=topk,
        )


def _die_once() -> None:
    """Kill this process if it is the first to remove the file that SCRIPTED_DEATH names."""
    try:
        Path(os.environ.get("SCRIPTED_DEATH", "")).unlink()
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def load(profile: Profile, device: str, backend: str) -> ScriptedAnalyzer:
    return ScriptedAnalyzer(profile)


@dataclass
class ScriptedJob(VideoJob):
    """The batch's own job, which loads the arithmetic."""

    load: Load = load


if __name__ == "__main__":
    # By a name that workers can import.
    job.VideoJob = importlib.import_module("scripted").ScriptedJob  # type: ignore[misc]
    sys.exit(main.main())
