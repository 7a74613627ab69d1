"""Who holds what, what was said, and that nothing is said twice: against the real SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phar.cli.main import main
from phar.dataset.importing import ImportOptions, import_annotations
from phar.schema import OutputError, UsageError
from phar.serve.annotating import verdict_rows
from phar.serve.documents import Lease, NewVerdict, Refused, Release, Undo
from phar.serve.keeping import Keeping
from phar.serve.reviewing import ADDED, ALARM, SHOT, Proposal, Review, propose, propose_anew
from phar.serve.store import FILE_NAME, Store

LABELS = ("march", "wave", "ring")
ANNA, BEN = "a" * 16, "b" * 16
DAY_S = 86400.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store(tmp_path / "kept", clock)
    yield opened
    opened.close()


@pytest.fixture
def review(store: Store) -> Review:
    return Review(store, LABELS, lease_s=60.0)


def add(store: Store, path: Path, kind: str, *proposals: Proposal) -> int:
    with store.change() as change:
        video_id = change.video(path, path.name)
        propose(change, video_id, kind, proposals)
    return video_id


def held(review: Review, moderator: str, client: str, limit: int = 1, **more: Any) -> list[str]:
    wish = Lease(moderator=moderator, client=client, limit=limit, **more)
    return [span.label or f"{span.start_s:g}" for span in review.lease(wish)]


def said(answer: str, key: str = "k", moderator: str = "anna", client: str = ANNA, **more: Any) -> NewVerdict:
    return NewVerdict(key=key * 16, moderator=moderator, client=client, answer=answer, **more)


@pytest.fixture
def three(store: Store, tmp_path: Path) -> dict[str, int]:
    """Three alarms, by label."""
    add(
        store,
        tmp_path / "a.mp4",
        ALARM,
        Proposal(0, 7, "wave", "walking", 1, 0.6),
        Proposal(7, 14, "ring", "noise", 1, 0.8),
        Proposal(14, 21, "march", "walking", 2, 0.9),
    )
    return {row["label"]: row["id"] for row in store.rows("SELECT id, label FROM span")}


def test_the_worst_comes_first_and_each_is_held_by_one(review: Review, three: dict[str, int]) -> None:
    assert held(review, "anna", ANNA) == ["march"]
    assert held(review, "ben", BEN, 5) == ["ring", "wave"]
    # The same page gets what it holds; another page of the same person does not.
    assert held(review, "anna", ANNA, 5) == ["march"]
    assert held(review, "anna", "c" * 16, 5) == []
    with pytest.raises(Refused, match="is held by anna; ask for another") as refused:
        review.give(three["march"], said("accept", moderator="ben", client=BEN))
    assert refused.value.status == 409
    standing = review.standing()
    assert (standing.alarms, standing.leased, standing.verdicts) == (3, 3, 0)


def test_a_lease_runs_out(review: Review, three: dict[str, int], clock: Clock) -> None:
    assert held(review, "anna", ANNA, 2) == ["march", "ring"]
    clock.now += 59
    assert held(review, "ben", BEN, 3) == ["wave"]
    clock.now += 2
    # Nobody took it meanwhile, so that anna's verdict counts.
    review.give(three["march"], said("accept"))
    assert held(review, "ben", BEN, 3) == ["wave", "ring"]
    with pytest.raises(Refused, match="is held by ben"):
        review.give(three["ring"], said("accept", "l"))


def test_a_verdict_that_is_sent_again_is_one(review: Review, three: dict[str, int], store: Store) -> None:
    held(review, "anna", ANNA)
    first, new = review.give(three["march"], said("relabel", labels=["wave"]))
    again, newer = review.give(three["march"], said("relabel", labels=["wave"]))
    assert (new, newer, again.id) == (True, False, first.id)
    with pytest.raises(Refused, match="was used for another verdict"):
        review.give(three["ring"], said("accept"))
    with pytest.raises(Refused, match="has anna's verdict"):
        review.give(three["march"], said("accept", "l", "ben", BEN))
    assert review.standing().verdicts == 1
    with pytest.raises(sqlite3.IntegrityError), store.change() as change:
        change.run(
            "INSERT INTO verdict (key, span_id, moderator, answer, labels, start_s, end_s, given_at)"
            " VALUES ('other', ?, 'ben', 'accept', '[]', 0, 1, 0)",
            (three["march"],),
        )


def test_undoing_gives_the_span_back_and_keeps_the_history(review: Review, three: dict[str, int]) -> None:
    held(review, "anna", ANNA)
    verdict, _ = review.give(three["march"], said("reject"))
    with pytest.raises(Refused, match="who alone can undo it"):
        review.undo(verdict.id, Undo(moderator="ben", client=BEN))
    undone = review.undo(verdict.id, Undo(moderator="anna", client=ANNA))
    assert undone.undone is not None
    assert review.undo(verdict.id, Undo(moderator="anna", client=ANNA)) == undone
    assert held(review, "ben", BEN, 5) == ["ring", "wave"]
    # A late copy of the first request does not bring it back.
    late, new = review.give(three["march"], said("reject"))
    assert (new, late.undone is not None) == (False, True)
    review.give(three["march"], said("accept", "l"))
    review.give(three["ring"], said("unsure", "m", "ben", BEN))
    assert [(v.answer, v.undone is None) for v in review.history("anna", None, 9)] == [
        ("accept", True),
        ("reject", False),
    ]
    everybody = review.history(None, None, 9)
    assert [v.moderator for v in everybody] == ["ben", "anna", "anna"]
    assert [v.id for v in review.history(None, everybody[0].id, 1)] == [everybody[1].id]


def test_skipped_spans_come_last(review: Review, three: dict[str, int]) -> None:
    held(review, "anna", ANNA, 3)
    wish = {"moderator": "anna", "client": ANNA}
    review.release(Release(spans=[three["march"]], skip=True, **wish))
    review.release(Release(spans=[three["ring"]], **wish))
    # Not hers to give back.
    review.release(Release(spans=[three["wave"]], moderator="ben", client=BEN))
    assert held(review, "ben", BEN, 3) == ["ring", "march"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"answer": "label", "labels": ["wave"]}, "'label' is not for spans of kind 'alarm'"),
        ({"answer": "relabel"}, "'relabel' takes 1 labels"),
        ({"answer": "relabel", "labels": ["wave", "ring"]}, "'relabel' takes 1 labels"),
        ({"answer": "accept", "labels": ["wave"]}, "'accept' takes 0 labels"),
        ({"answer": "relabel", "labels": ["<b>"]}, "label '<b>' is unknown; use one of march, wave, ring"),
        ({"answer": "relabel", "labels": ["march"]}, "'march' is what was proposed"),
        ({"answer": "accept", "start_s": 13}, "13.0 to 21.0 s is no part"),
        ({"answer": "accept", "start_s": 20, "end_s": 19}, "20.0 to 19.0 s is no part"),
        ({"answer": "accept", "end_s": 22}, "14.0 to 22.0 s is no part"),
    ],
)
def test_answers_that_do_not_fit(
    review: Review, three: dict[str, int], change: dict[str, Any], what: str
) -> None:
    with pytest.raises(Refused, match=what) as refused:
        review.give(three["march"], said(**change))
    assert refused.value.status == 400
    assert review.standing().alarms == 3


def test_a_new_analysis_replaces_what_nobody_answered(
    review: Review, three: dict[str, int], store: Store, tmp_path: Path
) -> None:
    review.give(three["march"], said("accept"))
    with store.change() as change:
        video_id = change.video(tmp_path / "a.mp4", "a.mp4")
        new = [Proposal(14, 21, "march", "walking", 2, 0.5), Proposal(21, 28, "wave")]
        propose_anew(change, video_id, ALARM, new)
    assert held(review, "ben", BEN, 9) == ["wave"]
    # What was answered stays as it was answered.
    assert review.span(three["march"]).peak == 0.9


def test_a_new_analysis_leaves_what_is_held_or_added(
    review: Review, three: dict[str, int], store: Store, tmp_path: Path, clock: Clock
) -> None:
    assert held(review, "anna", ANNA, 2) == ["march", "ring"]
    mined = Proposal(28, 35, "wave", why="mined")
    both = Proposal(0, 7, "wave", why="mined")
    with store.change() as change:
        video_id = change.video(tmp_path / "a.mp4", "a.mp4")
        assert propose(change, video_id, ALARM, [mined, both], ADDED) == 1
    clock.now += 10
    with store.change() as change:
        propose_anew(change, video_id, ALARM, [Proposal(14, 21, "march", "running", 1, 0.7, "anew")])
    # Found again: the span that anna holds, as it is now; not found again, but hers for now.
    found = review.lease(Lease(moderator="anna", client=ANNA, limit=2))
    assert [span.id for span in found] == [three["ring"], three["march"]]
    assert (found[1].category, found[1].action, found[1].peak, found[1].why) == (
        *("running", "review", 0.7),
        "anew",
    )
    review.give(three["march"], said("accept"))
    review.give(three["ring"], said("reject", "l"))
    waiting = review.lease(Lease(moderator="ben", client=BEN, limit=9))
    assert [(span.id, span.why) for span in waiting if span.start_s == 0] == [(three["wave"], "")]
    assert [span.why for span in waiting if span.start_s == 28] == ["mined"]
    assert len(waiting) == 2
    # It counts from when it was found last.
    rows = store.rows("SELECT added_at FROM span WHERE start_s IN (14, 28) ORDER BY start_s")
    assert [row["added_at"] for row in rows] == [1_000_010.0, 1_000_000.0]


def test_verdicts_come_back_as_annotations(
    review: Review, store: Store, make_clip: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_clip(28)
    gone = tmp_path / "gone.mp4"
    spans = [Proposal(at, at + 7, "march", "walking", 2, 0.9) for at in (0, 7, 14, 21)]
    add(store, video, ALARM, *spans)
    add(store, gone, ALARM, Proposal(0, 7, "wave"))
    add(store, video, SHOT, Proposal(0, 10), Proposal(10, 20), Proposal(20, 28))
    ids = [row["id"] for row in store.rows("SELECT id FROM span ORDER BY id")]
    answers: list[dict[str, Any]] = [
        {"answer": "accept", "start_s": 1.5, "end_s": 6.25},
        {"answer": "reject"},
        {"answer": "relabel", "labels": ["ring"]},
        {"answer": "unsure"},
        {"answer": "accept"},
        {"answer": "label", "labels": ["wave", "ring"]},
        {"answer": "label"},
    ]
    for span_id, key, answer in zip(ids, "cdefghi", answers, strict=False):
        review.give(span_id, said(key=key, **answer))
    taken_back, _ = review.give(ids[7], said("label", "j", labels=["march"]))
    review.undo(taken_back.id, Undo(moderator="anna", client=ANNA))

    table = tmp_path / "verdicts.csv"
    assert main(["serve", str(store.folder), "--export", str(table)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{table}: 9 rows, 1 videos\n"
    assert told.err == "phar serve: 1 verdicts left out, the files of their videos are gone\n"
    assert len(verdict_rows(store)[0]) == 9

    rows, problems = import_annotations([table], ImportOptions(labels=LABELS))
    assert {problem.outcome for problem in problems} <= {"kept"}
    assert {row.video for row in rows} == {video}
    assert sorted((row.start_s, row.end_s, row.label, row.verdict) for row in rows) == [
        (0.0, 10.0, "", "complete"),
        (0.0, 10.0, "ring", "accept"),
        (0.0, 10.0, "wave", "accept"),
        (1.5, 6.25, "march", "accept"),
        (7.0, 14.0, "march", "reject"),
        (10.0, 20.0, "", "complete"),
        (14.0, 21.0, "march", "reject"),
        (14.0, 21.0, "ring", "accept"),
        (21.0, 28.0, "march", "unsure"),
    ]


def test_what_is_too_old_goes_and_verdicts_stay(store: Store, clock: Clock, review: Review) -> None:
    keeping = Keeping(store, 1 << 20, retention_days=30)
    keeping.prepare()
    folder = store.folder
    old, new = folder / "uploads" / "old.mp4", folder / "uploads" / "new.mp4"
    for path in (old, new, folder / "uploads" / "unknown.mp4", folder / "passing" / "left.mp4"):
        path.write_bytes(b"video")
    for name in ("reports", "verdicts"):
        (folder / name / "0123456789abcdef.json").write_text("{}")

    def upload(path: Path, job: str) -> None:
        with store.change() as change:
            video_id = change.video(path, path.name, uploaded=True)
            change.run(
                "INSERT INTO job (id, kind, video_id, state, created_at, ended_at)"
                " VALUES (?, 'analyse', ?, 'done', ?, ?)",
                (job, video_id, change.now, change.now),
            )
            propose(change, video_id, ALARM, [Proposal(0, 7, "march"), Proposal(7, 14, "march")])

    upload(old, "0123456789abcdef")
    answered = store.rows("SELECT id FROM span")[0]["id"]
    review.give(answered, said("accept"))
    clock.now += 29 * DAY_S
    upload(new, "f" * 16)
    keeping.prepare()
    assert sorted(path.name for path in (folder / "uploads").iterdir()) == ["new.mp4", "old.mp4"]
    assert [*(folder / "passing").iterdir()] == []

    clock.now += 2 * DAY_S
    keeping.purge()
    assert [path.name for path in (folder / "uploads").iterdir()] == ["new.mp4"]
    assert [*(folder / "reports").iterdir(), *(folder / "verdicts").iterdir()] == []
    assert [row["id"] for row in store.rows("SELECT id FROM job")] == ["f" * 16]
    assert review.standing().alarms == 2
    (kept,) = review.history("anna", None, 9)
    assert (kept.span.id, kept.span.video.name) == (answered, "old.mp4")
    assert verdict_rows(store) == ([], 1)


def test_the_file_is_phars_own(tmp_path: Path, store: Store) -> None:
    other = tmp_path / "other"
    other.mkdir()
    foreign = sqlite3.connect(other / FILE_NAME)
    foreign.execute("CREATE TABLE mine (x)")
    foreign.close()
    with pytest.raises(UsageError, match="is a database of another program"):
        Store(other)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputError, match="cannot be used"):
        Store(file)
    (mode,) = store.row("PRAGMA journal_mode") or ("",)
    assert mode == "wal"


def test_names_of_files_need_not_be_text(store: Store, review: Review, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff<script>.mp4"))
    with store.change() as change:
        from phar.serve.documents import shown_path

        propose(change, change.video(path, shown_path(path)), ALARM, [Proposal(0, 7, "march")])
    (span,) = review.lease(Lease(moderator="anna", client=ANNA))
    assert span.video.name == "\\xff<script>.mp4"
    assert span.model_dump_json()
    (row,) = store.rows("SELECT path FROM video")
    assert os.fsdecode(row["path"]) == str(path)


def test_mined_windows_and_stored_reports_are_added(
    tmp_path: Path, make_report: Any, make_clip: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from fractions import Fraction

    from phar.export import WRITERS
    from phar.schema import Video

    video = make_clip(28)
    kept = tmp_path / "served"
    table = tmp_path / "candidates.csv"
    table.write_text(
        "video,start_s,end_s,label,category,source,verdict\n"
        f"{video},0,7,march,,mined: walking 0.4812 near,unsure\n{video},7,14,wave,,,accept\n"
    )
    (tmp_path / "reports").mkdir()
    rows = [{"rgb": [0.9, 0, 0.1, 0]}, {"rgb": [0, 0.7, 0.2, 0.1]}, {"rgb": [0, 0, 0, 1]}]
    report = make_report(rows, 21.0, video=Video(str(video), 21.0, Fraction(8), 64, 48, True))
    WRITERS["json"].write(report, tmp_path / "reports" / "one.json")
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "{policy: p, version: 1, categories: {walking: {labels: [march, wave], actions: {review: 0.5}}}}"
    )
    command = ["serve", str(kept), "--policy", str(policy), "--add", str(tmp_path / "reports"), str(table)]
    for added in (2, 0):
        assert main(command) == 0
        assert capsys.readouterr().out == f"{kept}: {added} spans added, of 1 reports and 1 tables\n"
    store = Store(kept)
    try:
        spans = Review(store, LABELS, 60).lease(Lease(moderator="anna", client=ANNA, limit=9))
    finally:
        store.close()
    assert [(s.start_s, s.end_s, s.label, s.action) for s in spans] == [
        (0, 14, "march", "review"),
        (0, 7, "march", ""),
    ]
    assert spans[1].why == "mined: walking 0.4812 near"
