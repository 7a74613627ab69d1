"""The server without HTTP: everything that a request can ask for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from phar import __version__
from phar.batch.job import Load, Places, load_analyzer
from phar.batch.limits import Limits
from phar.dataset.annotation import write_table
from phar.foreign import shown
from phar.moderation.policy import Policy
from phar.profile import Profile
from phar.schema import NONE, PharError
from phar.serve.annotating import verdict_rows
from phar.serve.desk import Desk
from phar.serve.documents import About, Job, NewJob, Refused
from phar.serve.jobs import ANALYSES, SHOTS, Jobs, allowed_path
from phar.serve.keeping import Keeping
from phar.serve.previews import LONGEST_S, Previews
from phar.serve.reviewing import Review
from phar.serve.store import Store
from phar.serve.tasks import JudgingJob, ShotsJob

#: How often what is too old is looked for.
_PURGE_EVERY_S = 3600.0

#: The search for shots holds no nets.
_SHOTS_BYTES = 4 << 30


@dataclass(frozen=True)
class Settings:
    """What a server is started with."""

    folder: Path
    """Absolute; everything it keeps lies here."""
    profile: Profile
    policy: Policy
    analysis: str
    """Fingerprint of what decides the scores."""
    roots: tuple[Path, ...] = ()
    """Folders below which videos may be named; links resolved."""
    labels: tuple[str, ...] = ()
    """Labels beside those of profile and policy."""
    device: str = "auto"
    backend: str = "auto"
    num_workers: int = 1
    num_threads: int = 0
    limits: Limits = field(default_factory=lambda: Limits(None))
    """Of one analysis."""
    max_upload_bytes: int = 8 << 30
    lease_s: float = 300.0
    retention_days: float | None = 30.0
    verbose: bool = False
    load: Load = load_analyzer


class Service:
    """Jobs, review and what is kept, with the processes and threads that work."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.folder)
        self.labels = known_labels(settings)
        self.keeping = Keeping(self.store, settings.max_upload_bytes, settings.retention_days)
        self.review = Review(self.store, self.labels, settings.lease_s)
        places = Places(settings.folder)
        self.jobs = Jobs(self.store, places, settings.analysis)
        self.previews = Previews(self.keeping.passing, settings.verbose)
        job = JudgingJob(
            profile=settings.profile,
            places=places,
            device=settings.device,
            backend=settings.backend,
            num_threads=settings.num_threads,
            load=settings.load,
            policy=settings.policy,
        )
        self._desks = {
            ANALYSES: Desk(
                "analyses",
                job,
                self.jobs.next_analysis,
                self.jobs.told,
                dropped=self.jobs.is_cancelled,
                num_workers=settings.num_workers,
                limits=settings.limits,
                verbose=settings.verbose,
            ),
            SHOTS: Desk(
                "shots",
                ShotsJob(),
                self.jobs.next_shots,
                self.jobs.told,
                dropped=self.jobs.is_cancelled,
                num_workers=1,
                limits=Limits(_SHOTS_BYTES, settings.limits.time_s),
                verbose=settings.verbose,
            ),
        }
        self.jobs.wake = lambda kind: self._desks[kind].wake()
        self._ended = threading.Event()
        self._purger = threading.Thread(target=self._purge, name="purge", daemon=True)

    def start(self) -> None:
        """Go on where the last server ended. Raises OutputError."""
        self.keeping.prepare()
        self.jobs.recover()
        for desk in (*self._desks.values(), self.previews.desk):
            desk.start()
            desk.wake()
        self._purger.start()

    def stop(self) -> None:
        """End in good order; jobs that are under way are begun again by the next server."""
        self._ended.set()
        for desk in (*self._desks.values(), self.previews.desk):
            desk.stop()
        self._purger.join()
        self.jobs.put_back()
        self.store.close()

    def about(self, moderator: str | None) -> About:
        """Return what this server is."""
        settings = self.settings
        return About(
            phar_version=__version__,
            profile=settings.profile.name,
            policy=f"{settings.policy.name} {settings.policy.version}",
            labels=list(self.labels),
            moderator=moderator,
            roots=[shown(str(root)) for root in settings.roots],
            max_upload_bytes=settings.max_upload_bytes,
            lease_s=settings.lease_s,
            retention_days=settings.retention_days,
        )

    def post(self, wish: NewJob) -> tuple[Job, bool]:
        """Queue a job about a file, and tell whether it is new. Raises Refused."""
        path = allowed_path(wish.path, list(self.settings.roots))
        return self.jobs.add(path, shown(path.name)[:200], wish.kind, wish.key)

    async def upload(
        self, name: str, kind: str, key: str | None, pieces: AsyncIterator[bytes], announced: int | None
    ) -> tuple[Job, bool]:
        """Keep a video and queue a job about it, and tell whether it is new. Raises Refused."""
        if key is not None and (known := self.jobs.with_key(key)) is not None:
            return known, False
        path = await self.keeping.receive(name, pieces, announced)
        try:
            label = shown(Path(name).name)[:200] or "upload"
            job, new = self.jobs.add(path, label, kind, key, uploaded=True)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            self.keeping.known(path)
        if not new:
            path.unlink(missing_ok=True)
        return job, new

    def shots_of(self, video_id: int) -> Job:
        """Queue the search for a video's shots, unless it is done or under way. Raises Refused."""
        path = self._video(video_id)
        row = self.store.row(
            "SELECT id FROM job WHERE video_id = ? AND kind = ? AND state IN ('queued', 'running', 'done')",
            (video_id, SHOTS),
        )
        return self.jobs.job(row["id"]) if row is not None else self.jobs.add(path, path.name, SHOTS)[0]

    async def preview(self, span_id: int, from_s: float | None, length_s: float) -> bytes:
        """Return an mp4 of a span, from its start or another time. Raises Refused."""
        span = self.review.span(span_id)
        start_s = span.start_s if from_s is None else from_s
        end_s = min(start_s + min(length_s, LONGEST_S), max(span.end_s, start_s + 1.0))
        if span.video.duration_s is not None:
            end_s = min(end_s, span.video.duration_s)
            if start_s >= end_s:
                raise Refused(404, f"the video ends before {start_s:g} s")
        return await self.previews.cut(self._video(span.video.id), start_s, end_s)

    def table(self) -> tuple[bytes, int]:
        """Return the table of all verdicts as CSV, and how many were left out as their files are gone."""
        found, left_out = verdict_rows(self.store)
        path = self.keeping.passing().with_suffix(".csv")
        write_table(found, path)
        try:
            return path.read_bytes(), left_out
        finally:
            path.unlink()

    def _video(self, video_id: int) -> Path:
        row = self.store.row("SELECT path, gone FROM video WHERE id = ?", (video_id,))
        if row is None:
            raise Refused(404, f"video {video_id} is not there")
        path = Path(os.fsdecode(row["path"]))
        if row["gone"] or not path.is_file():
            raise Refused(404, f"the file of video {video_id} is not there any more")
        return path

    def _purge(self) -> None:
        while True:
            try:
                self.keeping.purge()
            except (PharError, OSError) as error:
                print(f"phar serve: purge: {error}", file=sys.stderr, flush=True)
            if self._ended.wait(_PURGE_EVERY_S):
                return


def known_labels(settings: Settings) -> tuple[str, ...]:
    """Return what people may call a span: the policy's words, the profile's, and those that were added."""
    words = [label for category in settings.policy.categories for label in category.truth]
    return tuple(
        dict.fromkeys(
            label for label in (*words, *settings.profile.labels, *settings.labels) if label != NONE
        )
    )
