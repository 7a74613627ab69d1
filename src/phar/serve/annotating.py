"""Verdicts on their way out, as the rows of `phar dataset`; and tables of it on their way to the queue."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from phar.dataset.annotation import ACCEPT, COMPLETE, REJECT, UNSURE, Annotation
from phar.export import read_report
from phar.moderation.judging import judge
from phar.moderation.policy import Policy
from phar.schema import MediaError
from phar.serve.documents import shown_path
from phar.serve.reviewing import ADDED, ALARM, Proposal, propose
from phar.serve.store import Store
from phar.serve.tasks import proposals


def verdict_rows(store: Store) -> tuple[list[Annotation], int]:
    """Return the rows that all verdicts in force make, and how many verdicts are about files that are gone.

    A relabelled span is a rejection of what was proposed and an example of what was named. A shot is known
    whole: what its labels do not cover shows none of them.
    """
    found: list[Annotation] = []
    left_out = 0
    for row in store.rows(
        "SELECT verdict.*, span.label AS proposed, video.path, video.gone FROM verdict"
        " JOIN span ON span.id = verdict.span_id JOIN video ON video.id = span.video_id"
        " WHERE verdict.undone_at IS NULL ORDER BY verdict.id"
    ):
        video = Path(os.fsdecode(row["path"]))
        if row["gone"] or not video.is_file():
            left_out += 1
            continue
        found += _rows(row, video)
    return found, left_out


def enqueue(store: Store, rows: Sequence[Annotation]) -> int:
    """Queue what nobody is sure of, as `phar moderate mine` writes it. Returns how many spans are new."""
    added = 0
    with store.change() as change:
        for row in rows:
            if row.verdict == UNSURE:
                video_id = change.video(row.video, shown_path(row.video))
                proposal = Proposal(row.start_s, row.end_s, row.label, row.category, why=row.source)
                added += propose(change, video_id, ALARM, [proposal], ADDED)
    return added


def enqueue_report(store: Store, path: Path, policy_of: Callable[[str], Policy]) -> int:
    """Judge a stored report and put its spans on the queue. Returns how many are new.

    policy_of: gives the policy for reports of a profile, by its name.

    Raises:
        ReportError: the file is no report.
        MediaError: the report's video is not there, so that nobody could look at it.
        ProfileError: the policy does not go with the report.
    """
    report = read_report(path)
    video = Path(report.video.path).absolute()
    if not video.is_file():
        raise MediaError(f"{path}: its video {video} is not there; bring it back, or analyse it again")
    policy = policy_of(str(report.profile["name"]))
    spans = proposals(policy, judge(policy, report), report)
    with store.change() as change:
        video_id = change.video(video.resolve(), shown_path(video))
        change.run(
            "UPDATE video SET duration_s = coalesce(duration_s, ?) WHERE id = ?",
            (report.video.duration_s, video_id),
        )
        return propose(change, video_id, ALARM, spans, ADDED)


def _rows(row: sqlite3.Row, video: Path) -> Iterator[Annotation]:
    start_s, end_s, source = row["start_s"], row["end_s"], f"phar serve: verdict {row['id']}"
    answer, labels = row["answer"], json.loads(row["labels"])

    def of(label: str, verdict: str) -> Annotation:
        return Annotation(video, start_s, end_s, label, source=source, verdict=verdict)

    if answer == "label":
        yield of("", COMPLETE)
    elif answer == "unsure":
        yield of(row["proposed"], UNSURE)
    else:
        yield of(row["proposed"], ACCEPT if answer == "accept" else REJECT)
    for label in labels:
        yield of(label, ACCEPT)
