"""Annotation files of each tool, written by hand after the formats' own descriptions."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from pictures import Shot, make_video

from phar.dataset.annotation import Annotation, write_table
from phar.dataset.formats import FORMATS, ReadOptions, format_of
from phar.dataset.formats.mark import number_of
from phar.dataset.importing import ImportOptions, import_annotations, read_label_map
from phar.schema import UsageError


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two videos: a.mp4 of 20 s at 10 fps, sub/b.mp4 of 8 s at 25 fps."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a.mp4", [Shot(1, 20)], fps=10, sound=False)
    make_video(folder / "sub" / "b.mp4", [Shot(2, 8)], fps=25, sound=False)
    return folder


def imported(videos: Path, *files: Path, **options):
    """Rows as (video name, start, end, label, category, verdict), and problems as (kind, where, outcome)."""
    read = ReadOptions(
        **{key: options.pop(key) for key in ("fps", "video", "label_attribute") if key in options}
    )
    rows, problems = import_annotations(files, ImportOptions(videos=(videos,), read=read, **options))
    return (
        [
            (row.video.name, row.start_s, row.end_s, row.label, row.category, row.verdict)
            for row in sorted(rows, key=lambda row: (row.video.name, row.start_s, row.label))
        ],
        [(problem.kind, problem.where, problem.outcome) for problem in problems],
    )


VIA_PROJECT = {
    "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.1", "vid_list": ["1", "2"]},
    "config": {},
    "attribute": {
        "1": {
            "aname": "Action",
            "anchor_id": "FILE1_Z2_XY0",
            "type": 4,
            "desc": "",
            "options": {"0": "march", "1": "wave"},
            "default_option_id": "",
        },
        "2": {"aname": "place", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}},
        "3": {"aname": "colour", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    },
    "file": {
        "1": {"fid": "1", "fname": "a.mp4", "type": 4, "loc": 1, "src": ""},
        "2": {"fid": "2", "fname": "b.mp4", "type": 4, "loc": 2, "src": "http://host/x/b.mp4"},
    },
    "metadata": {
        "1_a": {"vid": "1", "flg": 0, "z": [1.5, 4.25], "xy": [], "av": {"1": "0", "2": "kitchen"}},
        "1_b": {"vid": "1", "flg": 0, "z": [6, 9], "xy": [], "av": {"1": "1"}},
        "1_c": {"vid": "1", "flg": 0, "z": [7.5], "xy": [], "av": {"1": "1"}},
        "1_d": {"vid": "1", "flg": 0, "z": [8], "xy": [2, 1, 1, 5, 5], "av": {"3": "red"}},
        "2_e": {"vid": "2", "flg": 0, "z": [], "xy": [], "av": {"1": "1"}},
        "2_f": {"vid": "9", "flg": 0, "z": [1, 2], "xy": [], "av": {"1": "1"}},
        "2_g": {"vid": "2", "flg": 0, "z": [1, 2], "xy": [], "av": {}},
    },
    "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": [2]}},
}


def test_a_via_project(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "via.json"
    path.write_text(json.dumps(VIA_PROJECT), encoding="utf-8-sig")
    rows, problems = imported(videos, path)
    assert rows == [
        ("a.mp4", 1.5, 4.25, "march", "kitchen", "accept"),
        ("a.mp4", 6.0, 9.0, "wave", "", "accept"),
        ("b.mp4", 0.0, 8.0, "wave", "", "accept"),
    ]
    assert problems == [
        ("unread-column", "attributes", "kept"),
        ("not-a-span", "metadata 1_c", "left out"),
        ("not-a-span", "metadata 1_d", "left out"),
        ("no-video", "metadata 2_f", "left out"),
        ("no-label", "metadata 2_g", "left out"),
    ]


def test_a_via_project_whose_label_has_an_odd_name(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "via.json"
    project = json.loads(json.dumps(VIA_PROJECT))
    project["attribute"]["1"]["aname"] = "what"
    project["metadata"] = {"1_a": VIA_PROJECT["metadata"]["1_a"]}
    path.write_text(json.dumps(project))
    # The first free attribute of temporal segments is the label; a person may name another.
    assert [row[3] for row in imported(videos, path)[0]] == ["march"]
    assert [row[3] for row in imported(videos, path, label_attribute="place")[0]] == ["kitchen"]
    with pytest.raises(UsageError, match="'who' is not in the project; it has what, place, colour"):
        imported(videos, path, label_attribute="who")


def test_the_csv_of_via(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "via.csv"
    path.write_text(
        "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n"
        "# Notes:\n"
        '# SHAPE_ID = {"POINT":1,"RECTANGLE":2}\n'
        '# FLAG_ID = {"RESERVED_FOR_FUTURE":1}\n'
        '# ATTRIBUTE = {"1":{"aname":"label","anchor_id":"FILE1_Z2_XY0","type":2,"desc":"",'
        '"options":{"0":"march","1":"wave"},"default_option_id":""}}\n'
        "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
        '"1_j5sJvB9h","[""a.mp4""]",0,"[1.124,5.31493]","[]","{""1"":""1""}"\n'
        '"1_zYQJk2sM","[""a.mp4""]",0,"[2.41892]","[2,162.2,176.2,639.4,192.4]","{""1"":""0""}"\n'
        '"1_two","[""a.mp4""]",0,"[10,12]","[]","{""1"":""0,1""}"\n'
    )
    assert format_of(path) == "via"
    rows, problems = imported(videos, path)
    assert rows == [
        ("a.mp4", 1.124, 5.31493, "wave", "", "accept"),
        ("a.mp4", 10.0, 12.0, "march", "", "accept"),
        ("a.mp4", 10.0, 12.0, "wave", "", "accept"),
    ]
    # Two boxes ticked for one span are two labels, which contradict each other here.
    assert problems == [("not-a-span", "row 8", "left out"), ("clash", "row 9", "kept")]


CVAT_VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>round one</name><size>200</size><mode>interpolation</mode>
      <start_frame>0</start_frame><stop_frame>199</stop_frame><frame_filter></frame_filter>
      <labels><label><name>march</name></label></labels>
      <original_size><width>96</width><height>64</height></original_size>
      <source>a.mp4</source>
    </task>
    <dumped>2024-05-01</dumped>
  </meta>
  <track id="0" label="march" source="manual">
    <box frame="10" keyframe="1" outside="0" occluded="0" xtl="0" ytl="0" xbr="96" ybr="64" z_order="0">
      <attribute name="category">street</attribute>
    </box>
    <box frame="20" keyframe="1" outside="0" occluded="0" xtl="0" ytl="0" xbr="96" ybr="64" z_order="0">
      <attribute name="category">street</attribute>
    </box>
    <box frame="35" keyframe="1" outside="1" occluded="0" xtl="0" ytl="0" xbr="96" ybr="64" z_order="0">
      <attribute name="category">street</attribute>
    </box>
    <box frame="50" keyframe="1" outside="0" occluded="0" xtl="0" ytl="0" xbr="96" ybr="64" z_order="0">
      <attribute name="category">field</attribute>
    </box>
    <box frame="61" keyframe="1" outside="1" occluded="0" xtl="0" ytl="0" xbr="96" ybr="64" z_order="0">
      <attribute name="category">field</attribute>
    </box>
  </track>
  <track id="1" label="wave"><polygon frame="190" outside="0" points="0,0;1,1;2,0"/></track>
  <track id="2" label="wave"><box frame="3" outside="1" xtl="0" ytl="0" xbr="1" ybr="1"/></track>
</annotations>
"""


