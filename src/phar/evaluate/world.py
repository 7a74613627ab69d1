"""A profile measured on rendered videos, from the mp4 on, as a user would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from phar.evaluate.windows import WindowResult, compare
from phar.pipeline import Analyzer
from phar.synth import Clip, World, write_clip

#: Told the name of each video and its number of windows so far.
Progress = Callable[[str, int], None]


def rendered(
    world: World, seed: int, num_clips: int, num_videos: int, folder: Path
) -> Iterator[tuple[Path, Clip]]:
    """Render the short clips and long videos of a seed to mp4 files, and yield each with its truth.

    Files that are there already are taken as they are: the same world, seed and index give the
    same video.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind, make, num in (("clip", world.clip, num_clips), ("video", world.video, num_videos)):
        for index in range(num):
            clip = make(seed, index)
            path = folder / f"world{world.version}-{seed}-{kind}-{index:04}.mp4"
            if not path.exists():
                write_clip(clip, path)
            yield path, clip


def measure(
    analyzer: Analyzer,
    world: World,
    seed: int,
    num_clips: int,
    num_videos: int,
    folder: Path,
    progress: Progress | None = None,
) -> list[WindowResult]:
    """Analyse the rendered videos of a seed and hold every window against the truth."""
    results: list[WindowResult] = []
    for path, clip in rendered(world, seed, num_clips, num_videos, folder):
        report = analyzer.analyze(path)
        results += compare(report, clip.segments, path.stem, analyzer.profile.segments)
        if progress is not None:
            progress(path.stem, len(results))
    return results
