"""A model's reports of the videos of a truth: made, kept and taken up again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from phar.evaluate.stills import Stills
from phar.evaluate.truth import VideoTruth, prepare
from phar.export import WRITERS, read_report
from phar.pipeline import Analyzer
from phar.processes import spread
from phar.profile import Profile, ungated
from phar.profile.fingerprint import analysis_fingerprint
from phar.recompute import recomputed
from phar.schema import MediaError, OutputError, Report, ReportError, UsageError

#: The ways in which a model looks at the videos: with its gates, with every stream open, and
#: at one picture of each window.
DEPLOYED, OPEN, STILL = "deployed", "open", "still"

#: Told what failed, in one line.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Runs:
    """One model's reports, by way of looking and then by video."""

    name: str
    reports: Mapping[str, Mapping[str, Report]]
    failed: Sequence[str] = field(default_factory=tuple)
    """Videos that could not be analysed."""

    def recomputed(self, profile: Profile, name: str) -> Runs:
        """Return the same looks as another profile decides upon them. Raises ProfileError."""
        opened = ungated(profile)
        return replace(
            self,
            name=name,
            reports={
                way: {
                    video: recomputed(report, opened if way == OPEN else profile)
                    for video, report in reports.items()
                }
                for way, reports in self.reports.items()
            },
        )


def analysed(
    name: str,
    profile: Profile,
    truths: Sequence[VideoTruth],
    ways: Sequence[str],
    *,
    keep: Path | None = None,
    device: str = "auto",
    backend: str = "auto",
    num_jobs: int = 1,
    tell: Tell = lambda line: None,
    progress: Callable[[], None] = lambda: None,
) -> Runs:
    """Analyse every video in each of `ways`, or take up the reports of `keep` that still hold.

    Nets run only for what is not kept, in `num_jobs` processes that share the cores; fusion and segments are
    always those of the profile. A video that cannot be read is told, and left out.

    Raises:
        ModelError, ProfileError: the profile cannot be used.
        OutputError: a report cannot be written into `keep`.
    """
    folder = keep / analysis_fingerprint(profile)[:12] if keep else None
    reports: dict[str, dict[str, Report]] = {}
    failed: list[str] = []
    for way in ways:
        looking = ungated(profile) if way == OPEN else profile
        found = {truth.name: _kept(_kept_path(folder, way, truth.name), truth) for truth in truths}
        for report in found.values():
            if report is not None:
                progress()
        waiting = [truth for truth in truths if found[truth.name] is None]
        prepare(waiting)
        look = _Look(looking, way == STILL, device, backend)
        for video, made in _looked(look, waiting, num_jobs):
            if isinstance(made, str):
                tell(made)
                failed.append(video)
            else:
                found[video] = made
                _keep(made, _kept_path(folder, way, video))
            progress()
        reports[way] = {
            video: recomputed(report, looking) for video, report in found.items() if report is not None
        }
    return Runs(name, reports, tuple(dict.fromkeys(failed)))


@dataclass
class _Look:
    """What looks at videos; it travels to other processes before its nets are loaded there."""

    profile: Profile
    still: bool
    device: str
    backend: str

    @cached_property
    def _analyzer(self) -> Analyzer:
        analyzer = Analyzer(self.profile, device=self.device, backend=self.backend)
        if self.still:
            analyzer.streams = Stills.of(analyzer.streams)
        return analyzer

    def at(self, truth: VideoTruth, num_threads: int = 0) -> tuple[str, Report | str]:
        """Return the video's name and its report, or why there is none. Raises ModelError, ProfileError."""
        try:
            return truth.name, self._analyzer.analyze(truth.path, num_threads=num_threads)
        except MediaError as error:
            return truth.name, str(error)


#: What looks in a worker process, and on how many threads.
_own: list[tuple[_Look, int]] = []


def _looked(look: _Look, truths: Sequence[VideoTruth], num_jobs: int) -> Iterator[tuple[str, Report | str]]:
    if min(num_jobs, len(truths)) <= 1:
        yield from map(look.at, truths)
        return
    yield from spread(_look_at, truths, num_jobs, partial(_begin, look))


def _begin(look: _Look, num_threads: int) -> None:
    import torch

    torch.set_num_threads(num_threads)
    _own.append((look, num_threads))


def _look_at(truth: VideoTruth) -> tuple[str, Report | str]:
    look, num_threads = _own[0]
    return look.at(truth, num_threads)


def stored(name: str, folder: Path, truths: Sequence[VideoTruth]) -> Runs:
    """Read the reports of a folder, each bound to its video by name.

    A folder that was kept holds one folder for each way of looking; any other holds reports with
    the gates as they are. Reports of other videos are passed over.

    Raises:
        UsageError: there is no such folder, or no report of any of the videos in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of reports; check the path")
    ways = [way for way in (DEPLOYED, OPEN, STILL) if (folder / way).is_dir()]
    places = {way: folder / way for way in ways} or {DEPLOYED: folder}
    reports = {way: _bound(sorted(place.rglob("*.json")), truths) for way, place in places.items()}
    if not reports.get(DEPLOYED):
        inner = sorted(path.name for path in folder.iterdir() if (path / DEPLOYED).is_dir())
        hint = f"; it has {', '.join(inner)}, name one of them" if inner else ""
        raise UsageError(f"{folder} has no report of any of the {len(truths)} videos{hint}")
    return Runs(name, reports)


def _bound(files: Iterable[Path], truths: Sequence[VideoTruth]) -> dict[str, Report]:
    """Read the reports that belong to a video: by its path, else by the file's name or the video's."""
    by_path = {truth.path.resolve(): truth.name for truth in truths}
    by_name = Counter(truth.name.rsplit("/", 1)[-1] for truth in truths)
    by_stem = {stem: truth.name for truth in truths if by_name[stem := truth.name.rsplit("/", 1)[-1]] == 1}
    found = {}
    for file in files:
        try:
            report = read_report(file)
        except ReportError:
            continue
        video = Path(report.video.path)
        name = by_path.get(video.resolve()) or by_stem.get(file.stem) or by_stem.get(video.stem)
        if name is not None:
            found[name] = report
    return found


def _kept_path(folder: Path | None, way: str, name: str) -> Path | None:
    return folder / way / f"{name}.json" if folder else None


def _kept(path: Path | None, truth: VideoTruth) -> Report | None:
    """Read a kept report, unless the video was changed after it was written."""
    if path is None or not path.is_file():
        return None
    if truth.path.is_file() and truth.path.stat().st_mtime > path.stat().st_mtime:
        return None
    try:
        return read_report(path)
    except ReportError:
        return None


def _keep(report: Report, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error.strerror}; choose another place") from None
    WRITERS["json"].write(report, path)