def test_tracks_of_cvat_end_before_the_frame_outside(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text(CVAT_VIDEO)
    rows, problems = imported(videos, path)
    assert rows == [
        ("a.mp4", 1.0, 3.5, "march", "street", "accept"),
        ("a.mp4", 5.0, 6.1, "march", "field", "accept"),
        ("a.mp4", 19.0, 20.0, "wave", "", "accept"),
    ]
    assert problems == [
        ("open-track", "track 1, frame 190", "kept"),
        ("not-a-span", "track 2", "left out"),
    ]


def test_cvat_frames_count_at_a_rate_that_a_person_knows_better(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "annotations.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annotations.xml", CVAT_VIDEO)
    rows, _ = imported(videos, path, fps=20.0)
    assert [row[1:3] for row in rows] == [(0.5, 1.75), (2.5, 3.05), (9.5, 10.0)]


def test_tags_of_cvat_join_where_frames_follow_each_other(videos: Path, tmp_path: Path) -> None:
    """Every second frame of b.mp4, which has 25 a second, from frame 50 on."""
    tags = {50: "march", 52: "march", 54: "march", 60: "march", 62: "wave"}
    images = "".join(
        f'<image id="{frame}" name="frame_{frame:06}" width="96" height="64">'
        f'<tag label="{label}" source="manual"><attribute name="verdict">{"reject" if frame == 62 else ""}'
        "</attribute></tag></image>"
        for frame, label in tags.items()
    )
    path = tmp_path / "tags.xml"
    path.write_text(
        "<annotations><version>1.1</version><meta><task><id>1</id><name>t</name><size>40</size>"
        "<start_frame>50</start_frame><frame_filter>step=2</frame_filter><source>b.mp4</source></task></meta>"
        f'{images}<image name="x"><tag label="wave"/></image></annotations>'
    )
    rows, problems = imported(videos, path)
    assert rows == [
        ("b.mp4", 2.0, 2.24, "march", "", "accept"),
        ("b.mp4", 2.4, 2.48, "march", "", "accept"),
        ("b.mp4", 2.48, 2.56, "wave", "", "reject"),
    ]
    assert problems == [("bad-span", "image x", "left out")]


def test_a_cvat_project_names_a_video_in_each_task(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "project.xml"

    def track(task: int) -> str:
        return (
            f'<track id="{task}" label="march" task_id="{task}">'
            '<box frame="10" outside="0"/><box frame="20" outside="1"/></track>'
        )

    path.write_text(
        "<annotations><version>1.1</version><meta><project><id>3</id><tasks>"
        "<task><id>1</id><size>200</size><source>a.mp4</source></task>"
        "<task><id>2</id><size>200</size><source>b.mp4</source></task>"
        f"</tasks></project></meta>{track(1)}{track(2)}</annotations>"
    )
    rows, problems = imported(videos, path)
    assert [row[:3] for row in rows] == [("a.mp4", 1.0, 2.0), ("b.mp4", 0.4, 0.8)]
    assert problems == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><annotations>&a;</annotations>', "declares a document type"),
        ("<annotations><image>", "is not well-formed XML"),
        ("<a>" * 70 + "</a>" * 70, "nested deeper than 64"),
        ("<nothing/>", "is no CVAT 1.1 file"),
    ],
)
def test_xml_that_is_refused(videos: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        imported(videos, path)


def label_studio_task(video: str, results: list[dict], **more) -> dict:
    return {
        "id": 12,
        "data": {"video": video, **more.pop("data", {})},
        "annotations": [{"result": results}],
        **more,
    }


def timeline(start: int, end: int, label: str, number: str = "r1") -> dict:
    return {
        "id": number,
        "type": "timelinelabels",
        "from_name": "videoLabels",
        "to_name": "video",
        "origin": "manual",
        "value": {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]},
    }


