"""Another tool's rows on the same windows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scored import table_of, true_video

from phar.evaluate.predictions import Said, answers_of, read_predictions
from phar.schema import Segment, UsageError, Window

TRUTHS = (true_video("a", ("jog", 0, 20)), true_video("b", ("sing", 0, 20)))
COVERS = [[Window(0, 0, 10), Window(1, 10, 20)]] * 2


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    table, listing = tmp_path / "p.csv", tmp_path / "p.json"
    table.write_text(
        "score,video,start_s,end_s,label\n0.5,a.mp4,0,4.5,jog\n,videos/b,3,5,sing\n,other,0,1,jog\n"
    )
    rows = [
        {"video": "a.mp4", "start_s": 0, "end_s": 4.5, "label": "jog", "score": 0.5},
        {"video": "videos/b", "start_s": 3, "end_s": 5, "label": "sing"},
        {"video": "other", "start_s": 0, "end_s": 1, "label": "jog"},
    ]
    listing.write_text(json.dumps(rows))
    expected = {"a": [Said(0, 4.5, "jog", 0.5)], "b": [Said(3, 5, "sing", 1.0)]}
    assert read_predictions(table, TRUTHS) == (expected, ["other"])
    assert read_predictions(listing, TRUTHS) == (expected, ["other"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("video,start_s,label\n", "has no end_s"),
        ("video,start_s,end_s,label\na,x,2,jog\n", "line 2: start_s, end_s and score are numbers"),
        ("video,start_s,end_s,label\na,3,2,jog\n", "line 2: 'jog' from 3 to 2 s scores 1"),
        ("video,start_s,end_s,label,score\na,0,2,jog,1.5\n", "a score of 0 to 1"),
        ("video,start_s,end_s,label\nz,0,2,jog\n", "says nothing of any of the 2 videos"),
        ("video,start_s,end_s,label\n,0,2,jog\n", "line 2: names no video"),
    ],
)
def test_faults_are_said(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_predictions(path, TRUTHS)


def test_a_name_that_fits_two_videos_is_not_guessed(tmp_path: Path) -> None:
    truths = [true_video("x/v"), true_video("y/v")]
    path = tmp_path / "p.csv"
    path.write_text("video,start_s,end_s,label\nv.mp4,0,2,jog\n")
    with pytest.raises(UsageError, match=r"'v.mp4' may be x/v or y/v; name more of the path"):
        read_predictions(path, truths)
    path.write_text("video,start_s,end_s,label\ny/v.mp4,0,2,jog\n")
    assert list(read_predictions(path, truths)[0]) == ["y/v"]


def test_a_service_that_names_spans_means_none_elsewhere() -> None:
    table = table_of(TRUTHS, (20.0, 20.0))
    found = {"a": [Said(0, 8, "jog", 0.9), Said(8, 12, "sing", 0.4), Said(15, 30, "jog", 0.7)]}
    answers = answers_of("tool", found, table, COVERS, 0.5)
    # 0-10: jog 0.9 * 8 / 10, sing 0.4 * 2 / 10, none (0.1 * 8 + 0.6 * 2) / 10.
    assert answers.scores[0] == pytest.approx([0.72, 0.08, 0.2])
    # 10-20: sing 0.4 for 2 s, nothing for 3 s, jog 0.7 for 5 s.
    assert answers.scores[1] == pytest.approx([0.35, 0.08, (0.6 * 2 + 3 + 0.3 * 5) / 10])
    # Of the second video nothing is said: none.
    assert answers.said.tolist() == [0, 2, 2, 2]
    assert answers.segments[0] == (
        Segment("jog", 0, 8, 0.9),
        Segment("none", 8, 15, pytest.approx((0.6 * 4 + 1.0 * 3) / 7)),
        Segment("jog", 15, 20, 0.7),
    )


def test_a_picture_classifier_has_every_label_of_every_picture() -> None:
    table = table_of(TRUTHS[:1], (20.0,))
    rows = []
    for second in range(20):
        jog = 0.8 if second < 10 else 0.2
        rows += [Said(second, second + 1, "jog", jog), Said(second, second + 1, "none", 1 - jog)]
    answers = answers_of("pictures", {"a": rows}, table, COVERS[:1], 0.5)
    assert answers.scores == pytest.approx(np.array([[0.8, 0, 0.2], [0.2, 0, 0.8]]))
    assert [(s.label, s.start_s, s.end_s) for s in answers.segments[0]] == [("jog", 0, 10), ("none", 10, 20)]


def test_rows_of_one_label_that_overlap_count_by_their_mean() -> None:
    table = table_of(TRUTHS[:1], (20.0,))
    rows = [Said(0, 10, "jog", 1.0), Said(5, 10, "jog", 0.4)]
    answers = answers_of("tool", {"a": rows}, table, COVERS[:1], 0.5)
    assert answers.scores[0, 0] == pytest.approx((5 * 1.0 + 5 * 0.7) / 10)
