"""A report and a policy make a verdict with reasons, and a document that an audit can rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from phar.export.target import check_target
from phar.moderation.judging import clock, judge
from phar.moderation.policy import Policy, parse_policy
from phar.moderation.verdict import SCHEMA_PATH, Input, summary_row, to_document, to_summary, write_document
from phar.schema import ProfileError, Report


def policy(**changes: Any) -> Policy:
    document = {
        "policy": "house",
        "version": 1,
        "categories": {
            "noise": {"labels": ["ring"], "actions": {"review": 0.5, "block": 0.6}},
            "motion": {"labels": ["march", "wave"], "stream": "skeleton", "actions": {"review": 0.7}},
        },
        **changes,
    }
    return parse_policy(yaml.safe_dump(document).encode(), Path("house.yaml"))


def test_a_verdict_says_why(report: Report) -> None:
    verdict = judge(policy(), report)
    assert verdict.action == "block"
    # Fused ring: 0.3, then (0.5 * 0.5 + 1.0) / 1.5, then 0.25.
    ring = [each.probabilities["noise"] for each in verdict.windows]
    assert ring == pytest.approx([0.3 * 0.5 / 1.1, 1.25 / 1.5, 0.25])
    assert [each.probabilities["motion"] for each in verdict.windows] == pytest.approx([0.75, None, None])
    assert [each.action for each in verdict.windows] == ["review", "block", "safe"]
    assert [(span.category, span.action, span.start_s, span.end_s) for span in verdict.spans] == [
        ("motion", "review", 0, 7),
        ("noise", "block", 7, 14),
    ]
    assert verdict.reasons == (
        "block: noise (ring, the fused scores) reaches 0.833 where 0.6 is enough, 0:00:07.0 to 0:00:14.0",
        "review: motion (march/wave, the skeleton stream) reaches 0.750 where 0.7 is enough,"
        " 0:00:00.0 to 0:00:07.0",
    )


@pytest.mark.parametrize("unjudged, action", [("review", "review"), ("block", "block"), ("safe", "safe")])
def test_what_nobody_looked_at_is_not_safe_by_itself(
    make_report: Callable[..., Report], unjudged: str, action: str
) -> None:
    quiet = [0.1, 0.1, 0.1, 0.7]
    rows = [
        {"rgb": quiet, "skeleton": "no person", "audio": "too quiet"},
        {"rgb": "no frame", "skeleton": "no person", "audio": "too quiet"},
    ]
    verdict = judge(policy(unjudged=unjudged), make_report(rows, 14))
    assert verdict.action == action
    assert [each.action for each in verdict.windows] == ["safe", unjudged]
    if unjudged != "safe":
        assert verdict.reasons == (
            f"{unjudged}: 1 of 2 windows (7.0 s), the first at 0:00:07.0,"
            " could not be judged (rgb: no frame)",
        )


def test_damage_counts_if_the_policy_says_so(make_report: Callable[..., Report]) -> None:
    rows = [{"rgb": [0.1, 0.1, 0.1, 0.7], "skeleton": "no person", "audio": "too quiet"}]
    warnings = (
        "video: a damaged packet was skipped (3 times)",
        "video: the clock jumped and was straightened",
    )
    report = make_report(rows, 7, warnings=warnings)
    assert judge(policy(), report).action == "safe"
    verdict = judge(policy(damaged="review"), report)
    assert (verdict.action, len(verdict.reasons)) == ("review", 1)
    assert "damaged packet" in verdict.reasons[0]


def test_a_report_of_other_labels_is_refused(report: Report) -> None:
    other = policy(categories={"x": {"labels": ["fly"], "actions": {"review": 0.5}}})
    with pytest.raises(ProfileError, match=r"'fly', which the report of clip\.mp4 does not know"):
        judge(other, report)


def test_the_document_is_whole_and_may_be_replaced(report: Report, tmp_path: Path) -> None:
    house = policy()
    verdict = judge(house, report)
    document = to_document(verdict, report, house, Input("clip.mp4", "ab" * 32, 12))
    path = tmp_path / "out.json"
    write_document(document, path)
    written = json.loads(path.read_text())
    schema = json.loads(SCHEMA_PATH.read_text())
    jsonschema.validate(written, schema)
    check_target(path)
    audit = written["audit"]
    assert audit["input"] == {"source": "clip.mp4", "of": "video", "sha256": "ab" * 32, "size_bytes": 12}
    assert audit["policy"]["sha256"] == house.sha256
    assert audit["policy"]["document"] == house.document
    assert audit["profile"]["models"] == {"rgb": {"config": "a.py", "checkpoint": None, "sha256": None}}
    assert written["categories"]["noise"] == {
        "peak": pytest.approx(1.25 / 1.5),
        "spans": 1,
        "seconds": 7.0,
        "judged_windows": 3,
    }
    assert written["windows"][1]["silent"] == {"skeleton": "no person"}
    broken = {**written, "verdict": "maybe"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_probabilities_keep_their_side_of_a_threshold(report: Report) -> None:
    just_below = 0.7499999
    strict = policy(
        categories={"motion": {"labels": ["march"], "stream": "skeleton", "actions": {"review": just_below}}}
    )
    document = to_document(judge(strict, report), report, strict, Input("clip.mp4", None, None, "report"))
    assert document["windows"][0]["categories"]["motion"] >= just_below


def test_a_summary_begins_with_what_matters_most(report: Report) -> None:
    house = policy()
    document = to_document(judge(house, report), report, house, Input("b.mp4", "cd" * 32, 5))
    blocked = summary_row(document, "out/verdicts/b.json")
    assert blocked["peak"] == pytest.approx(1.25 / 1.5)
    rows = [
        {**blocked, "path": "c.mp4", "verdict": "safe", "peak": 0.1},
        {**blocked, "path": "d.mp4", "verdict": "review", "peak": 0.5},
        {**blocked, "path": "e.mp4", "verdict": "review", "peak": 0.6},
        blocked,
        {"path": "a.mp4", "error": "is empty"},
    ]
    summary = to_summary(house, rows)
    jsonschema.validate(summary, json.loads(SCHEMA_PATH.read_text()))
    # A video that could not be judged comes first: nobody knows what is in it.
    assert [row["path"] for row in summary["videos"]] == ["a.mp4", "b.mp4", "e.mp4", "d.mp4", "c.mp4"]
    assert summary["counts"] == {"safe": 1, "review": 2, "block": 1, "failed": 1}


@pytest.mark.parametrize("seconds, text", [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3725.5, "1:02:05.5")])
def test_times_are_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
