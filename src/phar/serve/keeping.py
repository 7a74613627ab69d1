"""What the server keeps on disk, and for how long: uploads, reports, and nothing else that shows a video."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread

from phar.batch.sources import VIDEO_SUFFIXES
from phar.schema import OutputError
from phar.serve.documents import Refused
from phar.serve.reviewing import withdraw
from phar.serve.store import Store
from phar.serve.tasks import verdict_path

#: An upload of which nothing comes for so long is given up.
_STALL_S = 60.0

#: What must stay free on the disk, beside the upload.
_ROOM_BYTES = 1 << 28

_DAY_S = 86400.0


class Keeping:
    """The folder of a server: `uploads`, `reports`, `verdicts`, and `passing` for previews that are sent.

    max_upload_bytes: most that one upload may hold. retention_days: None keeps everything.
    """

    def __init__(self, store: Store, max_upload_bytes: int, retention_days: float | None) -> None:
        self._store = store
        self.folder = store.folder
        self.max_upload_bytes = max_upload_bytes
        self.retention_days = retention_days
        self._receiving: set[Path] = set()

    def prepare(self) -> None:
        """Make the folders, and remove what an earlier server left half-done. Raises OutputError."""
        try:
            for name in ("uploads", "reports", "verdicts", "passing"):
                (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            left = [*(self.folder / "passing").iterdir()]
            for name in ("reports", "verdicts"):
                left += [path for path in (self.folder / name).iterdir() if path.name.startswith(".")]
            for path in left:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be used ({error.strerror}); name another") from None
        self._rebase()
        self._sweep()

    def passing(self) -> Path:
        """Return a name for a file that is about to be sent and removed."""
        return self.folder / "passing" / f"{secrets.token_hex(8)}.mp4"

    async def receive(self, name: str, pieces: AsyncIterator[bytes], announced: int | None) -> Path:
        """Write an upload to disk as it comes and return where it lies.

        Raises:
            Refused: it is too large, empty, or stops coming; nothing is left of it.
        """
        if announced is not None:
            self._require(announced)
            if shutil.disk_usage(self.folder).free < announced + _ROOM_BYTES:
                raise Refused(507, f"there is no room for {announced} bytes; make room on the server's disk")
        suffix = Path(name).suffix.lower()
        path = (
            self.folder
            / "uploads"
            / f"{secrets.token_hex(12)}{suffix if suffix in VIDEO_SUFFIXES else '.video'}"
        )
        self._receiving.add(path)
        try:
            size = 0
            async with await anyio.open_file(path, "xb") as file:
                while True:
                    with anyio.fail_after(_STALL_S):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    size += len(piece)
                    self._require(size)
                    await file.write(piece)
                await anyio.to_thread.run_sync(_settle, file.wrapped)
            if not size:
                raise Refused(400, "the upload is empty; send the video as the body")
        except BaseException as error:
            path.unlink(missing_ok=True)
            self._receiving.discard(path)
            if isinstance(error, TimeoutError):
                raise Refused(408, f"nothing came for {_STALL_S:g} s; send it again") from None
            if isinstance(error, OSError):
                raise Refused(507, f"the upload cannot be kept: {error.strerror}; make room") from None
            raise
        return path

    def known(self, path: Path) -> None:
        """An upload has its row in the database from now on."""
        self._receiving.discard(path)

    def purge(self) -> None:
        """Forget what is older than the retention: uploads, reports, and spans that nobody answered.

        Verdicts stay, and what they are about: a name, a hash, times and labels.
        """
        if self.retention_days is not None:
            before = self._store.clock() - self.retention_days * _DAY_S
            with self._store.change() as change:
                old = change.rows(
                    "SELECT id FROM video WHERE uploaded = 1 AND gone = 0 AND added_at < ?"
                    " AND NOT EXISTS (SELECT 1 FROM job WHERE job.video_id = video.id"
                    "  AND job.state IN ('queued', 'running'))",
                    (before,),
                )
                for row in old:
                    withdraw(change, row["id"])
                    change.run("UPDATE video SET gone = 1 WHERE id = ?", (row["id"],))
                change.run(
                    "DELETE FROM span WHERE added_at < ?"
                    " AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.span_id = span.id)",
                    (before,),
                )
                change.run("DELETE FROM job WHERE ended_at < ?", (before,))
                change.run(
                    "DELETE FROM video WHERE added_at < ?"
                    " AND NOT EXISTS (SELECT 1 FROM job WHERE job.video_id = video.id)"
                    " AND NOT EXISTS (SELECT 1 FROM span WHERE span.video_id = video.id)",
                    (before,),
                )
        self._sweep()

    def _rebase(self) -> None:
        """Say where uploads lie now: the folder may have been moved, or restored elsewhere."""
        with self._store.change() as change:
            for row in change.rows("SELECT id, path FROM video WHERE uploaded = 1 AND gone = 0"):
                path = os.fsencode(self.folder / "uploads" / Path(os.fsdecode(row["path"])).name)
                if path != row["path"]:
                    # Somebody may have named the file by its new path already.
                    change.run("UPDATE OR IGNORE video SET path = ? WHERE id = ?", (path, row["id"]))

    def _sweep(self) -> None:
        """Remove files that the database does not know.

        Requests come meanwhile. A file is listed before anybody is asked about it, and an upload has its row
        before it leaves those that are being received, so that what is known to neither stays so.
        """
        uploads = [*(self.folder / "uploads").iterdir()]
        documents = [path for name in ("reports", "verdicts") for path in (self.folder / name).iterdir()]
        receiving = self._receiving.copy()
        known = {
            Path(os.fsdecode(row["path"])).name
            for row in self._store.rows("SELECT path FROM video WHERE uploaded = 1 AND gone = 0")
        }
        for path in uploads:
            if path.name not in known and path not in receiving:
                path.unlink(missing_ok=True)
        jobs = {row["id"] for row in self._store.rows("SELECT id FROM job")}
        for path in documents:
            if path.name.removesuffix(".json") not in jobs and not path.name.startswith("."):
                path.unlink(missing_ok=True)

    def report(self, job_id: str) -> Path:
        """Return where a job's report lies."""
        return self.folder / "reports" / f"{job_id}.json"

    def verdict(self, job_id: str) -> Path:
        """Return where a job's verdict lies."""
        return verdict_path(self.folder, job_id)

    def _require(self, size: int) -> None:
        if size > self.max_upload_bytes:
            raise Refused(
                413, f"the upload is larger than {self.max_upload_bytes} bytes; name a path instead"
            )


def _settle(file: object) -> None:
    file.flush()  # type: ignore[attr-defined]
    os.fsync(file.fileno())  # type: ignore[attr-defined]