def choice(value: str, name: str = "choice", number: str = "c1") -> dict:
    return {
        "id": number,
        "type": "choices",
        "from_name": name,
        "to_name": "video",
        "value": {"choices": [value]},
    }


def test_label_studio_ranges_are_one_based_and_hold_their_end(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "ls.json"
    tasks = [
        label_studio_task(
            "/data/upload/3/1a2b3c4d-a.mp4",
            [timeline(1, 50, "march"), timeline(51, 100, "wave", "r2"), choice("reject", "verdict", "r2")],
            data={"fps": 25},
            predictions=[{"result": [timeline(1, 200, "jog")]}],
        ),
        label_studio_task("/data/local-files/?d=sub%2Fb.mp4", [choice("wave")]),
        {"id": 13, "data": {"video": "b.mp4"}, "annotations": [{"was_cancelled": True, "result": []}]},
    ]
    path.write_text(json.dumps(tasks))
    assert format_of(path) == "label-studio"
    rows, problems = imported(videos, path)
    assert rows == [
        ("a.mp4", 0.0, 2.0, "march", "", "accept"),
        ("a.mp4", 2.0, 4.0, "wave", "", "reject"),
        ("b.mp4", 0.0, 8.0, "wave", "", "accept"),
    ]
    assert problems == [("predictions", "task 12", "kept"), ("skipped", "task 13", "left out")]


def test_label_studio_without_a_rate_takes_the_videos_and_says_so(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "ls.json"
    bad = timeline(0, 5, "march", "r0")
    box = {"id": "b", "type": "videorectangle", "value": {"sequence": [], "labels": ["march"]}}
    path.write_text(json.dumps([label_studio_task("a.mp4", [timeline(11, 20, "march"), bad, box])]))
    rows, problems = imported(videos, path)
    assert rows == [("a.mp4", 1.0, 2.0, "march", "", "accept")]
    assert problems == [
        ("frame-rate", "task 12", "kept"),
        ("bad-span", "task 12, result r0", "left out"),
        ("not-a-span", "task 12, result b", "left out"),
    ]


def test_label_studio_json_min(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "min.json"
    spans = [{"ranges": [{"start": 1, "end": 24}], "timelinelabels": ["march"]}]
    path.write_text(
        json.dumps([{"id": 1, "video": "a.mp4", "fps": 24, "videoLabels": spans, "verdict": "complete"}])
    )
    rows, problems = imported(videos, path)
    assert rows == [("a.mp4", 0.0, 20.0, "", "", "complete"), ("a.mp4", 0.0, 1.0, "march", "", "accept")]
    assert problems == []


def test_a_plain_table_of_anybody(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "File Name;Begin;Duration;Class;Sub-Category;Comment\n"
        "a.mp4;1,5;2;march;street;first\n"
        'C:\\clips\\a.mp4;0:00:05.5;1,25;wave;;"; quoted"\n'
        "\n"
        "b.mp4;x;2;wave;;\n"
        ";1;2;wave;;\n"
        "b.mp4;1;2;;;\n"
        "b.mp4;;;wave;;\n",
        encoding="utf-16",
    )
    rows, problems = imported(videos, path)
    assert rows == [
        ("a.mp4", 1.5, 3.5, "march", "street", "accept"),
        ("a.mp4", 5.5, 6.75, "wave", "", "accept"),
    ]
    assert problems == [
        ("unread-column", "header", "kept"),
        ("bad-span", "row 5", "left out"),
        ("no-video", "row 6", "left out"),
        ("no-label", "row 7", "left out"),
        ("bad-span", "row 8", "left out"),
    ]


def test_every_fault_of_a_row_is_listed(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "video,start_s,end_s,label,verdict\n"
        "a.mp4,1,3,march,\n"  # row 2
        "a.mp4,1,3,march,\n"  # the same
        "a.mp4,2,4,march,\n"  # overlaps itself
        "a.mp4,3.5,6,wave,\n"  # contradicts row 4
        "a.mp4,-1,3,march,\n"
        "a.mp4,5,5,march,\n"
        "a.mp4,19,30,jog,\n"
        "a.mp4,25,30,jog,\n"
        "z.mp4,1,2,march,\n"
        "a.mp4,7,8,dance,\n"
        "a.mp4,9,10,March,\n"
        "a.mp4,11,12,march,perhaps so\n"
        "a.mp4,13,14,march,unsure\n"
        "a.mp4,19.95,20.04,wave,\n"  # half a frame past the end is rounding
    )
    rows, problems = imported(videos, path, labels=("march", "wave", "jog"))
    assert [row[1:4] + row[5:] for row in rows] == [
        (1.0, 3.0, "march", "accept"),
        (2.0, 4.0, "march", "accept"),
        (3.5, 6.0, "wave", "accept"),
        (9.0, 10.0, "march", "accept"),
        (13.0, 14.0, "march", "unsure"),
        (19.0, 20.0, "jog", "accept"),
        (19.95, 20.0, "wave", "accept"),
    ]
    assert sorted(problems, key=lambda problem: int(problem[1].split()[1])) == [
        ("duplicate", "row 3", "left out"),
        ("overlap", "row 4", "kept"),
        ("clash", "row 5", "kept"),
        ("bad-span", "row 6", "left out"),
        ("bad-span", "row 7", "left out"),
        ("out-of-range", "row 8", "changed"),
        ("out-of-range", "row 9", "left out"),
        ("missing-video", "row 10", "left out"),
        ("unknown-label", "row 11", "left out"),
        ("respelled", "row 12", "changed"),
        ("unknown-verdict", "row 13", "left out"),
        ("clash", "row 15", "kept"),
    ]


def test_labels_are_renamed_by_a_map(videos: Path, tmp_path: Path) -> None:
    table, names = tmp_path / "table.csv", tmp_path / "map.yaml"
    table.write_text("video,start,end,label\na.mp4,1,2,Marching\na.mp4,3,4,Waving hands\na.mp4,5,6,rubbish\n")
    names.write_text("Marching: march/street\nWaving hands: wave\nrubbish: null\n")
    rows, problems = imported(videos, table, labels=("march", "wave"), label_map=read_label_map(names))
    assert [row[3:5] for row in rows] == [("march", "street"), ("wave", "")]
    assert problems == [("mapped-away", "row 4", "left out")]
    names.write_text("- a list\n")
    with pytest.raises(UsageError, match="maps no labels"):
        read_label_map(names)


def test_every_listed_video_may_be_said_to_be_complete(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "ls.json"
    path.write_text(
        json.dumps(
            [
                label_studio_task("a.mp4", [timeline(11, 20, "march")], data={"fps": 10}),
                label_studio_task("b.mp4", []),
            ]
        )
    )
    rows, problems = imported(videos, path, complete=True)
    assert [row[:4] + row[5:] for row in rows] == [
        ("a.mp4", 0.0, 20.0, "", "complete"),
        ("a.mp4", 1.0, 2.0, "march", "accept"),
        ("b.mp4", 0.0, 8.0, "", "complete"),
    ]
    assert problems == []


def test_a_name_that_fits_two_files_is_not_guessed(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        make_video(tmp_path / folder / "a.mp4", [Shot(1, 1)], sound=False)
    table = tmp_path / "table.csv"
    table.write_text(
        "video,start,end,label\na.mp4,0,0.5,march\ntwo/a.mp4,0,0.5,march\n../../../etc/passwd,0,1,x\n"
    )
    rows, problems = imported(tmp_path, table)
    assert [row[:3] for row in rows] == [("a.mp4", 0.0, 0.5)]
    assert [problem[0] for problem in problems] == ["ambiguous-video", "missing-video"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12.100000000000001", 12.1),
        ("1e-05", 1e-5),
        (" 1,5 ", 1.5),
        ("1:02:03.5", 3723.5),
        ("90:00", 5400.0),
        ("-3", -3.0),
        (7, 7.0),
        *[(wrong, None) for wrong in ("", "x", "1_0", "nan", "inf", "1:2:3:4", "--1", None, True, 1e400, [])],
    ],
)
def test_numbers_and_times_in_texts(value, number) -> None:
    assert number_of(value) == (number if number is None else pytest.approx(number, abs=1e-9))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_read_back_as_it_was(videos: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    written = [
        Annotation(videos / "a.mp4", 0.0, 20.0, "", "", "by hand", "complete"),
        Annotation(videos / "a.mp4", 1.25, 2.5, "march", "street, wet", 'the "first"', "accept"),
        Annotation(videos / "sub/b.mp4", 0.0, 1.0, "wave", "", "x", "reject"),
    ]
    write_table(written, path)
    rows, problems = import_annotations([path], ImportOptions(videos=(videos,)))
    assert (rows, problems) == (written, [])
    if suffix == ".csv":
        assert path.read_text().splitlines()[0] == "video,start_s,end_s,label,category,source,verdict"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "[" * 200_000, "nested deeper|not JSON"),
        ("x.json", "{", "not JSON"),
        ("x.json", '{"a": 1}', "is neither a VIA 3 project nor"),
        ("x.csv", "a,b\n1,2\n", "names no label"),
        ("x.bin", "", "tells no format"),
        ("x.csv", b"video,label\n\xff\xfe\xfa", "is not utf-8 text"),
    ],
)
def test_files_that_cannot_be_read(videos: Path, tmp_path: Path, name: str, content, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=message):
        imported(videos, path)


def test_every_reader_refuses_a_missing_file(tmp_path: Path) -> None:
    for reader in FORMATS.values():
        with pytest.raises(UsageError, match="cannot be read"):
            reader(tmp_path / "none.json", ReadOptions())
