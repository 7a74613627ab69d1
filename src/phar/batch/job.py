"""What a worker does with a video: hash it, analyse it, or make its outputs anew from stored scores."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from phar.batch import storage
from phar.batch.catalogue import Seen
from phar.batch.engine import Tell
from phar.batch.sources import Stamp
from phar.export import WRITERS, check_target, read_report, replacing
from phar.profile import Profile
from phar.recompute import recomputed
from phar.schema import MediaError, OutputError, Report

if TYPE_CHECKING:
    from phar.pipeline import Part

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
    windows: tuple[int, int | None] | None = None
    """Only these, see `Analyzer.analyze_part`; None for the whole video."""

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
    url: str | None = None
    """Where they lie instead of in `folder`, below the same names."""

    def has(self, path: Path) -> bool:
        """Tell whether an output is there, by its path in `folder`."""
        if self.url is None:
            return path.is_file()
        return self.url_of(path) in self._at_start or storage.exists(self.url_of(path))

    def url_of(self, path: Path) -> str:
        """Return the URL of an output by its path in `folder`."""
        return f"{self.url}/{path.relative_to(self.folder)}"

    @cached_property
    def _at_start(self) -> frozenset[str]:
        # One listing instead of a question for each video.
        return storage.names_below(f"{self.url}")

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

    def analyze_part(
        self,
        video: str | Path,
        windows: tuple[int, int | None],
        *,
        keep_poses: bool,
        num_threads: int,
        progress: Tell,
    ) -> Part:
        """Analyse some windows of one video."""


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
    split_s: float | None = None
    """Videos much longer than this are analysed in parts by engines that can, about as long as this."""
    load: Load = load_analyzer
    _analyzer: Analyses | None = None
    _fetched: storage.Fetched | None = None

    def prepare(self, slot: int, task: VideoTask) -> None:
        """Load the nets for the first video that needs them. Raises ModelError."""
        if task.step == ANALYSE and self._analyzer is None:
            if self.num_threads:
                # Read once, when the libraries that compute are imported.
                os.environ.setdefault("OMP_NUM_THREADS", str(self.num_threads))
            self._analyzer = self.load(self.profile, device_of(self.device, slot), self.backend)

    def run(self, task: VideoTask, tell: Tell) -> Looked | Seen | Part:
        """Do one step, or one part of an analysis. Raises MediaError, OutputError or ReportError."""
        if task.step == LOOK:
            with self._at_hand(task.path, Stamp.of(task.path)) as path:
                return look(task.path, path)
        if task.windows is not None:
            assert self._analyzer is not None
            with self._at_hand(task.path, task.stamp) as path:
                return self._analyzer.analyze_part(
                    path,
                    task.windows,
                    keep_poses=self.keep_poses,
                    num_threads=self.num_threads,
                    progress=tell,
                )
        with self._outputs() as places:
            self._make_room(task, places)
            report = self._analysed(task, tell) if task.step == ANALYSE else self._recomputed(task, places)
            tell("write", report.video.duration_s, report.video.duration_s)
            return self._publish(task, report, places)

    def split(self, task: VideoTask) -> Sequence[VideoTask]:
        """Return the parts that a video is analysed in, or the task itself. Raises as `run` does."""
        if task.step != ANALYSE or self.split_s is None:
            return [task]
        from phar.media import probe
        from phar.pipeline import CHUNK_WINDOWS

        with self._outputs() as places:
            self._make_room(task, places)
        with self._at_hand(task.path, task.stamp) as path:
            duration_s = probe(path).duration_s
        parts = parts_of(duration_s, self.profile.stride_s, self.split_s, CHUNK_WINDOWS)
        if len(parts) == 1:
            return [task]
        return [dataclasses.replace(task, windows=windows) for windows in parts]

    def join(self, task: VideoTask, parts: Sequence[Part]) -> Seen:
        """Write the outputs of a video that was analysed in parts. Raises as `run` does."""
        from phar.pipeline import joined

        with self._outputs() as places:
            self._make_room(task, places)
            return self._publish(task, joined(self.profile, parts, topk=self.topk), places)

    def _publish(self, task: VideoTask, report: Report, places: Places) -> Seen:
        """Write every output of a video, its report last, and return what the catalogue keeps."""
        report = dataclasses.replace(
            report,
            video=dataclasses.replace(report.video, path=task.path),
            profile={**report.profile, **self.about},
            topk=self.topk,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if report.poses is not None:
            from phar.export.poses import save_poses

            save_poses(report.poses, places.poses(task.place))
            report = dataclasses.replace(report, poses_path=places.poses(task.place).name)
        for name in self.formats:
            WRITERS[name].write(report, places.export(task.place, name))
        # The file was read in the meantime, and whoever still writes to it is not done.
        if Stamp.of(task.path) != task.stamp:
            raise MediaError("the file changed while it was read; run again when it is complete")
        WRITERS["json"].write(report, places.report(task.place))
        if self.places.url is not None:
            for path in places.all(task.place, self.formats, report.poses is not None):
                storage.send(path, self._url_of(path, places))
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
        with self._at_hand(task.path, task.stamp) as path:
            return self._analyzer.analyze(
                path,
                keep_poses=self.keep_poses,
                topk=self.topk,
                num_threads=self.num_threads,
                progress=tell,
            )

    def _recomputed(self, task: VideoTask, places: Places) -> Report:
        assert task.donor is not None
        donor, saved = places.report(task.donor), places.poses(task.donor)
        if self.places.url is not None:
            self._bring(donor, places)
        report = recomputed(read_report(donor), self.profile)
        if report.poses_path is None or task.donor == task.place:
            return report
        if self.places.url is not None:
            self._bring(saved, places)
        with replacing(places.poses(task.place)) as temporary:
            temporary.write_bytes(saved.read_bytes())
        if self.places.url is not None:
            storage.send(places.poses(task.place), self._url_of(places.poses(task.place), places))
        return dataclasses.replace(report, poses_path=places.poses(task.place).name)

    @contextmanager
    def _at_hand(self, path: str, stamp: Stamp) -> Iterator[str]:
        """Give a local file that holds a video, and name the video itself in what is wrong with that file."""
        if not storage.is_url(path):
            yield path
            return
        if self._fetched is None:
            self._fetched = storage.Fetched()
        local = str(self._fetched.path_of(path, stamp))
        try:
            yield local
        except MediaError as error:
            raise MediaError(str(error).replace(local, path)) from None

    @contextmanager
    def _outputs(self) -> Iterator[Places]:
        """Give the places to write to; they are a passing folder's where outputs lie at a URL."""
        if self.places.url is None:
            yield self.places
            return
        with tempfile.TemporaryDirectory(prefix="phar-outputs-") as folder:
            yield Places(Path(folder))

    def _make_room(self, task: VideoTask, places: Places) -> None:
        """Make the folders of the outputs, and refuse to replace what is not phar's."""
        for path in places.all(task.place, self.formats, self.keep_poses):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{path.parent} cannot be made: {error.strerror}; move what is there"
                ) from None
            if self.places.url is not None:
                self._bring(path, places)
            check_target(path, [Path(task.path)])

    def _bring(self, path: Path, places: Places) -> None:
        """Fetch an output that lies at a URL, if it is there."""
        url = self._url_of(path, places)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() and storage.exists(url):
            storage.fetch(url, path)

    def _url_of(self, path: Path, places: Places) -> str:
        return self.places.url_of(self.places.folder / path.relative_to(places.folder))


