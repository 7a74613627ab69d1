"""The JSON report: its schema, its numbers, and the way back."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from phar.export import WRITERS, read_ranked, read_report, to_document
from phar.export.report import SCHEMA_PATH
from phar.schema import Report, ReportError


@pytest.fixture
def validator() -> jsonschema.Validator:
    schema = json.loads(SCHEMA_PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def written(report: Report, tmp_path: Path) -> Path:
    path = tmp_path / "out.json"
    WRITERS["json"].write(report, path)
    return path


def test_the_report_fits_its_schema(written: Path, validator: jsonschema.Validator) -> None:
    validator.validate(json.loads(written.read_text()))


def test_the_numbers_are_those_of_the_windows(written: Path) -> None:
    document = json.loads(written.read_text())
    first, second, third = document["clips"]
    assert (first["start_s"], third["start_s"], third["end_s"]) == (0, 14, 16.5)
    assert first["weights"] == {"rgb": 0.5, "skeleton": 0.6}
    assert first["streams"]["skeleton"] == {"scores": {"march": 0.75, "wave": 0.25}}
    assert first["streams"]["audio"] == {"silent": "too quiet"}
    # (0.5 * 0.4 + 0.6 * 0.75) / 1.1, and (0.5 * 0.5 + 1.0) / 1.5
    assert first["scores"]["march"] == pytest.approx(0.65 / 1.1)
    assert second["scores"]["ring"] == pytest.approx(1.25 / 1.5)
    assert [row["label"] for row in first["topk"]] == ["march", "wave", "ring"]
    assert [row["label"] for row in second["topk"]] == ["ring", "none", "march"]
    assert document["video"]["fps"] == pytest.approx(29.97003)
    assert [row["label"] for row in document["timestamps"]] == ["march", "ring", "none"]
    assert document["tags"][0]["share"] == pytest.approx(7 / 16.5, abs=1e-6)


def test_reading_gives_back_what_was_written(written: Path, report: Report) -> None:
    again = read_report(written)
    assert again.video == report.video
    assert again.labels == report.labels
    assert again.vocabularies == report.vocabularies
    assert again.timestamps == tuple(
        dataclasses.replace(s, score=round(s.score, 6)) for s in report.timestamps
    )
    assert [tag.label for tag in again.tags] == [tag.label for tag in report.tags]
    assert again.topk == 3
    for before, after in zip(report.predictions, again.predictions, strict=True):
        assert np.array_equal(before.probs, after.probs)
        assert before.window == after.window
        assert dict(before.weights) == dict(after.weights)
        for name, score in before.streams.items():
            assert after.streams[name].silent == score.silent
            assert (score.probs is None) or np.array_equal(score.probs, after.streams[name].probs)
    assert to_document(again) == json.loads(written.read_text())


def test_unknown_keys_are_ignored(written: Path) -> None:
    document = json.loads(written.read_text())
    document["schema_version"] = "1.7"
    document["new"] = {"later": True}
    document["clips"][0]["more"] = 1
    written.write_text(json.dumps(document))
    assert len(read_report(written).predictions) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense", "not JSON"),
        ("{}", "no report"),
        ('{"schema_version": "2.0", "phar_version": "9"}', "schema version 2.0, this phar reads 1.x"),
        ('{"schema_version": "1.0", "phar_version": "1"}', "must contain"),
        ('[{"0.5": "run"}]', "legacy form, which keeps too little"),
        ("[1, 2]", "no report"),
    ],
)
def test_files_that_are_no_report(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ReportError, match=re.escape(said)):
        read_report(path)


def test_a_missing_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="No such file"):
        read_report(tmp_path / "gone.json")


def _without(document: dict[str, Any], *keys: Any) -> None:
    inner = document
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]


@pytest.mark.parametrize(
    "keys",
    [
        ("clips", 0, "scores"),
        ("clips", 0, "scores", "march"),
        ("video", "fps"),
        ("timestamps", 0, "label"),
        ("vocabularies", "rgb"),
    ],
)
def test_an_incomplete_report_is_refused_in_one_line(written: Path, keys: tuple[Any, ...]) -> None:
    document = json.loads(written.read_text())
    _without(document, *keys)
    written.write_text(json.dumps(document))
    with pytest.raises(ReportError, match="is not a whole report") as caught:
        read_report(written)
    assert "\n" not in str(caught.value)


def test_ranked_labels_come_best_first_from_both_forms(report: Report, tmp_path: Path) -> None:
    full, legacy = tmp_path / "full.json", tmp_path / "legacy.json"
    WRITERS["json"].write(report, full)
    WRITERS["legacy"].write(report, legacy)
    assert [[label for label, _ in clip][:2] for clip in read_ranked(full)[1]] == [
        ["march", "wave"],
        ["ring", "none"],
        ["march", "wave"],
    ]
    assert [[label for label, _ in clip] for clip in read_ranked(legacy)[1]] == [
        ["march", "wave", "ring"],
        ["ring", "none", "march"],
        ["march", "wave", "ring"],
    ]
