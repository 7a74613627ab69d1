"""The poses of a clip as a file, and their extraction by a profile's own detector and pose net."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phar.dataset.manifest import Clip
from phar.export.target import replacing
from phar.media import Frame, frames_between
from phar.profile import Profile, weights_sha256
from phar.schema import FloatArray, MediaError, UsageError

if TYPE_CHECKING:
    from phar.streams.persons import PersonFinder

#: Frames held at once: enough to fill the nets' batches.
_FRAMES = 48


@dataclass(frozen=True)
class PoseFile:
    """The joints of all persons in the frames of one clip; field names are those of MMAction2."""

    keypoint: FloatArray
    """(M, T, 17, 2) x, y in pixels, a row for each person; zeros where a person is absent."""
    keypoint_score: FloatArray
    """(M, T, 17) confidences in [0, 1]; 0 where a person is absent."""
    img_shape: tuple[int, int]
    """Height and width of the frames."""
    time_s: NDArray[np.float64]
    """(T,) times of the frames, increasing, seconds from the start of the clip."""
    made_by: str = ""
    """What decided how they were found; tells files of other settings apart."""

    def share_seen(self, score_thr: float) -> float:
        """Return the share of frames that show a person whose joints' mean score is above `score_thr`."""
        if not len(self.keypoint):
            return 0.0
        return float((self.keypoint_score.mean(axis=2) > score_thr).any(axis=0).mean())


def write_poses(poses: PoseFile, path: Path) -> None:
    """Write poses as .npz: the arrays of a `PoseFile` by their names. Raises OutputError."""
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(
            stream,
            keypoint=poses.keypoint.astype(np.float32),
            keypoint_score=poses.keypoint_score.astype(np.float32),
            img_shape=np.array(poses.img_shape, np.int64),
            time_s=poses.time_s.astype(np.float64),
            made_by=np.array(poses.made_by),
        )


def read_poses(path: Path) -> PoseFile:
    """Read what `write_poses` wrote; nothing in the file is run.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return PoseFile(
                data["keypoint"],
                data["keypoint_score"],
                (int(data["img_shape"][0]), int(data["img_shape"][1])),
                data["time_s"],
                str(data["made_by"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path}: cannot be read as poses ({error}); delete it and extract the poses again"
        ) from None


class PoseExtractor:
    """Finds the persons of clips with a profile's nets, and follows each through its clip.

    Args:
        profile: whose `persons` looks.
        folder: where the files go, `<id>.npz`.
        step: every step-th frame is looked at.
        device: where nets run, as for `analyze`.
        backend: what runs them.
    """

    suffix = ".npz"

    def __init__(
        self, profile: Profile, folder: Path, step: int = 1, device: str = "auto", backend: str = "auto"
    ) -> None:
        self._profile = profile
        self._folder = folder
        self._step = step
        self._where = {"device": device, "backend": backend}
        self.made_by = _made_by(profile, step)
        self._finder: PersonFinder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_finder": None}

    def path(self, clip: Clip) -> Path:
        """Where the poses of a clip lie."""
        return self._folder / f"{clip.id}{self.suffix}"

    def open(self, num_threads: int | None) -> None:
        """Load the nets. Raises ModelError, ProfileError."""
        from phar.clock import Stopwatch
        from phar.streams.table import load_person_finder

        if num_threads is not None:
            import torch

            torch.set_num_threads(num_threads)
        self._finder = load_person_finder(self._profile, clock=Stopwatch(), **self._where)

    def done(self, clip: Clip) -> bool:
        """Tell whether the clip's poses were found with these nets and settings."""
        try:
            return read_poses(self.path(clip)).made_by == self.made_by
        except UsageError:
            return False

    def extract(self, clip: Clip) -> None:
        """Write the poses of a clip. Raises MediaError, OutputError."""
        from phar.streams.skeleton import pose_clip
        from phar.streams.tracks import rows_of_persons

        assert self._finder is not None
        found: list[tuple[FloatArray, FloatArray]] = []
        times: list[float] = []
        size = (0, 0)
        frames = islice(frames_between(clip.video, clip.start_s, clip.end_s), 0, None, self._step)
        for part in _parts(frames):
            size = (part[0].height_px, part[0].width_px)
            times += [max(0.0, frame.time_s - clip.start_s) for frame in part]
            found += self._finder.find(part)
        if not found:
            raise MediaError(f"{clip.video}: {clip.start_s:.3f} to {clip.end_s:.3f} s holds no frame")
        joints = pose_clip([k for _, k in found], *size, rows_of_persons([boxes for boxes, _ in found]))
        if not any(len(boxes) for boxes, _ in found):
            joints = replace(joints, keypoints=joints.keypoints[:0], scores=joints.scores[:0])
        write_poses(
            PoseFile(joints.keypoints, joints.scores, size, np.array(times), self.made_by), self.path(clip)
        )


def _parts(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while part := list(islice(frames, _FRAMES)):
        yield part


def _made_by(profile: Profile, step: int) -> str:
    """A name for everything that decides which poses are found."""
    persons = profile.persons
    if persons is None:
        raise UsageError(f"profile {profile.name} has no `persons` to find poses with; name another")
    nets = [
        (
            model.config.read_text(encoding="utf-8"),
            weights_sha256(model.checkpoint) if model.checkpoint else "",
        )
        for model in (persons.detector, persons.pose)
    ]
    settings = (
        persons.det_score_thr,
        persons.detector_stride,
        persons.max_persons,
        persons.short_side_px,
        step,
    )
    return hashlib.blake2b(repr((nets, settings)).encode(), digest_size=8).hexdigest()