def look(path: str, local: str) -> Looked:
    """Hash a video's content, which lies in a local file; where it is one itself, that is `path`.

    Raises:
        MediaError: it cannot be read, or changes meanwhile.
    """
    before = Stamp.of(path)
    digest = hashlib.sha256()
    try:
        with Path(local).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
    if Stamp.of(path) != before:
        raise MediaError("the file changed while it was read; run again when it is complete")
    return Looked(digest.hexdigest(), before)


def parts_of(
    duration_s: float, stride_s: float, part_s: float, multiple: int
) -> list[tuple[int, int | None]]:
    """Return the windows of each part of a video: the first, and the one after the last or None for the end.

    Parts are about `part_s` long, the last from half to one and a half times that; they begin at multiples
    of so many windows. A video of unknown length (0) is one part, as is a short one.
    """
    each = max(1, round(part_s / stride_s / multiple)) * multiple
    num_windows = math.ceil(duration_s / stride_s)
    starts = list(range(0, num_windows, each)) or [0]
    if len(starts) > 1 and num_windows - starts[-1] < each / 2:
        starts.pop()
    return list(zip(starts, [*starts[1:], None], strict=True))


def device_of(device: str, slot: int) -> str:
    """Return the device of a worker: where there are several GPUs, each worker takes the next."""
    if device not in ("auto", "cuda"):
        return device
    import torch

    return f"cuda:{slot % torch.cuda.device_count()}" if torch.cuda.device_count() else device
