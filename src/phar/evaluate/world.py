"""The rendered world as truth: videos that are rendered when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phar.evaluate.truth import WHOLE, TrueSpan, VideoTruth
from phar.schema import NONE
from phar.synth import Clip, World, write_clip


@dataclass(frozen=True)
class RenderedTruth(VideoTruth):
    """A rendered video and what is true of it; the file may not be there yet."""

    clip: Clip | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the video is still to be rendered."""
        return self.clip is not None and not self.path.exists()

    def prepare(self) -> None:
        """Render the video, unless it is there: world, seed and index always give the same one."""
        if self.clip is not None and self.is_missing:
            write_clip(self.clip, self.path)

    def duration_s(self) -> float:
        """Return the video's length, which needs no file."""
        return self.clip.duration_s if self.clip is not None else super().duration_s()


def world_truth(
    world: World, seed: int, num_clips: int, num_videos: int, folder: Path
) -> list[RenderedTruth]:
    """Return the short clips and long videos of a seed, to be rendered into `folder`.

    Categories: actions are `alone` or in `company`; `none` says what it shows instead.
    """
    truths = []
    for kind, make, num in (("clip", world.clip, num_clips), ("video", world.video, num_videos)):
        for index in range(num):
            clip = make(seed, index)
            path = folder / f"world{world.version}-{seed}-{kind}-{index:04}.mp4"
            spans = tuple(
                TrueSpan(segment.label, segment.start_s, segment.end_s, _category(clip, number))
                for number, segment in enumerate(clip.segments)
            )
            truths.append(RenderedTruth(path.stem, path, spans, (WHOLE,), clip=clip))
    return truths


def rendered(
    world: World, seed: int, num_clips: int, num_videos: int, folder: Path
) -> Iterator[RenderedTruth]:
    """Render the videos of a seed one by one, and yield each; those that are there are taken as they are."""
    for truth in world_truth(world, seed, num_clips, num_videos, folder):
        truth.prepare()
        yield truth


def _category(clip: Clip, number: int) -> str:
    scene = clip.scene(number)
    if scene.label != NONE:
        return "alone" if len(scene.people) == 1 else "company"
    return scene.screen or (scene.people[0].motion if scene.people else "empty")
