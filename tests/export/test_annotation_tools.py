"""What CVAT, VIA 3 and Label Studio are given, held against their documented forms and read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree
from random_reports import assert_read_back, overlapping, with_segments

from phar.export import WRITERS, cvat, label_studio, via3
from phar.export.wording import one_line
from phar.schema import Report, ReportError

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

CVAT_GRAMMAR = etree.RelaxNG(etree.parse(str(Path(__file__).with_name("cvat_video.rng"))))

ID = {"type": "string", "pattern": "^[1-9][0-9]*$"}

#: Source: VIA 3's code documentation; keys, types and codes of a saved project.
VIA_PROJECT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["project", "config", "attribute", "file", "metadata", "view"],
    "properties": {
        "project": {
            "type": "object",
            "additionalProperties": False,
            "required": ["pid", "rev", "rev_timestamp", "pname", "creator", "created", "vid_list"],
            "properties": {
                # These three values mark a project that lies on no server.
                "pid": {"const": "__VIA_PROJECT_ID__"},
                "rev": {"const": "__VIA_PROJECT_REV_ID__"},
                "rev_timestamp": {"const": "__VIA_PROJECT_REV_TIMESTAMP__"},
                "pname": {"type": "string"},
                "creator": {"type": "string"},
                "created": {"type": "integer"},
                "data_format_version": {"const": "3.1.1"},
                "vid_list": {"type": "array", "items": ID},
            },
        },
        "config": {
            "type": "object",
            "required": ["file", "ui"],
            "properties": {
                "file": {
                    "type": "object",
                    "properties": {"loc_prefix": {"type": "object", "required": ["1", "2", "3", "4"]}},
                }
            },
        },
        "attribute": {
            "propertyNames": ID,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["aname", "anchor_id", "type", "desc", "options", "default_option_id"],
                "properties": {
                    "aname": {"type": "string"},
                    "anchor_id": {"enum": ["FILE1_Z2_XY0", "FILE1_Z1_XY1", "FILE1_Z0_XY0"]},
                    "type": {"enum": [1, 2, 3, 4, 5]},
                    "desc": {"type": "string"},
                    "options": {"type": "object", "additionalProperties": {"type": "string"}},
                    "default_option_id": {"type": "string"},
                },
            },
        },
        "file": {
            "propertyNames": ID,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["fid", "fname", "type", "loc", "src"],
                "properties": {
                    "fid": ID,
                    "fname": {"type": "string"},
                    "type": {"enum": [2, 4, 8]},
                    "loc": {"enum": [1, 2, 3, 4]},
                    "src": {"type": "string"},
                },
            },
        },
        "view": {
            "propertyNames": ID,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["fid_list"],
                "properties": {"fid_list": {"type": "array", "items": ID}},
            },
        },
        "metadata": {
            "propertyNames": {"pattern": "^[1-9][0-9]*_[0-9A-Za-z_-]+$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["vid", "flg", "z", "xy", "av"],
                "properties": {
                    "vid": ID,
                    "flg": {"const": 0},
                    "z": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                    "xy": {"const": []},
                    "av": {"propertyNames": ID, "additionalProperties": {"type": "string"}},
                },
            },
        },
    },
}

#: Source: Label Studio's pages on importing predictions and on the TimelineLabels tag.
LABEL_STUDIO_TASKS = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["data", "predictions"],
        "properties": {
            "data": {
                "type": "object",
                "required": ["video", "fps"],
                "properties": {"video": {"type": "string"}, "fps": {"type": "number", "exclusiveMinimum": 0}},
            },
            "predictions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["result"],
                    "properties": {
                        "model_version": {"type": "string"},
                        "score": {"type": "number", "minimum": 0, "maximum": 1},
                        "result": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["id", "from_name", "to_name", "type", "value"],
                                "properties": {
                                    "id": {"type": "string"},
                                    "from_name": {"const": "videoLabels"},
                                    "to_name": {"const": "video"},
                                    "type": {"const": "timelinelabels"},
                                    "origin": {"const": "prediction"},
                                    "score": {"type": "number", "minimum": 0, "maximum": 1},
                                    "value": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "required": ["ranges", "timelinelabels"],
                                        "properties": {
                                            "ranges": {
                                                "type": "array",
                                                "minItems": 1,
                                                "maxItems": 1,
                                                "items": {
                                                    "type": "object",
                                                    "additionalProperties": False,
                                                    "required": ["start", "end"],
                                                    "properties": {
                                                        "start": {"type": "integer", "minimum": 1},
                                                        "end": {"type": "integer", "minimum": 1},
                                                    },
                                                },
                                            },
                                            "timelinelabels": {
                                                "type": "array",
                                                "items": {"type": "string"},
                                                "minItems": 1,
                                                "maxItems": 1,
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


VIA_CHECK = jsonschema.Draft202012Validator(VIA_PROJECT)
LABEL_STUDIO_CHECK = jsonschema.Draft202012Validator(LABEL_STUDIO_TASKS)


def cvat_tracks(path: Path) -> list[tuple[str, int, int]]:
    """Return (label, first frame, first frame after), as CVAT takes a checked file."""
    document = etree.parse(str(path))
    CVAT_GRAMMAR.assertValid(document)
    task = document.find("meta/task")
    size = int(task.findtext("size"))
    labels = {name.text for name in task.iterfind("labels/label/name")}
    whole = [
        "0.00",
        "0.00",
        *(f"{task.findtext(f'original_size/{side}')}.00" for side in ("width", "height")),
    ]
    found = []
    for track in document.iterfind("track"):
        assert track.get("label") in labels
        boxes = track.findall("box")
        frames = [int(box.get("frame")) for box in boxes]
        assert frames == sorted(set(frames))
        assert all(frame < size for frame in frames), "CVAT refuses a frame that the task does not have"
        assert [box.get("outside") for box in boxes] == ["0", "1"][: len(boxes)]
        assert all([box.get(side) for side in ("xtl", "ytl", "xbr", "ybr")] == whole for box in boxes)
        found.append((track.get("label"), frames[0], frames[1] if len(frames) == 2 else size))
    return found


def via_segments(path: Path) -> list[tuple[str, float, float]]:
    document = json.loads(path.read_text())
    VIA_CHECK.validate(document)
    assert [document["view"][vid] for vid in document["project"]["vid_list"]] == [{"fid_list": ["1"]}]
    spans_of_time = [a for a, entry in document["attribute"].items() if entry["anchor_id"] == "FILE1_Z2_XY0"]
    found = []
    for entry in document["metadata"].values():
        assert set(entry["av"]) == set(spans_of_time)
        found.append((document["attribute"]["1"]["options"][entry["av"]["1"]], *entry["z"]))
    return found


def label_studio_ranges(path: Path) -> list[tuple[str, int, int]]:
    """Return (label, first frame, last frame), counted from 1."""
    document = json.loads(path.read_text())
    LABEL_STUDIO_CHECK.validate(document)
    (task,) = document
    values = [region["value"] for region in task["predictions"][0]["result"]]
    return [
        (value["timelinelabels"][0], value["ranges"][0]["start"], value["ranges"][0]["end"])
        for value in values
    ]


def test_a_cvat_track_closes_on_the_first_frame_after(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    # At 25 frames a second 1 s is frame 25, and the video has frames 0 to 1499.
    cvat.write(with_segments(("ring", 1, 2), ("wave", 2, 2.02), ("jog", 59, 60)), path)
    assert cvat_tracks(path) == [("ring", 25, 50), ("jog", 1475, 1500)]
    boxes = etree.parse(str(path)).findall("track/box")
    assert [(box.get("frame"), box.get("outside")) for box in boxes] == [
        ("25", "0"),
        ("50", "1"),
        ("1475", "0"),
    ]


def test_label_studio_counts_frames_from_one_and_holds_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    label_studio.write(with_segments(("ring", 0, 1), ("wave", 1, 1.04), ("jog", 59, 60)), path)
    assert label_studio_ranges(path) == [("ring", 1, 25), ("wave", 26, 26), ("jog", 1476, 1500)]
    (task,) = json.loads(path.read_text())
    assert task["data"] == {"video": "clip.mp4", "fps": 25.0}


def test_via_finds_the_video_by_its_address(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.json"

    def source(video: str) -> dict[str, Any]:
        moved = dataclasses.replace(report, video=dataclasses.replace(report.video, path=video))
        WRITERS["via3"].write(moved, path)
        return json.loads(path.read_text())["file"]["1"]

    assert source("/videos/a b#1.mp4") == {
        "fid": "1",
        "fname": "a b#1.mp4",
        "type": 4,
        "loc": 3,
        "src": "file:///videos/a%20b%231.mp4",
    }
    assert source("https://host/clip.mp4")["src"] == "https://host/clip.mp4"
    assert via_segments(path) == [("march", 0, 7), ("ring", 7, 14)]


@pytest.mark.parametrize("name", ["cvat", "label-studio"])
def test_counting_frames_needs_a_rate(report: Report, tmp_path: Path, name: str) -> None:
    still = dataclasses.replace(report, video=dataclasses.replace(report.video, fps=report.video.fps * 0))
    with pytest.raises(ReportError, match="gives no frame rate"):
        WRITERS[name].write(still, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@quick
@given(report=overlapping())
def test_cvat_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    cvat.write(report, path)
    rate = report.video.fps
    found = [(label, float(start / rate), float(end / rate)) for label, start, end in cvat_tracks(path)]
    wanted = [(one_line(s.label), s.start_s, s.end_s) for s in report.timestamps]
    assert_read_back(found, wanted, 0.5 / float(rate))


@quick
@given(report=overlapping())
def test_via_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    via3.write(report, path)
    wanted = [(plain(s.label), s.start_s, s.end_s) for s in report.timestamps]
    assert_read_back(via_segments(path), wanted, 0.0005)


@quick
@given(report=overlapping())
def test_label_studio_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    label_studio.write(report, path)
    rate = report.video.fps
    found = [
        (name, float((first - 1) / rate), float(last / rate))
        for name, first, last in label_studio_ranges(path)
    ]
    assert_read_back(
        found, [(plain(s.label), s.start_s, s.end_s) for s in report.timestamps], 0.5 / float(rate)
    )


def plain(label: str) -> str:
    """What is left of a label in UTF-8: a lone surrogate becomes a question mark."""
    return label.encode(errors="replace").decode()
