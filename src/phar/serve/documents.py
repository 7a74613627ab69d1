"""What the API takes and gives, as types; the OpenAPI document is made of these."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from phar.schema import PharError

#: Rows that one answer lists at most.
MOST_ROWS = 200

#: SQLite's largest row id.
_LARGEST = 2**63 - 1

Kind = Literal["analyse", "shots"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
SpanKind = Literal["alarm", "shot"]
Answer = Literal["accept", "reject", "relabel", "unsure", "label"]

RowId = Annotated[int, Field(ge=1, le=_LARGEST)]
#: Letters of any script, digits and `. _ - ' @`, with single spaces between.
Moderator = Annotated[str, Field(max_length=64, pattern=r"^[\w.@'-]+( [\w.@'-]+)*$", examples=["anna"])]
#: Random, of letters, digits, `_` and `-`.
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$", examples=["4f9a1c77e0d24b0f"])]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class Refused(PharError):
    """What was asked cannot be done; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Document(BaseModel):
    """Keys that are not known are refused, so that a misspelled one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Document):
    """Why something was refused."""

    detail: str = Field(description="one line: what, what was got, how to mend it")


class NewJob(Document):
    """A video on the server's disks, and what to do with it."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    kind: Kind = "analyse"
    key: Key | None = Field(None, description="the same key again gives the same job")


class Progress(Document):
    """How far a job is."""

    stage: str
    done_s: float
    total_s: float = Field(description="0 where nobody knows")


class Video(Document):
    """A video that the server knows."""

    id: int
    name: str
    uploaded: bool
    duration_s: float | None
    sha256: str | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Video:
        """Make one of a row of `VIDEO_COLUMNS`."""
        return cls(
            id=row["video_id"],
            name=row["name"],
            uploaded=bool(row["uploaded"]),
            duration_s=row["duration_s"],
            sha256=row["sha256"],
        )


VIDEO_COLUMNS = "video.id AS video_id, video.name, video.uploaded, video.duration_s, video.sha256"


class Job(Document):
    """Something that is done with a video."""

    id: str
    kind: Kind
    state: State
    video: Video
    progress: Progress | None
    error: str | None = Field(description="why it failed, in one line")
    verdict: Literal["safe", "review", "block"] | None
    reasons: list[str]
    created: datetime
    ended: datetime | None

    @classmethod
    def of(cls, row: sqlite3.Row, progress: Progress | None) -> Job:
        """Make one of a row of a job with its video."""
        return cls(
            id=row["id"],
            kind=row["kind"],
            state=row["state"],
            video=Video.of(row),
            progress=progress if row["state"] == "running" else None,
            error=row["error"],
            verdict=row["action"],
            reasons=json.loads(row["reasons"] or "[]"),
            created=_moment(row["created_at"]),
            ended=_moment_if_any(row["ended_at"]),
        )


class Span(Document):
    """Part of a video that a person looks at."""

    id: int
    kind: SpanKind
    video: Video
    start_s: float
    end_s: float
    label: str = Field(description="what is proposed; empty for shots")
    category: str
    action: Literal["block", "review", ""]
    peak: float | None
    why: str
    lease_until: datetime | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Span:
        """Make one of a row of `SPAN_COLUMNS`."""
        until = row["lease_until"]
        return cls(
            id=row["span_id"],
            kind=row["kind"],
            video=Video.of(row),
            start_s=row["span_start_s"],
            end_s=row["span_end_s"],
            label=row["label"],
            category=row["category"],
            action=("", "review", "block")[row["severity"]],
            peak=row["peak"],
            why=row["why"],
            lease_until=_moment_if_any(until),
        )


SPAN_COLUMNS = (
    "span.id AS span_id, span.kind, span.start_s AS span_start_s, span.end_s AS span_end_s, span.label,"
    f" span.category, span.severity, span.peak, span.why, span.lease_until, {VIDEO_COLUMNS}"
)


class Lease(Document):
    """Who wants spans to look at."""

    moderator: Moderator
    client: Key = Field(description="one for each open page, made at random")
    kind: SpanKind = "alarm"
    video: RowId | None = Field(None, description="only spans of this video")
    limit: Annotated[int, Field(ge=1, le=10)] = 1


class Release(Document):
    """Spans that go back on the queue."""

    moderator: Moderator
    client: Key
    spans: Annotated[list[RowId], Field(max_length=100)]
    skip: bool = Field(False, description="put them at the end of the queue")


class NewVerdict(Document):
    """What a moderator says of a span."""

    key: Key = Field(description="made once for each verdict; sent again, it changes nothing")
    moderator: Moderator
    client: Key
    answer: Answer = Field(description="`label` is for shots, the others for alarms")
    labels: Annotated[list[Label], Field(max_length=32)] = Field(
        default=[], description="of `relabel` one, of `label` all that are seen, perhaps none"
    )
    start_s: Seconds | None = Field(None, description="where it begins, if not where the span does")
    end_s: Seconds | None = Field(None, description="where it ends, if not where the span does")


class Undo(Document):
    """Who takes a verdict back."""

    moderator: Moderator
    client: Key


class Verdict(Document):
    """What a moderator said of a span."""

    id: int
    span: Span
    moderator: str
    answer: Answer
    labels: list[str]
    start_s: float
    end_s: float
    given: datetime
    undone: datetime | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Verdict:
        """Make one of a row of a verdict with its span."""
        return cls(
            id=row["id"],
            span=Span.of(row),
            moderator=row["moderator"],
            answer=row["answer"],
            labels=json.loads(row["labels"]),
            start_s=row["start_s"],
            end_s=row["end_s"],
            given=_moment(row["given_at"]),
            undone=_moment_if_any(row["undone_at"]),
        )


class Standing(Document):
    """How much waits for people."""

    alarms: int
    shots: int
    leased: int
    verdicts: int


class VideoStanding(Document):
    """A video, and what waits of it."""

    video: Video
    alarms: int
    shots: int
    verdicts: int


class About(Document):
    """What this server is."""

    phar_version: str
    profile: str
    policy: str
    labels: list[str]
    moderator: str | None = Field(description="whose token was sent, if tokens have names")
    roots: list[str] = Field(description="folders below which videos may be named")
    max_upload_bytes: int
    lease_s: float
    retention_days: float | None


def shown_path(path: Path) -> str:
    """Return a file's name as text that any database and page can hold."""
    from phar.foreign import shown

    return shown(path.name)[:200]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _moment_if_any(seconds: float | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)
