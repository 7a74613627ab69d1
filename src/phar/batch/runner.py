"""The batch itself: what each video needs, handing that to an engine, and noting how it went."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phar.batch.catalogue import Catalogue, Failure, Row, Rows, Seen
from phar.batch.engine import Engine, Failed, Finished, Progress
from phar.batch.job import ANALYSE, LOOK, RECOMPUTE, Looked, Places, VideoJob, VideoTask
from phar.batch.pace import Pace, Standing
from phar.batch.sources import Found, Stamp
from phar.foreign import shown
from phar.schema import MediaError, OutputError

SKIP, FAILED_BEFORE = "skip", "failed before"

#: Files that outputs are written to before they get their name.
_UNFINISHED = re.compile(r"\..+\.([0-9a-f]{8}|\d+)\.part(\.\w+)?", re.DOTALL)

#: What must fit on the disk for a batch to go on after an output could not be written.
_ROOM_BYTES = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """What outputs must have been made with to count."""

    analysis: str
    """See `analysis_fingerprint`."""
    settings: str
    """See `settings_fingerprint`."""
    places: Places
    formats: tuple[str, ...] = ()
    keep_poses: bool = False
    retry_failed: bool = False


@dataclass
class Summary:
    """How a batch went, in numbers of videos."""

    analysed: int = 0
    recomputed: int = 0
    skipped: int = 0
    failed: int = 0
    failed_before: int = 0
    """Failed in an earlier run, and not tried again."""
    analysed_s: float = 0.0
    """Seconds of video that were analysed."""
    elapsed_s: float = 0.0


class Listener(Protocol):
    """Who is told how a batch goes."""

    def done(self, path: str, step: str, seen: Seen) -> None:
        """A video's outputs are written."""

    def failed(self, path: str, failure: Failure) -> None:
        """A video failed."""

    def moved(self, standing: Standing) -> None:
        """The batch is a little further."""


def verdict(rows: Rows, wanted: Wanted, row: Row | None, stamp: Stamp | None) -> tuple[str, Row | None]:
    """Return what a video needs: look, skip, failed before, analyse, or recompute from a row's stored scores.

    stamp: the file's, now. A file whose stamp has not changed holds what it held.
    """
    if row is None or row.sha256 is None or row.stamp != stamp:
        return LOOK, None
    same = row.content == row.sha256 and row.analysis == wanted.analysis
    if same and row.status == "failed" and not wanted.retry_failed:
        return FAILED_BEFORE, None
    enough = row.has_poses or not wanted.keep_poses
    if same and row.status == "done" and row.settings == wanted.settings and enough:
        outputs = wanted.places.all(row.place, wanted.formats, wanted.keep_poses)
        if all(map(wanted.places.has, outputs)):
            return SKIP, None
    donors = [
        donor
        for donor in rows.with_scores(row.sha256, wanted.analysis)
        if wanted.places.has(wanted.places.report(donor.place))
        and (
            not wanted.keep_poses or (donor.has_poses and wanted.places.has(wanted.places.poses(donor.place)))
        )
    ]
    if donors:
        return RECOMPUTE, next((donor for donor in donors if donor.id == row.id), donors[0])
    return ANALYSE, None


