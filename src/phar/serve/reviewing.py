"""The queue of spans: who holds which, what they said, and taking it back.

A span waits until it has a verdict that is in force, and there is at most one, which the database itself
sees to. It is held by one page of one moderator at a time, until it is answered, given back, or the lease
has run out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from phar.serve.documents import (
    SPAN_COLUMNS,
    VIDEO_COLUMNS,
    Lease,
    NewVerdict,
    Refused,
    Release,
    Span,
    Standing,
    Undo,
    Verdict,
    Video,
    VideoStanding,
)
from phar.serve.store import Store, Transaction

ALARM, SHOT = "alarm", "shot"

#: Who put a span on the queue: a job of the server, or somebody with `phar serve --add`.
JOB, ADDED = "job", "added"

#: Spans end where their video does, give or take a frame.
_EDGE_S = 0.1

_WAITS = (
    "video.gone = 0 AND NOT EXISTS"
    " (SELECT 1 FROM verdict WHERE verdict.span_id = span.id AND verdict.undone_at IS NULL)"
)
_SPANS = f"SELECT {SPAN_COLUMNS} FROM span JOIN video ON video.id = span.video_id"
_VERDICTS = (
    "SELECT verdict.id, verdict.moderator, verdict.answer, verdict.labels, verdict.start_s, verdict.end_s,"
    f" verdict.given_at, verdict.undone_at, {SPAN_COLUMNS}"
    " FROM verdict JOIN span ON span.id = verdict.span_id JOIN video ON video.id = span.video_id"
)
#: Alarms that matter most come first; shots come as they lie in their videos.
_ORDERS = {
    ALARM: "coalesce(span.skipped_at, 0), span.severity DESC, span.peak DESC, span.id",
    SHOT: "coalesce(span.skipped_at, 0), span.video_id, span.start_s, span.id",
}


@dataclass(frozen=True)
class Proposal:
    """A span that is put on the queue."""

    start_s: float
    end_s: float
    label: str = ""
    category: str = ""
    severity: int = 0
    """2 block, 1 review, 0 neither."""
    peak: float | None = None
    why: str = ""


def propose(
    change: Transaction, video_id: int, kind: str, proposals: Sequence[Proposal], origin: str = JOB
) -> int:
    """Put spans of a video on the queue and return how many are new; those that are there already stay.

    What a job says of a span that has no verdict in force replaces what was said of it before; what somebody
    added stays added.
    """
    before = _count(change, video_id)
    for each in proposals:
        change.run(
            "INSERT INTO span (video_id, kind, start_s, end_s, label,"
            "  category, severity, peak, why, added_at, origin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (video_id, kind, start_s, end_s, label) DO UPDATE SET"
            "  category = excluded.category, severity = excluded.severity, peak = excluded.peak,"
            "  why = excluded.why, added_at = excluded.added_at"
            " WHERE excluded.origin = 'job' AND NOT EXISTS"
            "  (SELECT 1 FROM verdict WHERE verdict.span_id = span.id AND verdict.undone_at IS NULL)",
            (
                *(video_id, kind, *_place(each), each.category, each.severity, each.peak, each.why),
                *(change.now, origin),
            ),
        )
        if origin == ADDED:
            change.run(
                "UPDATE span SET origin = ?"
                " WHERE video_id = ? AND kind = ? AND start_s = ? AND end_s = ? AND label = ?",
                (ADDED, video_id, kind, *_place(each)),
            )
    return _count(change, video_id) - before


def propose_anew(change: Transaction, video_id: int, kind: str, proposals: Sequence[Proposal]) -> None:
    """Put what a job found on the queue, in place of what jobs found before.

    A span that is found again is the same one. Of the others those go that nobody holds and nobody has ever
    answered, unless they were added by hand.
    """
    places = {_place(each) for each in proposals}
    for row in change.rows(
        "SELECT id, start_s, end_s, label FROM span WHERE video_id = ? AND kind = ? AND origin = ?"
        " AND (lease_until IS NULL OR lease_until <= ?)"
        " AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.span_id = span.id)",
        (video_id, kind, JOB, change.now),
    ):
        if (row["start_s"], row["end_s"], row["label"]) not in places:
            change.run("DELETE FROM span WHERE id = ?", (row["id"],))
    propose(change, video_id, kind, proposals)


def withdraw(change: Transaction, video_id: int) -> None:
    """Take a video's spans off the queue that nobody has ever answered."""
    change.run(
        "DELETE FROM span WHERE video_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.span_id = span.id)",
        (video_id,),
    )


