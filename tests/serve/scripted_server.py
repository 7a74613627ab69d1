"""Runs `phar serve` with nets that are scripted; all else, workers, ffmpeg, SQLite and HTTP, is as ever.

What is seen follows from the window: `march` in the first, `ring` in the third, then nothing. A video whose
name holds `crash` kills its worker, `slow` takes a minute, `damaged` is refused.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import phar.pipeline
from phar.cli import main
from phar.profile import Profile
from phar.schema import MediaError, Report, StreamScore
from phar.serve import service
from phar.streams.stream import Answer, Chunk
from phar.streams.table import Streams

SEEN = {0.0: [0.9, 0.05, 0.0, 0.05], 14.0: [0.0, 0.1, 0.8, 0.1]}
NOTHING = [0.0, 0.0, 0.0, 1.0]


class Scripted:
    """Knows the labels march, wave, ring and none."""

    name = "rgb"
    audio_hz = None
    recognizer = None

    def wanted(self, frame_times_s: Any) -> set[int]:
        return {0}

    def score(self, chunk: Chunk) -> list[Answer]:
        import numpy as np

        return [
            Answer(
                StreamScore(
                    "rgb", media.window, np.array(SEEN.get(media.window.start_s, NOTHING), np.float32)
                ),
                None,
            )
            for media in chunk.media
        ]

    def describe(self) -> dict[str, Any]:
        return {"rgb": {"backend": "torch", "device": "cpu", "precision": "fp32"}}


class ScriptedAnalyzer:
    """The pipeline with one scripted stream."""

    def __init__(self, profile: Profile) -> None:
        about = {"backend": "torch", "device": "cpu", "precision": "fp32"}
        phar.pipeline.load_streams = lambda *_, **__: Streams((Scripted(),), None, about)  # type: ignore
        self._analyzer = phar.pipeline.Analyzer(profile)

    def analyze(self, video: str | Path, *, progress: Any, **options: Any) -> Report:
        name = Path(video).name
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "damaged" in name:
            raise MediaError(f"{video}: is damaged; mend it")
        for second in range(60 if "slow" in name else 0):
            progress("analyse", float(second), 60.0)
            time.sleep(1)
        return self._analyzer.analyze(video, progress=progress, **options)


def load(profile: Profile, device: str, backend: str) -> ScriptedAnalyzer:
    return ScriptedAnalyzer(profile)


if __name__ == "__main__":
    import importlib

    # By a name that workers can import.
    scripted = importlib.import_module("scripted_server")
    original = service.Settings
    service.Settings = lambda **given: original(**given, load=scripted.load)  # type: ignore
    sys.exit(main.main(["serve", *sys.argv[1:]]))
