"""What phar writes for annotation tools, `phar dataset import` reads back."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from pictures import Shot, make_video

from phar.dataset.formats import FORMATS, ReadOptions
from phar.dataset.importing import ImportOptions, import_annotations
from phar.export.writers import WRITERS
from phar.schema import Report
from report_fixtures import build

#: The report's segments; the last window reaches no threshold.
SEGMENTS = [("march", 0.0, 7.0), ("ring", 7.0, 14.0)]
#: Half a frame of the video: what a format that counts frames can say.
HALF_A_FRAME_S = 0.05 + 1e-6


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, [Shot(1, 16)], fps=10, sound=False)
    made = build(
        [
            {"rgb": [0.4, 0.2, 0.3, 0.1], "skeleton": [0.75, 0.25], "audio": "too quiet"},
            {"rgb": [0.1, 0.1, 0.5, 0.3], "skeleton": "no person", "audio": [1.0]},
            {"rgb": [0.25, 0.25, 0.25, 0.25], "skeleton": "no person", "audio": "too quiet"},
        ],
        duration_s=16.0,
    )
    return replace(
        made, video=replace(made.video, path=str(path), fps=Fraction(10), width_px=320, height_px=240)
    )


def accept_predictions(path: Path) -> None:
    """Submit every task as its prediction says, as a person does in Label Studio."""
    tasks = json.loads(path.read_text())
    for task in tasks:
        (prediction,) = task.pop("predictions")
        regions = [{**region, "origin": "manual"} for region in prediction["result"]]
        task["annotations"] = [{"id": 1, "was_cancelled": False, "result": regions}]
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize(
    ("writer", "suffix", "reader"),
    [
        ("csv", ".csv", "csv"),
        ("cvat", ".xml", "cvat"),
        ("via3", ".json", "via"),
        ("label-studio", ".json", "label-studio"),
    ],
)
def test_segments_come_back(report: Report, tmp_path: Path, writer: str, suffix: str, reader: str) -> None:
    assert reader in FORMATS
    out = tmp_path / f"out{suffix}"
    WRITERS[writer].write(report, out)
    if writer == "label-studio":
        accept_predictions(out)
    rows, problems = import_annotations(
        [out],
        ImportOptions(videos=(Path(report.video.path).parent,), read=ReadOptions(fps=10)),
    )
    # Scores and durations have no column in an annotation table.
    assert {problem.kind for problem in problems} <= {"unread-column"}
    rows = sorted(rows, key=lambda row: row.start_s)
    assert [row.label for row in rows] == [label for label, _, _ in SEGMENTS]
    assert {row.video.name for row in rows} == {"clip.mp4"}
    for row, (_, start_s, end_s) in zip(rows, SEGMENTS, strict=True):
        assert row.start_s == pytest.approx(start_s, abs=HALF_A_FRAME_S)
        assert row.end_s == pytest.approx(end_s, abs=HALF_A_FRAME_S)
