"""What a worker does with a video: hash it, analyse it, or make its outputs anew from stored scores."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from phar.batch.catalogue import Seen
from phar.batch.engine import Tell
from phar.batch.sources import Stamp
from phar.export import WRITERS, check_target, read_report, replacing
from phar.profile import Profile
from phar.recompute import recomputed
from phar.schema import MediaError, OutputError, Report

LOOK, ANALYSE, RECOMPUTE = "look", "analyse", "recompute"

#: How much of a file is hashed at a time.
_PIECE_BYTES = 1 << 22


@dataclass(frozen=True)
class VideoTask:
    """One step for one video."""

    row_id: int
    step: str
    """look, analyse or recompute."""
    path: str
    place: str
    stamp: Stamp
    """Of the content that is meant."""
    sha256: str | None = None
    """That content's hash; None before it was looked at."""
    donor: str | None = None
    """Place of the report whose scores are used again."""

    @property
    def size_bytes(self) -> int:
        """See `Task.size_bytes`; stored scores are small."""
        return 0 if self.step == RECOMPUTE else self.stamp.size_bytes


@dataclass(frozen=True)
class Looked:
    """What a file holds."""

    sha256: str
    stamp: Stamp


@dataclass(frozen=True)
class Places:
    """Where outputs lie: a folder for each format, in each the same tree."""

    folder: Path

    def report(self, place: str) -> Path:
        """Return the path of a video's report."""
        return self.folder / "reports" / f"{place}.json"

    def poses(self, place: str) -> Path:
        """Return the path of a video's boxes and keypoints, beside its report."""
        return self.folder / "reports" / f"{place}.poses.npz"

    def export(self, place: str, name: str) -> Path:
        """Return the path of a video's output in another format."""
        return self.folder / name / f"{place}{WRITERS[name].suffix}"

    def all(self, place: str, formats: tuple[str, ...], keep_poses: bool) -> list[Path]:
        """Return the path of every output of a video, the report last."""
        exports = [self.export(place, name) for name in formats]
        return [*([self.poses(place)] if keep_poses else []), *exports, self.report(place)]


class Analyses(Protocol):
    """What `phar.pipeline.Analyzer` does for a batch."""

    def analyze(
        self, video: str | Path, *, keep_poses: bool, topk: int, num_threads: int, progress: Tell
    ) -> Report:
        """Analyse one video."""


Load = Callable[[Profile, str, str], Analyses]


def load_analyzer(profile: Profile, device: str, backend: str) -> Analyses:
    """Load the profile's nets."""
    from phar.pipeline import Analyzer

    analyzer: Analyses = Analyzer(profile, device=device, backend=backend)
    return analyzer


@dataclass
class VideoJob:
    """Everything a worker must know, and the nets once they are loaded."""

    profile: Profile
    places: Places
    formats: tuple[str, ...] = ()
    """Written beside the report, names in `WRITERS`."""
    topk: int = 5
    keep_poses: bool = False
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Added to the report's `profile`: the preset, and why this profile."""
    device: str = "auto"
    backend: str = "auto"
    num_threads: int = 0
    """Threads for nets and for decoding, 0 for the libraries' choice."""
    load: Load = load_analyzer
    _analyzer: Analyses | None = None

    def prepare(self, slot: int, task: VideoTask) -> None:
        """Load the nets for the first video that needs them. Raises ModelError."""
        if task.step == ANALYSE and self._analyzer is None:
            if self.num_threads:
                # Read once, when the libraries that compute are imported.
                os.environ.setdefault("OMP_NUM_THREADS", str(self.num_threads))
            self._analyzer = self.load(self.profile, device_of(self.device, slot), self.backend)

    def run(self, task: VideoTask, tell: Tell) -> Looked | Seen:
        """Do one step. Raises MediaError, OutputError or ReportError."""
        if task.step == LOOK:
            return look(task.path)
        report = self._analysed(task, tell) if task.step == ANALYSE else self._recomputed(task)
        report = dataclasses.replace(
            report,
            video=dataclasses.replace(report.video, path=task.path),
            profile={**report.profile, **self.about},
            topk=self.topk,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        tell("write", report.video.duration_s, report.video.duration_s)
        return self.publish(task, report)

    def publish(self, task: VideoTask, report: Report) -> Seen:
        """Write every output of a video, its report last, and return what the catalogue keeps."""
        if report.poses is not None:
            from phar.export.poses import save_poses

            save_poses(report.poses, self.places.poses(task.place))
            report = dataclasses.replace(report, poses_path=self.places.poses(task.place).name)
        for name in self.formats:
            WRITERS[name].write(report, self.places.export(task.place, name))
        # The file was read in the meantime, and whoever still writes to it is not done.
        if Stamp.of(task.path) != task.stamp:
            raise MediaError("the file changed while it was read; run again when it is complete")
        WRITERS["json"].write(report, self.places.report(task.place))
        return Seen(
            video=report.video,
            tags=report.tags,
            segments=report.timestamps,
            timing=report.timing,
            warnings=tuple(report.warnings),
            created=report.created,
            has_poses=report.poses_path is not None,
        )

    def _analysed(self, task: VideoTask, tell: Tell) -> Report:
        assert self._analyzer is not None
        self._make_room(task)
        return self._analyzer.analyze(
            task.path,
            keep_poses=self.keep_poses,
            topk=self.topk,
            num_threads=self.num_threads,
            progress=tell,
        )

    def _recomputed(self, task: VideoTask) -> Report:
        assert task.donor is not None
        report = recomputed(read_report(self.places.report(task.donor)), self.profile)
        self._make_room(task)
        if report.poses_path is None or task.donor == task.place:
            return report
        saved = self.places.report(task.donor).with_name(report.poses_path)
        with replacing(self.places.poses(task.place)) as temporary:
            temporary.write_bytes(saved.read_bytes())
        return dataclasses.replace(report, poses_path=self.places.poses(task.place).name)

    def _make_room(self, task: VideoTask) -> None:
        """Make the folders of the outputs, and refuse to replace what is not phar's."""
        for path in self.places.all(task.place, self.formats, self.keep_poses):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{path.parent} cannot be made: {error.strerror}; move what is there"
                ) from None
            check_target(path, [Path(task.path)])


def look(path: str) -> Looked:
    """Hash a file's content.

    Raises:
        MediaError: it cannot be read, or changes meanwhile.
    """
    before = Stamp.of(path)
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
    if Stamp.of(path) != before:
        raise MediaError("the file changed while it was read; run again when it is complete")
    return Looked(digest.hexdigest(), before)


def device_of(device: str, slot: int) -> str:
    """Return the device of a worker: where there are several GPUs, each worker takes the next."""
    if device not in ("auto", "cuda"):
        return device
    import torch

    return f"cuda:{slot % torch.cuda.device_count()}" if torch.cuda.device_count() else device
