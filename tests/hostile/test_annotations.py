"""Annotations and predictions from strangers whose values are of no kind that the format knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_videos import small_video

from phar.dataset.annotation import write_table
from phar.dataset.importing import ImportOptions, import_annotations
from phar.dataset.problem import write_problems
from phar.evaluate.predictions import read_predictions
from phar.evaluate.truth import VideoTruth
from phar.schema import UsageError

HUGE = 10**400


def label_studio(video: Any = "a.mp4", result: Any = None, **changes: Any) -> list[dict[str, Any]]:
    """One task with one span of a label, and a choice about it."""
    span = {
        "id": "r1",
        "type": "timelinelabels",
        "value": {"ranges": [{"start": 1, "end": 50}], "timelinelabels": ["march"]},
        **changes,
    }
    about = {"id": "r1", "type": "choices", "from_name": "verdict", "value": {"choices": ["accept"]}}
    results = [span, about] if result is None else result
    return [{"id": 1, "data": {"video": video, "fps": 25}, "annotations": [{"result": results}]}]


#: What is wrong, the file's name and content, and what is said of it; None: a row comes of it.
CASES: dict[str, tuple[str, Any, str | None]] = {
    "an address with half a bracket": ("x.json", label_studio("http://[a/b.mp4"), "is not beneath"),
    "results that are a number": ("x.json", label_studio(result=-1), ""),
    "an identifier that is a list": ("x.json", label_studio(id=[1]), None),
    "a label that is empty": (
        "x.json",
        label_studio(value={"ranges": [{"start": 1, "end": 2}], "timelinelabels": [""]}),
        "has no label",
    ),
    "a frame beyond floats": (
        "x.json",
        label_studio(value={"ranges": [{"start": HUGE, "end": HUGE}], "timelinelabels": ["march"]}),
        "a number in it is too large",
    ),
    "half a character": (
        "x.json",
        label_studio(value={"ranges": [{"start": 1, "end": 2}], "timelinelabels": ["\ud800"]}),
        "a text in it is no Unicode",
    ),
    "a name longer than names": (
        "x.csv",
        f"video,label,start_s,end_s\n{'x' * 5000},a,0,1\n",
        "is not beneath",
    ),
    "a cell longer than cells": ("x.csv", f"video,label\n{'x' * 200_000},a\n", "field larger than"),
}


@pytest.mark.parametrize("kind", CASES)
def test_annotations_are_read_or_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    name, content, said = CASES[kind]
    small_video(tmp_path / "a.mp4", 100)
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    try:
        rows, problems = import_annotations([path], ImportOptions(videos=(tmp_path,)))
    except UsageError as error:
        assert said and said in str(error)
        assert "\n" not in str(error)
        return
    write_table(rows, tmp_path / "table.csv")
    write_problems(problems, tmp_path / "problems.csv")
    if said is None:
        assert [(row.label, row.start_s, row.end_s) for row in rows] == [("march", 0.0, 2.0)]
    else:
        assert rows == []
        assert said in (tmp_path / "problems.csv").read_text()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "p.json",
            [{"video": "a", "start_s": HUGE, "end_s": 2, "label": "jog"}],
            "a number in it is too large",
        ),
        (
            "p.json",
            [{"video": "a", "start_s": 0, "end_s": 2, "label": "\udfff"}],
            "a text in it is no Unicode",
        ),
        ("p.json", "[" * 100_000, "nested deeper"),
        ("p.json", "[NaN]", "is no number"),
        ("p.csv", f"video,start_s,end_s,label\na,0,{'9' * 400},jog\n", "a row needs"),
        ("p.csv", f"video,start_s,end_s,label\n{'x' * 200_000},0,1,jog\n", "field larger than"),
    ],
)
def test_predictions_are_refused_in_one_line(tmp_path: Path, name: str, content: Any, said: str) -> None:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError, match=said) as caught:
        read_predictions(path, [VideoTruth("a", Path("a.mp4"), ())])
    assert "\n" not in str(caught.value)
