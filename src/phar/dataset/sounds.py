"""The log-mel features of a clip's sound as a file, and how loud the clip is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from phar.dataset.examples import FILES, Examples
from phar.dataset.manifest import Clip
from phar.dataset.ranking import short_hash
from phar.dataset.spans import pieces
from phar.dataset.splits import SPLITS
from phar.export.target import replacing
from phar.media import has_pictures, read_recording, sound_between
from phar.schema import FloatArray, MediaError, UsageError

#: Changes with the features, so that files of other ones are made anew.
_VERSION = "1"


class SoundExtractor:
    """Computes the features of clips as the audio stream does, and the loudness its gate asks for.

    Args:
        folder: where the files go: `<id>.npy` for the features (rows, 80) and `<id>.lufs` for the loudness.
    """

    suffix = ".npy"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, clip: Clip) -> Path:
        """Where the features of a clip lie."""
        return self._folder / f"{clip.id}{self.suffix}"

    def open(self, num_threads: int | None) -> None:
        """Nothing is to be loaded."""

    def done(self, clip: Clip) -> bool:
        """Tell whether the clip's features are there."""
        return self.path(clip).is_file() and self._note(clip).is_file()

    def lufs(self, clip: Clip) -> float:
        """Return the loudness of a clip that is done, LUFS; -inf for silence and for less than 0.4 s."""
        return float(self._note(clip).read_text(encoding="ascii"))

    def extract(self, clip: Clip) -> None:
        """Write the features of a clip and its loudness. Raises MediaError, OutputError."""
        from phar.streams.features import SAMPLE_RATE_HZ, log_mel
        from phar.streams.loudness import integrated_lufs

        if has_pictures(clip.video):
            samples = sound_between(clip.video, clip.start_s, clip.end_s, SAMPLE_RATE_HZ, num_channels=None)
            if samples is None:
                raise MediaError(f"{clip.video}: has no sound track")
        else:
            span = slice(round(clip.start_s * SAMPLE_RATE_HZ), round(clip.end_s * SAMPLE_RATE_HZ))
            samples = read_recording(clip.video, SAMPLE_RATE_HZ)[span]
        if not len(samples):
            raise MediaError(f"{clip.video}: {clip.start_s:.3f} to {clip.end_s:.3f} s holds no sound")
        with replacing(self.path(clip)) as partial, partial.open("wb") as stream:
            np.save(stream, log_mel(samples.mean(axis=1)))
        # What is written last says that the clip is done.
        with replacing(self._note(clip)) as partial:
            partial.write_text(f"{integrated_lufs(samples, SAMPLE_RATE_HZ)}\n", encoding="ascii")

    def _note(self, clip: Clip) -> Path:
        return self._folder / f"{clip.id}.lufs"


def read_features(path: Path) -> FloatArray:
    """Read features (rows, 80).

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        features: FloatArray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path}: cannot be read as features ({error}); extract them again") from None
    return features


def windows(clips: Sequence[Clip], longest_s: float) -> list[Clip]:
    """Cut clips that are longer than a window into equal parts, each a clip of its own.

    The loudness gain of the features is that of a whole window, so a clip may be no longer.
    """
    cut = []
    for clip in clips:
        parts = pieces((clip.start_s, clip.end_s), longest_s)
        for number, (start_s, end_s) in enumerate(parts):
            if len(parts) == 1:
                cut.append(clip)
            else:
                own = short_hash(clip.id, number, len(parts))
                cut.append(replace(clip, id=own, start_s=start_s, end_s=end_s))
    return cut


def thresholds_lufs(loudness: Sequence[tuple[Clip, float]], quietest: float) -> dict[str, float]:
    """Return by label how loud a clip must be: as the quietest training clip that is kept.

    Args:
        loudness: clips and how loud each is, LUFS.
        quietest: share of a label's training clips to leave out, in [0, 1); silence is left out anyway where
            it is above 0.

    A label whose training clips are all silent has no threshold.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for clip, lufs in loudness:
        if clip.split == "train":
            found[clip.label].append(lufs)
    thresholds = {}
    for label in sorted(found):
        heard = sorted(found[label])[int(quietest * len(found[label])) :]
        audible = [lufs for lufs in heard if math.isfinite(lufs)]
        if audible:
            # Rounded down, so that the clip itself passes.
            thresholds[label] = math.floor(audible[0] * 100) / 100
    return thresholds


def loud_enough(clip: Clip, lufs: float, thresholds: Mapping[str, float]) -> bool:
    """Tell whether a clip passes its label's threshold; a label without one lets all pass."""
    return clip.label not in thresholds or lufs >= thresholds[clip.label]


def write_lists(examples: Examples) -> None:
    """Write train.txt, val.txt and test.txt as MMAction2's AudioDataset reads them: file, rows, label number.

    Raises:
        OutputError: a file cannot be written.
    """
    for split in SPLITS:
        lines = [
            f"{FILES['audio'][0]}/{clip.id}.npy {len(read_features(examples.path(clip)))} "
            f"{examples.labels.index(clip.label)}\n"
            for clip in examples.clips
            if clip.split == split
        ]
        with replacing(examples.folder / f"{split}.txt") as partial:
            partial.write_text("".join(lines), encoding="utf-8")
