"""Python and the page make the same segments of the same scores: one file, held against both."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from make_segments_vector import PATH, answer

from phar.export import WRITERS
from phar.schema import Report

CASES = json.loads(PATH.read_text(encoding="utf-8"))

#: Runs the page's own functions on the cases; texts go in and out, so that any label survives the journey.
IN_THE_PAGE = """
const { Segmenting } = globalThis.phar;
const row = ({ label, start_s, end_s, score }) => [label, start_s, end_s, score];
return JSON.stringify(JSON.parse(arguments[0]).map(({ labels, scores, settings, expected }) => {
  const table = {
    labels,
    none: labels.indexOf("none"),
    count: scores.length,
    bounds: Float64Array.from(expected.bounds),
    scores: Float32Array.from(scores.flat()),
  };
  const found = Segmenting.segments(table, settings).segments.map(row);
  const lanes = Segmenting.lanes(table, settings).map((lane) => lane.segments.map(row));
  return [found, lanes];
}));
"""


def same(found: list[Any], expected: list[Any]) -> bool:
    """Labels and times are equal to the last bit, scores but for the order of a sum."""
    return [row[:-1] for row in found] == [row[:-1] for row in expected] and all(
        math.isclose(row[-1], other[-1], abs_tol=1e-12) for row, other in zip(found, expected, strict=True)
    )


def test_the_cases_say_something() -> None:
    assert len(CASES) > 100
    assert sum(len(case["expected"]["segments"]) > 2 for case in CASES) > 40
    assert len({case["name"] for case in CASES}) == len(CASES)
    kinds = {key for case in CASES for key, value in case["settings"].items() if value}
    assert len(kinds) == 8, "every setting is used"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_python_gives_what_the_file_says(case: dict[str, Any]) -> None:
    found, expected = answer(case), case["expected"]
    assert found["bounds"] == expected["bounds"]
    assert same(found["segments"], expected["segments"])
    assert found["lanes"].keys() == expected["lanes"].keys()
    assert all(same(lane, expected["lanes"][label]) for label, lane in found["lanes"].items())


def test_the_page_gives_what_the_file_says(browser: Any, report: Report, tmp_path: Path) -> None:
    WRITERS["html"].write(report, tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    answers = json.loads(browser.run(IN_THE_PAGE, json.dumps(CASES)))
    wrong = []
    for case, (found, lanes) in zip(CASES, answers, strict=True):
        expected = case["expected"]
        by_label = dict(zip(case["labels"], lanes, strict=True))
        none = by_label.pop("none", [])
        equal = same(found, expected["segments"]) and none == []
        for label, lane in expected["lanes"].items():
            equal = equal and same([row[1:] for row in by_label[label]], lane)
        if not equal:
            wrong.append(case["name"])
    assert wrong == []
