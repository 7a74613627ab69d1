"""Jobs: what is to be done with which video, in the database, so that a restart loses none."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from phar.batch.engine import Event, Failed, Finished
from phar.batch.engine import Progress as Told
from phar.batch.job import ANALYSE, LOOK, RECOMPUTE, Looked, Places, VideoTask
from phar.batch.sources import Stamp
from phar.foreign import shown
from phar.schema import MediaError
from phar.serve.documents import VIDEO_COLUMNS, Job, Progress, Refused
from phar.serve.reviewing import ALARM, SHOT, Proposal, propose, propose_anew
from phar.serve.store import Store, Transaction
from phar.serve.tasks import Judged, Shots, ShotsTask

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
ANALYSES, SHOTS = "analyse", "shots"

T = TypeVar("T", VideoTask, ShotsTask)

#: A job during which the whole server ended this often is not begun again.
_MOST_TRIES = 3

_JOBS = f"SELECT job.*, {VIDEO_COLUMNS} FROM job JOIN video ON video.id = job.video_id"


class Jobs:
    """The jobs of a server.

    places: where reports lie. analysis: fingerprint of what decides scores. wake: called with a kind of which
    there is a new job.
    """

    def __init__(self, store: Store, places: Places, analysis: str) -> None:
        self._store = store
        self._places = places
        self._analysis = analysis
        self.wake: Callable[[str], None] = lambda kind: None
        self._ready: deque[VideoTask] = deque()
        self._progress: dict[int, Progress] = {}
        self._cancelled: set[int] = set()

    def recover(self) -> None:
        """Queue again what was under way when the server ended, unless it ended so too often."""
        with self._store.change() as change:
            change.run(
                "UPDATE job SET state = ?, ended_at = ?, error = ? WHERE state = ? AND tries >= ?",
                (
                    *(FAILED, change.now),
                    f"the server ended {_MOST_TRIES} times while it worked on this; leave the video out",
                    *(RUNNING, _MOST_TRIES),
                ),
            )
            change.run("UPDATE job SET state = ? WHERE state = ?", (QUEUED, RUNNING))

    def put_back(self) -> None:
        """Queue again what is under way, as the server ends in good order."""
        with self._store.change() as change:
            change.run(
                "UPDATE job SET state = ?, tries = tries - 1 WHERE state = ?",
                (QUEUED, RUNNING),
            )

    def add(
        self, path: Path, name: str, kind: str, key: str | None = None, *, uploaded: bool = False
    ) -> tuple[Job, bool]:
        """Queue a job, and tell whether it is new. Raises Refused where the key was used for another."""
        job_id = secrets.token_hex(8)
        with self._store.change() as change:
            known = key and change.row(f"{_JOBS} WHERE job.key = ?", (key,))
            if known:
                same = change.row("SELECT path FROM video WHERE id = ?", (known["video_id"],))
                if known["kind"] != kind or (not uploaded and same and same["path"] != os.fsencode(path)):
                    raise Refused(409, f"key {key} was used for another job; make a new one")
                return self._document(known), False
            video_id = change.video(path, name, uploaded=uploaded)
            change.run(
                "INSERT INTO job (id, kind, video_id, state, key, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                (job_id, kind, video_id, QUEUED, key, change.now),
            )
        self.wake(kind)
        return self.job(job_id), True

    def with_key(self, key: str) -> Job | None:
        """Return the job that a request with this key made."""
        row = self._store.row(f"{_JOBS} WHERE job.key = ?", (key,))
        return None if row is None else self._document(row)

    def job(self, job_id: str) -> Job:
        """Return one job. Raises Refused."""
        return self._document(self._row(job_id))

    def jobs(self, state: str | None, before: str | None, limit: int) -> list[Job]:
        """Return jobs, the latest first; `before` is the id of the last one seen. Raises Refused."""
        number = None if before is None else self._row(before)["number"]
        rows = self._store.rows(
            f"{_JOBS} WHERE job.state = coalesce(?, job.state)"
            " AND job.number < coalesce(?, 9223372036854775807) ORDER BY job.number DESC LIMIT ?",
            (state, number, limit),
        )
        return [self._document(row) for row in rows]

    def cancel(self, job_id: str) -> Job:
        """End a job that waits or is under way; one that has ended stays as it is. Raises Refused."""
        number = self._row(job_id)["number"]
        with self._store.change() as change:
            change.run(
                "UPDATE job SET state = ?, ended_at = ? WHERE number = ? AND state IN (?, ?)",
                (CANCELLED, change.now, number, QUEUED, RUNNING),
            )
        self._cancelled.add(number)
        return self.job(job_id)

    def is_cancelled(self, task: VideoTask | ShotsTask) -> bool:
        """Tell whether nobody wants a task any more."""
        return task.row_id in self._cancelled

    def next_analysis(self) -> VideoTask | None:
        """Return the next step of an analysis that is under way, or begin the next one."""
        while self._ready:
            task = self._ready.popleft()
            if not self.is_cancelled(task):
                return task
        return self._begin(
            ANALYSES,
            lambda row, path: VideoTask(row["number"], LOOK, path, row["id"], Stamp.of(path)),
        )

    def next_shots(self) -> ShotsTask | None:
        """Begin the next search for shots."""
        return self._begin(SHOTS, lambda row, path: ShotsTask(row["number"], path, Stamp.of(path).size_bytes))

    def told(self, event: Event) -> None:
        """Note what came of a task."""
        task = event.task
        number = task.row_id
        if isinstance(event, Told):
            self._progress[number] = Progress(stage=event.stage, done_s=event.done_s, total_s=event.total_s)
        elif isinstance(event, Failed):
            if isinstance(task, VideoTask) and task.step == RECOMPUTE and number not in self._cancelled:
                # The stored report is damaged or gone.
                self._ready.append(replace(task, step=ANALYSE, donor=None))
            else:
                self._fail(number, event.message, task.path)
        else:
            self._finished(number, event)

    def _finished(self, number: int, event: Finished) -> None:
        result = event.result
        if isinstance(result, Looked):
            self._ready.append(self._looked(event.task, result))
        elif isinstance(result, Judged):
            with self._store.change() as change:
                video_id = self._end(change, number, DONE)
                if video_id is None:
                    return
                change.run(
                    "UPDATE job SET action = ?, reasons = ?, analysis = ? WHERE number = ?",
                    (result.action, json.dumps(result.reasons), self._analysis, number),
                )
                change.run("UPDATE video SET duration_s = ? WHERE id = ?", (result.duration_s, video_id))
                propose_anew(change, video_id, ALARM, result.proposals)
        elif isinstance(result, Shots):
            with self._store.change() as change:
                video_id = self._end(change, number, DONE)
                if video_id is not None:
                    change.run(
                        "UPDATE video SET duration_s = ? WHERE id = ?", (result.spans[-1][1], video_id)
                    )
                    propose(change, video_id, SHOT, [Proposal(start, end) for start, end in result.spans])

    def _looked(self, task: VideoTask, looked: Looked) -> VideoTask:
        """Note a video's content, and return the step that follows."""
        with self._store.change() as change:
            row = change.row(f"{_JOBS} WHERE job.number = ?", (task.row_id,))
            assert row is not None
            video_id = row["video_id"]
            if row["sha256"] not in (None, looked.sha256):
                # What people said was about another video, which lay at this path.
                change.run("UPDATE video SET gone = 1 WHERE id = ?", (video_id,))
                video_id = change.video(Path(task.path), row["name"], uploaded=bool(row["uploaded"]))
                change.run("UPDATE job SET video_id = ? WHERE number = ?", (video_id, task.row_id))
            change.run(
                "UPDATE video SET sha256 = ?, size_bytes = ? WHERE id = ?",
                (looked.sha256, looked.stamp.size_bytes, video_id),
            )
            donors = change.rows(
                "SELECT job.id FROM job JOIN video ON video.id = job.video_id"
                " WHERE video.sha256 = ? AND job.analysis = ? AND job.state = ? ORDER BY job.number DESC",
                (looked.sha256, self._analysis, DONE),
            )
        donor = next((each["id"] for each in donors if self._places.report(each["id"]).is_file()), None)
        step = ANALYSE if donor is None else RECOMPUTE
        return replace(task, step=step, sha256=looked.sha256, stamp=looked.stamp, donor=donor)

    def _begin(self, kind: str, task: Callable[[sqlite3.Row, str], T]) -> T | None:
        """Claim jobs until there is one whose task can be made."""
        while (row := self._claim(kind)) is not None:
            path = os.fsdecode(row["path"])
            try:
                return task(row, path)
            except MediaError as error:
                self._fail(row["number"], str(error), path)
        return None

    def _claim(self, kind: str) -> sqlite3.Row | None:
        with self._store.change() as change:
            row = change.row(
                "SELECT job.number, job.id, video.path FROM job JOIN video ON video.id = job.video_id"
                " WHERE job.state = ? AND job.kind = ? ORDER BY job.number LIMIT 1",
                (QUEUED, kind),
            )
            if row is not None:
                change.run(
                    "UPDATE job SET state = ?, began_at = ?, tries = tries + 1 WHERE number = ?",
                    (RUNNING, change.now, row["number"]),
                )
            return row

    def _fail(self, number: int, message: str, path: str) -> None:
        with self._store.change() as change:
            if self._end(change, number, FAILED) is not None:
                line = shown(" ".join(message.split()).removeprefix(f"{path}: "))
                change.run("UPDATE job SET error = ? WHERE number = ?", (line, number))

    def _end(self, change: Transaction, number: int, state: str) -> int | None:
        """End a job that is under way and return its video; None if it was cancelled meanwhile."""
        self._progress.pop(number, None)
        self._cancelled.discard(number)
        row = change.row("SELECT state, video_id FROM job WHERE number = ?", (number,))
        if row is None or row["state"] != RUNNING:
            return None
        change.run("UPDATE job SET state = ?, ended_at = ? WHERE number = ?", (state, change.now, number))
        return int(row["video_id"])

    def _row(self, job_id: str) -> sqlite3.Row:
        row = self._store.row(f"{_JOBS} WHERE job.id = ?", (job_id,))
        if row is None:
            raise Refused(404, f"job {job_id} is not there")
        return row

    def _document(self, row: sqlite3.Row) -> Job:
        return Job.of(row, self._progress.get(row["number"]))


def allowed_path(text: str, roots: list[Path]) -> Path:
    """Return the file that a request names, links followed, if it lies below one of the roots.

    What lies elsewhere is refused in the same words whether it is there or not.

    Raises:
        Refused: it does not, or is no file.
    """
    if not roots:
        raise Refused(403, "no folder is open to this server; upload the video, or start it with --root")
    try:
        path = Path(text).resolve()
        inside = Path(text).is_absolute() and any(path.is_relative_to(root) for root in roots)
        is_file = inside and path.is_file()
    except (OSError, ValueError, RuntimeError):
        raise Refused(400, f"{shown(text)[:200]!r} is no path") from None
    if not inside:
        raise Refused(403, f"{shown(text)[:200]} is not below {', '.join(map(str, roots))}; name one that is")
    if not is_file:
        raise Refused(404, f"{shown(text)[:200]} is no file")
    return path
