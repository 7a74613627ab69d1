"""What may be replaced, and that nothing is ever half-written."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from phar.export import WRITERS, check_target, replacing
from phar.export.features import write_features
from phar.export.poses import save_poses
from phar.schema import OutputError, Poses, Report, UsageError


def test_a_new_file_in_an_existing_folder_is_fine(tmp_path: Path) -> None:
    check_target(tmp_path / "out.json")


def test_what_phar_wrote_may_be_replaced(report: Report, poses: Poses, tmp_path: Path) -> None:
    for name, writer in WRITERS.items():
        if writer.needs_video:
            continue
        path = tmp_path / f"{name}{writer.suffix}"
        writer.write(report, path)
        check_target(path)
        writer.write(report, path)
    write_features([(tmp_path / "a.json", report)], tmp_path / "x.parquet")
    check_target(tmp_path / "x.parquet")
    save_poses(poses, tmp_path / "x.npz")
    check_target(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"notes",
        b"{}",
        b"[]",
        b'{"a": 1}',
        b'{"schema_version": "1.0"}',
        b"[1]",
        b'[{"x": "y"}]',
        b'{"0:7": 1}',
        b"\x00" * 99,
        b"WEBVTT\n\nNOTE written by hand\n\n1\n00:00.000 --> 00:01.000\nx\n",
        b"WEBVTT\n\n1\n00:00.000 --> 00:01.000\nNOTE written by phar 1\n",
        b";FFMETADATA1\ntitle=x\n",
        b"## my cuts\n0 1 0\n",
        b"0 1 0\n## written by phar 0.1.0\n",
        b"label,start_s,end_s\nring,0,1\n",
        b'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version></annotations>',
        b'{"files": ["/a.mp4"], "markers": []}',
        b'{"project": {"creator": "VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)"}}',
        b'[{"data": {}, "predictions": [{"model_version": "other", "result": []}]}]',
        b'[{"data": {}, "predictions": []}]',
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="exists and was not written by phar"):
        check_target(path)
    assert path.read_bytes() == content


def test_what_phar_wrote_without_a_segment_may_be_replaced(report: Report, tmp_path: Path) -> None:
    nothing = dataclasses.replace(report, timestamps=())
    for name, writer in WRITERS.items():
        if writer.segments is not None:
            path = tmp_path / f"{name}{writer.suffix}"
            writer.write(nothing, path, labels=[])
            check_target(path)


def test_other_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({"a": [1]}), path)
    with pytest.raises(UsageError, match="was not written by phar"):
        check_target(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="was not written by phar"):
        check_target(path)


def test_other_archives_are_left_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    with pytest.raises(UsageError, match="was not written by phar"):
        check_target(tmp_path / "x.npz")


def test_an_input_is_never_a_target(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    WRITERS["json"].write(report, path)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    for target in (path, link, tmp_path / "." / "out.json"):
        with pytest.raises(UsageError, match="is an input"):
            check_target(target, [path])


def test_folders_and_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path)
    with pytest.raises(OutputError, match="does not exist; create it first"):
        check_target(tmp_path / "gone" / "out.json")
    with pytest.raises(UsageError, match="no ordinary file"):
        check_target(Path(os.devnull))


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_fault_leaves_the_old_file_and_nothing_else(tmp_path: Path, fault: type[BaseException]) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises(fault), replacing(path) as temporary:
        temporary.write_text("half")
        raise fault
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]
    assert path.read_text() == "old"


def test_the_file_appears_whole_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with replacing(path) as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    with replacing(tmp_path / "link.json") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_failing_writes_are_output_errors(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "out.json"
    with pytest.raises(OutputError, match="No such file or directory; choose another place"), replacing(gone):
        pass
    full = OSError(28, "No space left on device")
    with pytest.raises(OutputError, match="No space left on device"), replacing(tmp_path / "out.json"):
        raise full
    assert list(tmp_path.iterdir()) == []
