"""What a profile and a policy make of pictures that show nothing: they must not bother anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from phar.moderation.judging import judge
from phar.moderation.policy import Policy
from phar.pipeline import Analyzer
from phar.synth.noncontent import NonContent, non_content

#: Windows of each video, so that one that begins in the middle is looked at too.
_NUM_WINDOWS = 2


@dataclass(frozen=True)
class Peak:
    """The highest probability that one video's windows got in one category."""

    video: NonContent
    category: str
    probability: float
    alarm: float
    """The lowest threshold of the category."""

    @property
    def passes(self) -> bool:
        """Whether nobody is bothered."""
        return self.probability < self.alarm


def peaks(
    analyzer: Analyzer,
    policy: Policy,
    seed: int,
    folder: Path,
    told: Callable[[NonContent], None] = lambda video: None,
) -> Iterator[Peak]:
    """Render the set of a seed into a folder, analyse each video, and yield its peaks.

    Files that are there already are taken as they are: the same seed gives the same video.

    Raises:
        ModelError, OutputError, ProfileError.
    """
    for video in non_content(seed, _NUM_WINDOWS * analyzer.profile.window_s):
        path = folder / f"{video.name}-{video.duration_s:g}s.mp4"
        if not path.exists():
            video.write(path)
        verdict = judge(policy, analyzer.analyze(path))
        told(video)
        for category in policy.categories:
            seen = [each.probabilities[category.name] for each in verdict.windows]
            known = [value for value in seen if value is not None]
            yield Peak(video, category.name, max(known, default=0.0), category.alarm)
