"""phar tags over several reports: which are read, by which rule, and in which form they are printed."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from phar.cli import main as phar
from phar.cli import tags
from phar.export import WRITERS
from phar.schema import Report, Segment


@pytest.fixture
def library(make_report: Callable[..., Report], tmp_path: Path) -> Path:
    """Two reports, one in a folder, a legacy list, timestamps, and files that are something else."""
    folder = tmp_path / "library"
    (folder / "more").mkdir(parents=True)
    rows = [{"rgb": [0.80, 0.2, 0, 0]}, {"rgb": [0.6, 0.3, 0.1, 0]}, {"rgb": [0, 0, 0.1, 0.9]}]
    first = make_report(rows, 21)
    second = make_report([{"rgb": [0.4, 0.5, 0.1, 0]}, {"rgb": [0.1, 0.2, 0.7, 0]}], 10)
    video = dataclasses.replace(second.video, path="=second.mp4")
    WRITERS["json"].write(first, folder / "first.json")
    WRITERS["timestamps"].write(first, folder / "first_ts.json")
    WRITERS["json"].write(dataclasses.replace(second, video=video), folder / "more" / "second.json")
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert tags.main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_a_table_has_a_row_per_video(library: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    said = printed(capsys, library)
    # first: march 2, wave 2 (of none's window only ring is left, 1); second: wave 2, march 1, ring 1.
    assert "clip.mp4 " in said and "march 2, wave 2, ring 1" in said
    assert "=second.mp4 " in said and "wave 2, ring 1, march 1" in said
    assert "2 videos" in said and "march 2, wave 2, ring 2" in said


def test_reports_folders_and_patterns_are_read_once(library: Path, capsys) -> None:
    first, second = library / "first.json", library / "more" / "second.json"
    again = library / "more" / ".." / "first.json"
    for names in ([first, second], [library], [library / "**" / "*.json"], [first, library, again]):
        found = json.loads(printed(capsys, *names, "--json"))
        assert [row["report"] for row in found] == [str(first), str(second)]
        assert capsys.readouterr().err == ""
    assert found[1] == {
        "report": str(second),
        "video": "=second.mp4",
        "tags": [
            {"label": "wave", "clips": 2},
            {"label": "ring", "clips": 1},
            {"label": "march", "clips": 1},
        ],
    }


def test_one_report_is_printed_as_ever(library: Path, capsys) -> None:
    first = library / "first.json"
    assert printed(capsys, first) == "march\t2\nwave\t2\nring\t1\n"
    assert json.loads(printed(capsys, first, "--json", "--topk", "1")) == [{"label": "march", "clips": 2}]


def test_rules_of_length(library: Path, capsys) -> None:
    first = library / "first.json"
    assert printed(capsys, first, "--rule", "seconds") == "march\t14.0\n"
    assert printed(capsys, first, "--rule", "share") == "march\t0.666667\n"
    assert printed(capsys, first, "--rule", "share", "--min", "0.7") == ""
    found = json.loads(printed(capsys, library, "--rule", "seconds", "--json"))
    assert [row["tags"] for row in found] == [
        [{"label": "march", "seconds": 14.0}],
        [{"label": "wave", "seconds": 7.0}, {"label": "ring", "seconds": 3.0}],
    ]
    few = json.loads(printed(capsys, library, "--rule", "seconds", "--min", "5", "--topk", "1", "--json"))
    assert [[tag["label"] for tag in row["tags"]] for row in few] == [["march"], ["wave"]]
    # At 0.65 march's second window, and wave, are none.
    anew = printed(capsys, library, "--rule", "seconds", "--threshold", "0.65", "--csv")
    assert anew.splitlines()[1:] == [
        f"{first},clip.mp4,march,7.0",
        f"{library}/more/second.json,'=second.mp4,ring,3.0",
    ]


def test_rows_for_spreadsheets(library: Path, capsys, tmp_path: Path) -> None:
    names = tmp_path / "labels.txt"
    names.write_text("wave\nring\n")
    said = printed(capsys, library, "--csv", "--label-map", names)
    table = list(csv.DictReader(io.StringIO(said), strict=True))
    assert [(Path(row["report"]).name, row["label"], row["clips"]) for row in table] == [
        ("first.json", "wave", "3"),
        ("first.json", "ring", "3"),
        ("second.json", "ring", "2"),
        ("second.json", "wave", "2"),
    ]


def test_files_that_are_no_reports_are_named(library: Path, capsys) -> None:
    (library / "notes.json").write_text("{}")
    (library / "cut.json").write_text("{")
    WRITERS["legacy"].write(_read(library / "first.json"), library / "legacy.json")
    assert tags.main([str(library), "--json"]) == 0
    said = capsys.readouterr()
    assert [row["video"] for row in json.loads(said.out)] == ["clip.mp4", None, "=second.mp4"]
    lines = said.err.splitlines()
    assert [line.split(":")[1:3] for line in lines] == [
        [" left out", f" {library}/cut.json"],
        [" left out", f" {library}/notes.json"],
    ]
    assert tags.main([str(library), "--json", "--rule", "share"]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 2
    assert f"left out: {library}/legacy.json" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere/*.json"], "nowhere/*.json: no report is there"),
        (["empty"], "empty: no report is there; name reports or a folder that has some"),
        (["a.json", "b.json"], "none of 2 files is a report"),
        (["a.json", "--threshold", "0.5"], "segment flags say nothing to the rule top2"),
        (["a.json", "--rule", "share", "--min", "30"], "--min 30: a share is a number from 0 to 1"),
        (["a.json", "--json", "--csv"], "not allowed with"),
    ],
)
def test_what_makes_no_sense(arguments: list[str], said: str, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert tags.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_features_of_every_video(library: Path, capsys, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    assert phar.main(["tags", str(library), "--features", str(out)]) == 0
    # 5 columns about the video, 4 for each of 3 labels, 3 pairs.
    assert capsys.readouterr().out == f"{out}: 2 videos, 20 columns\n"
    table = pq.read_table(out)
    assert json.loads(pq.read_metadata(out).metadata[b"phar_labels"]) == ["march", "wave", "ring"]
    first, second = table.to_pylist()
    about = [first[name] for name in ("video", "profile", "duration_s", "num_windows")]
    assert about == ["clip.mp4", "test", 21, 3]
    assert (first["seconds:march"], first["seconds:wave"]) == (14, 0)
    assert first["share:march"] == pytest.approx(14 / 21)
    assert first["score:march"] == pytest.approx((0.8 + 0.6) / 3)
    assert (first["lane_s:wave"], first["together_s:march:wave"]) == (7, 7)
    assert (second["together_s:march:wave"], second["together_s:wave:ring"]) == (7, 0)
    assert phar.main(["tags", str(library), "--features", str(out), "--threshold", "0.45"]) == 0
    assert pq.read_table(out).to_pylist()[1]["together_s:march:wave"] == 0


def test_a_label_that_was_not_looked_for_is_null(
    library: Path, make_report: Callable[..., Report], tmp_path: Path
) -> None:
    other = make_report([{"rgb": [0.4, 0.5, 0.1, 0]}], 7)
    labels = ("jog", "march", "row", "none")
    own = dataclasses.replace(other, labels=labels, vocabularies={"rgb": labels})
    own = dataclasses.replace(
        own,
        predictions=tuple(dataclasses.replace(p, streams={}) for p in own.predictions),
        timestamps=(Segment("none", 0, 7, 0.0),),
        tags=(),
    )
    WRITERS["json"].write(own, library / "other.json")
    out = tmp_path / "features.parquet"
    assert tags.main([str(library / "first.json"), str(library / "other.json"), "--features", str(out)]) == 0
    first, second = pq.read_table(out).to_pylist()
    assert (first["seconds:jog"], first["seconds:ring"]) == (None, 0)
    assert (second["seconds:jog"], second["seconds:ring"]) == (0, None)
    # In the other report the pair is jog, march; the columns go by the first.
    assert (first["together_s:march:jog"], second["together_s:march:jog"]) == (None, 7)


def test_features_replace_no_report_and_no_strangers_file(library: Path, tmp_path: Path, capsys) -> None:
    first = library / "first.json"
    assert tags.main([str(first), "--features", str(first)]) == 2
    assert "is an input" in capsys.readouterr().err
    (tmp_path / "x.parquet").write_bytes(b"PAR1 something else PAR1")
    assert tags.main([str(first), "--features", str(tmp_path / "x.parquet")]) == 2
    assert "was not written by phar" in capsys.readouterr().err


def _read(path: Path) -> Report:
    from phar.export import read_report

    return read_report(path)