class Batch:
    """Brings videos up to date."""

    def __init__(self, catalogue: Catalogue, wanted: Wanted, job: VideoJob, listener: Listener) -> None:
        self._catalogue = catalogue
        self._wanted = wanted
        self._job = job
        self._listener = listener
        self.summary = Summary()
        self._queue: deque[str] = deque()
        self._ready: deque[VideoTask] = deque()
        #: Content that is being analysed, and the videos that wait for it because they hold the same.
        self._under_way: dict[str, list[str]] = {}
        self._pace = Pace({})

    def run(self, found: Iterable[Found], engine: Engine) -> Summary:
        """Bring every video up to date; one that fails costs only itself.

        Whatever ends this early leaves outputs whole and the catalogue true: another run goes on.

        Raises:
            PharError: the models cannot be loaded, or outputs can no longer be written.
        """
        started = time.monotonic()
        found = list(found)
        self._catalogue.enrol(found)
        self._catalogue.name_labels(self._job.profile.labels)
        self._sweep()
        sizes = {}
        for item in found:
            row = self._catalogue.row(item.path)
            step, _ = verdict(self._catalogue, self._wanted, row, item.stamp)
            if step in (SKIP, FAILED_BEFORE):
                self._left_out(step)
            elif row is not None:
                self._queue.append(item.path)
                sizes[row.id] = item.stamp.size_bytes if item.stamp else 0
        self._pace = Pace(sizes, *self._catalogue.known_length())
        try:
            with contextlib.closing(engine.run(self._job, self._next)) as events:
                for event in events:
                    self._note(event)
                    self.summary.elapsed_s = time.monotonic() - started
                    self._listener.moved(self._pace.standing(self.summary.elapsed_s))
        finally:
            self._sweep()
        self.summary.elapsed_s = time.monotonic() - started
        return self.summary

    def _next(self) -> VideoTask | None:
        """Give the engine its next task."""
        while self._queue or self._ready:
            if self._ready:
                return self._ready.popleft()
            path = self._queue.popleft()
            task = self._task(self._known(path), _stamp(path))
            if task is not None:
                return task
        return None

    def _task(self, row: Row, stamp: Stamp | None) -> VideoTask | None:
        """Return the next step for a video; None if there is none, or none yet."""
        step, donor = verdict(self._catalogue, self._wanted, row, stamp)
        if step in (SKIP, FAILED_BEFORE):
            self._left_out(step)
            self._pace.dropped(row.id)
            return None
        if step == LOOK:
            return VideoTask(row.id, LOOK, row.path, row.place, stamp or Stamp(0, 0))
        assert row.sha256 is not None and stamp is not None
        if row.sha256 in self._under_way:
            self._under_way[row.sha256].append(row.path)
            return None
        self._under_way[row.sha256] = []
        place = donor.place if donor is not None else None
        return VideoTask(row.id, step, row.path, row.place, stamp, row.sha256, place)

    def _note(self, event: Progress | Finished | Failed) -> None:
        task: VideoTask = event.task
        if isinstance(event, Progress):
            self._pace.told(task.row_id, event.done_s, event.total_s)
        elif isinstance(event, Failed):
            self._failed(task, Failure(event.code, shown(event.message.removeprefix(f"{task.path}: "))))
        elif isinstance(event.result, Looked):
            self._catalogue.looked(task.row_id, event.result.sha256, event.result.stamp)
            following = self._task(self._known(task.path), event.result.stamp)
            if following is not None:
                self._ready.append(following)
        else:
            self._done(task, event.result)

    def _done(self, task: VideoTask, seen: Seen) -> None:
        assert task.sha256 is not None
        wanted = self._wanted
        self._catalogue.done(task.row_id, seen, task.sha256, wanted.analysis, wanted.settings)
        if task.step == ANALYSE:
            self.summary.analysed += 1
            self.summary.analysed_s += seen.video.duration_s
            self._pace.finished(task.row_id, seen.video.duration_s)
        else:
            self.summary.recomputed += 1
            self._pace.dropped(task.row_id)
        self._released(task)
        self._listener.done(task.path, task.step, seen)

    def _failed(self, task: VideoTask, failure: Failure) -> None:
        if failure.code == OutputError.exit_code:
            # Not the video's fault, and every other one would fail as well.
            self._require_room()
        if task.step == RECOMPUTE:
            # The stored report is damaged, or what hinders here hinders an analysis before it begins.
            assert task.sha256 is not None
            self._ready.append(
                VideoTask(task.row_id, ANALYSE, task.path, task.place, task.stamp, task.sha256)
            )
            return
        # What is known of a video is not forgotten because a disk is not there today.
        if task.step == ANALYSE or self._known(task.path).status != "done":
            # A file that is gone or another one now says nothing of its content, which is tried again.
            content = task.sha256 if _stamp(task.path) == task.stamp else None
            self._catalogue.failed(task.row_id, failure, content, self._wanted.analysis)
        self.summary.failed += 1
        self._pace.failed(task.row_id)
        self._released(task)
        self._listener.failed(task.path, failure)

    def _released(self, task: VideoTask) -> None:
        if task.sha256 is not None:
            self._queue.extendleft(reversed(self._under_way.pop(task.sha256)))

    def _left_out(self, step: str) -> None:
        if step == SKIP:
            self.summary.skipped += 1
        else:
            self.summary.failed_before += 1

    def _known(self, path: str) -> Row:
        row = self._catalogue.row(path)
        assert row is not None
        return row

    def _require_room(self) -> None:
        folder = self._wanted.places.folder
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_ROOM_BYTES))
        except OSError as error:
            raise OutputError(
                f"{folder} can no longer be written: {error.strerror}; make room and run again to go on"
            ) from None

    def _sweep(self) -> None:
        """Remove what writers left that were ended in the middle."""
        for name in ("reports", *self._wanted.formats):
            for folder, _, files in os.walk(self._wanted.places.folder / name):
                for file in files:
                    if _UNFINISHED.fullmatch(file):
                        Path(folder, file).unlink(missing_ok=True)


def _stamp(path: str) -> Stamp | None:
    """Return a file's stamp, None where there is none."""
    try:
        return Stamp.of(path)
    except MediaError:
        return None