class Review:
    """What moderators do; `lease_s` is how long a span is held."""

    def __init__(self, store: Store, labels: Collection[str], lease_s: float) -> None:
        self._store = store
        self._labels = labels
        self.lease_s = lease_s

    def lease(self, wish: Lease) -> list[Span]:
        """Hold the next spans for a page, those first that it holds already."""
        with self._store.change() as change:
            found = change.rows(
                f"{_SPANS} WHERE span.kind = ? AND {_WAITS} AND span.video_id = coalesce(?, span.video_id)"
                " AND (span.lease_until IS NULL OR span.lease_until <= ?"
                " OR (span.moderator = ? AND span.client = ?))"
                " ORDER BY (span.lease_until > ? AND span.client = ?) IS NOT 1,"
                f" {_ORDERS[wish.kind]} LIMIT ?",
                (
                    *(wish.kind, wish.video, change.now, wish.moderator, wish.client),
                    *(change.now, wish.client, wish.limit),
                ),
            )
            for row in found:
                self._hold(change, row["span_id"], wish.moderator, wish.client)
            return [self._span(change, row["span_id"]) for row in found]

    def release(self, wish: Release) -> None:
        """Let go of spans that a page holds; others are left alone."""
        with self._store.change() as change:
            for span_id in wish.spans:
                change.run(
                    "UPDATE span SET moderator = NULL, client = NULL, lease_until = NULL,"
                    " skipped_at = CASE WHEN ? THEN ? ELSE skipped_at END"
                    " WHERE id = ? AND moderator = ? AND client = ?",
                    (wish.skip, change.now, span_id, wish.moderator, wish.client),
                )

    def give(self, span_id: int, said: NewVerdict) -> tuple[Verdict, bool]:
        """Take a verdict, and tell whether it is new: the same one sent again changes nothing.

        Raises:
            Refused: the span is not there, somebody else holds it or has answered, the key was used for
                something else, or the answer does not fit.
        """
        with self._store.change() as change:
            known = change.row("SELECT id, span_id, moderator FROM verdict WHERE key = ?", (said.key,))
            if known is not None:
                if (known["span_id"], known["moderator"]) != (span_id, said.moderator):
                    raise Refused(409, f"key {said.key} was used for another verdict; make a new one")
                return self._verdict(change, known["id"]), False
            row = change.row("SELECT * FROM span WHERE id = ?", (span_id,))
            if row is None:
                raise Refused(404, f"span {span_id} is not there; ask for another")
            given = change.row(
                "SELECT moderator FROM verdict WHERE span_id = ? AND undone_at IS NULL", (span_id,)
            )
            if given is not None:
                raise Refused(409, f"span {span_id} has {given['moderator']}'s verdict; ask for another")
            self._require_lease(row, said.moderator, said.client, change.now)
            start_s, end_s = self._checked(row, said)
            added = change.run(
                "INSERT INTO verdict (key, span_id, moderator, answer, labels, start_s, end_s, given_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(said.key, span_id, said.moderator, said.answer),
                    *(json.dumps(said.labels), start_s, end_s, change.now),
                ),
            )
            change.run(
                "UPDATE span SET moderator = NULL, client = NULL, lease_until = NULL WHERE id = ?", (span_id,)
            )
            assert added.lastrowid is not None
            return self._verdict(change, added.lastrowid), True

    def undo(self, verdict_id: int, wish: Undo) -> Verdict:
        """Take a verdict back; its span waits again, held by the page that asked. Raises Refused."""
        with self._store.change() as change:
            row = change.row("SELECT * FROM verdict WHERE id = ?", (verdict_id,))
            if row is None:
                raise Refused(404, f"verdict {verdict_id} is not there")
            if row["moderator"] != wish.moderator:
                raise Refused(403, f"verdict {verdict_id} is {row['moderator']}'s, who alone can undo it")
            if row["undone_at"] is None:
                change.run("UPDATE verdict SET undone_at = ? WHERE id = ?", (change.now, verdict_id))
                self._hold(change, row["span_id"], wish.moderator, wish.client)
            return self._verdict(change, verdict_id)

    def history(self, moderator: str | None, before: int | None, limit: int) -> list[Verdict]:
        """Return verdicts, the latest first; `before` is the id of the last one seen."""
        rows = self._store.rows(
            f"{_VERDICTS} WHERE verdict.moderator = coalesce(?, verdict.moderator)"
            " AND verdict.id < coalesce(?, 9223372036854775807) ORDER BY verdict.id DESC LIMIT ?",
            (moderator, before, limit),
        )
        return [Verdict.of(row) for row in rows]

    def span(self, span_id: int) -> Span:
        """Return one span. Raises Refused."""
        row = self._store.row(f"{_SPANS} WHERE span.id = ?", (span_id,))
        if row is None:
            raise Refused(404, f"span {span_id} is not there")
        return Span.of(row)

    def standing(self) -> Standing:
        """Return how much waits."""
        kinds = {
            row["kind"]: row["number"]
            for row in self._store.rows(
                "SELECT span.kind, count(*) AS number FROM span JOIN video ON video.id = span.video_id"
                f" WHERE {_WAITS} GROUP BY span.kind"
            )
        }
        (leased,) = self._one("SELECT count(*) FROM span WHERE lease_until > ?", self._store.clock())
        (verdicts,) = self._one("SELECT count(*) FROM verdict WHERE undone_at IS NULL")
        return Standing(
            alarms=kinds.get(ALARM, 0), shots=kinds.get(SHOT, 0), leased=leased, verdicts=verdicts
        )

    def videos(self, before: int | None, limit: int) -> list[VideoStanding]:
        """Return videos, the latest first, with what waits of each."""
        waiting = f"SELECT count(*) FROM span WHERE span.video_id = video.id AND {_WAITS} AND span.kind ="
        rows = self._store.rows(
            f"SELECT {VIDEO_COLUMNS}, ({waiting} 'alarm') AS alarms, ({waiting} 'shot') AS shots,"
            " (SELECT count(*) FROM verdict JOIN span ON span.id = verdict.span_id"
            "  WHERE span.video_id = video.id AND verdict.undone_at IS NULL) AS verdicts"
            " FROM video WHERE gone = 0 AND id < coalesce(?, 9223372036854775807) ORDER BY id DESC LIMIT ?",
            (before, limit),
        )
        return [
            VideoStanding(
                video=Video.of(row), alarms=row["alarms"], shots=row["shots"], verdicts=row["verdicts"]
            )
            for row in rows
        ]

    def _hold(self, change: Transaction, span_id: int, moderator: str, client: str) -> None:
        change.run(
            "UPDATE span SET moderator = ?, client = ?, lease_until = ? WHERE id = ?",
            (moderator, client, change.now + self.lease_s, span_id),
        )

    def _require_lease(self, row: sqlite3.Row, moderator: str, client: str, now: float) -> None:
        """A lease that has run out is no hindrance while nobody else has taken the span."""
        held = row["lease_until"] is not None and row["lease_until"] > now
        if held and (row["moderator"], row["client"]) != (moderator, client):
            whose = row["moderator"] if row["moderator"] != moderator else "another page of yours"
            raise Refused(409, f"span {row['id']} is held by {whose}; ask for another")

    def _checked(self, row: sqlite3.Row, said: NewVerdict) -> tuple[float, float]:
        """Return the span that a verdict is about. Raises Refused."""
        if (said.answer == "label") != (row["kind"] == SHOT):
            raise Refused(400, f"the answer {said.answer!r} is not for spans of kind {row['kind']!r}")
        most = {"relabel": 1, "label": len(said.labels)}.get(said.answer, 0)
        if len(said.labels) != most or len(set(said.labels)) != len(said.labels):
            raise Refused(400, f"the answer {said.answer!r} takes {most} labels, each once")
        for label in said.labels:
            if label not in self._labels:
                raise Refused(400, f"label {label!r} is unknown; use one of {', '.join(self._labels)}")
            if said.answer == "relabel" and label == row["label"]:
                raise Refused(400, f"{label!r} is what was proposed; accept it")
        start_s = row["start_s"] if said.start_s is None else said.start_s
        end_s = row["end_s"] if said.end_s is None else said.end_s
        if not row["start_s"] - _EDGE_S <= start_s < end_s <= row["end_s"] + _EDGE_S:
            raise Refused(400, f"{start_s} to {end_s} s is no part of span {row['id']}")
        return start_s, end_s

    def _one(self, query: str, *values: object) -> sqlite3.Row:
        found = self._store.row(query, values)
        assert found is not None
        return found

    def _span(self, change: Transaction, span_id: int) -> Span:
        row = change.row(f"{_SPANS} WHERE span.id = ?", (span_id,))
        assert row is not None
        return Span.of(row)

    def _verdict(self, change: Transaction, verdict_id: int) -> Verdict:
        row = change.row(f"{_VERDICTS} WHERE verdict.id = ?", (verdict_id,))
        assert row is not None
        return Verdict.of(row)


def _count(change: Transaction, video_id: int) -> int:
    row = change.row("SELECT count(*) FROM span WHERE video_id = ?", (video_id,))
    assert row is not None
    return int(row[0])


def _place(proposal: Proposal) -> tuple[float, float, str]:
    return round(proposal.start_s, 6), round(proposal.end_s, 6), proposal.label
