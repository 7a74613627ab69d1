"""The smaller writers, and which one a file name picks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from phar.export import WRITERS, selected, writer_for
from phar.export.poses import load_poses, save_poses
from phar.schema import Poses, Report, ReportError, UsageError


def test_the_suffix_picks_the_writer() -> None:
    assert writer_for(Path("a/out.json")).name == "json"
    assert writer_for(Path("OUT.MP4")).name == "mp4"
    assert writer_for(Path("out.json"), "legacy").name == "legacy"
    picked = {suffix: writer_for(Path(f"out{suffix}")).name for suffix in (".vtt", ".csv", ".edl", ".xml")}
    assert picked == {".vtt": "vtt", ".csv": "csv", ".edl": "kodi-edl", ".xml": "cvat"}
    assert writer_for(Path("out.ffmetadata")).name == "ffmetadata"


def test_labels_and_overlap_are_chosen_where_a_format_has_them(report: Report, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("json", "legacy", "timestamps", "mp4"):
        with pytest.raises(UsageError, match=f"format {name} is more than segments"):
            WRITERS[name].write(report, out, labels=["ring"])
    for name in ("json", "vtt", "ffmetadata"):
        with pytest.raises(UsageError, match=f"format {name} cannot show labels that overlap"):
            WRITERS[name].write(report, out, overlapping=True)
    with pytest.raises(UsageError, match="the report has no label 'nap'; use march, wave, ring, none"):
        WRITERS["csv"].write(report, out, labels=["nap"])
    assert list(tmp_path.iterdir()) == []


def test_overlapping_segments_are_the_labels_lanes(make_report) -> None:
    rows = [{"rgb": [0.5, 0.4, 0.1, 0]}, {"rgb": [0.4, 0.6, 0, 0]}, {"rgb": [0.1, 0.5, 0.1, 0.3]}]
    report = make_report(rows, 21)
    shown = [(s.label, s.start_s, s.end_s) for s in selected(report, overlapping=True).timestamps]
    assert shown == [("march", 0, 14), ("wave", 0, 21)]
    assert [s.label for s in selected(report, ["march"], overlapping=True).timestamps] == ["march"]


def test_unknown_formats_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"suffix '.txt' picks no format; use .json, .mp4"):
        writer_for(Path("out.txt"))
    with pytest.raises(UsageError, match="format 'xml' is unknown; use one of json, legacy"):
        writer_for(Path("out.json"), "xml")


def test_legacy_is_a_list_of_label_by_score(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    WRITERS["legacy"].write(report, path)
    clips = json.loads(path.read_text())
    assert [list(clip.values()) for clip in clips] == [
        ["march", "wave", "ring"],
        ["ring", "none", "march"],
        ["march", "wave", "ring"],
    ]
    assert float(next(iter(clips[1]))) == pytest.approx(1.25 / 1.5)


def test_equal_legacy_scores_are_one_unit_in_the_last_place_apart(make_report, tmp_path: Path) -> None:
    report = make_report([{"rgb": [0.25, 0.25, 0.25, 0.25]}, {"rgb": "nothing decoded"}], 14, topk=4)
    path = tmp_path / "out.json"
    WRITERS["legacy"].write(report, path)
    equal, zero = (list(map(float, clip)) for clip in json.loads(path.read_text()))
    step = np.spacing(0.25)
    assert equal == [0.25 + 3 * step, 0.25 + 2 * step, 0.25 + step, 0.25]
    assert zero == [1.5e-323, 1e-323, 5e-324, 0.0]


def test_timestamps_are_seconds_to_label(make_report, tmp_path: Path) -> None:
    rows = [{"rgb": [1, 0, 0, 0]}, {"rgb": [0, 1, 0, 0]}, {"rgb": [0, 1, 0, 0]}]
    path = tmp_path / "out_ts.json"
    WRITERS["timestamps"].write(make_report(rows, 15.25), path)
    assert json.loads(path.read_text()) == {"0:7": "march", "7:15.25": "wave"}


def test_poses_come_back_as_they_were(poses: Poses, tmp_path: Path) -> None:
    path = tmp_path / "out.poses.npz"
    save_poses(poses, path)
    again = load_poses(path)
    for name in ("frame_time_s", "frame_index", "boxes", "keypoints"):
        assert np.array_equal(getattr(again, name), getattr(poses, name))
        assert getattr(again, name).dtype == getattr(poses, name).dtype


def test_files_that_hold_no_poses(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(ReportError, match="cannot be read"):
        load_poses(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ReportError, match="cannot be read"):
        load_poses(path)
    np.savez(path, boxes=np.zeros(3))
    with pytest.raises(ReportError, match="holds no saved poses"):
        load_poses(path)
    np.savez(path, phar_poses=np.array([object()], dtype=object))
    with pytest.raises(ReportError, match="cannot be read"):
        load_poses(path)
