"""What may be replaced, and that nothing is ever half-written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from phar.export import WRITERS, check_target, replacing
from phar.export.poses import save_poses
from phar.schema import OutputError, Poses, Report, UsageError


def test_a_new_file_in_an_existing_folder_is_fine(tmp_path: Path) -> None:
    check_target(tmp_path / "out.json")


def test_what_phar_wrote_may_be_replaced(report: Report, poses: Poses, tmp_path: Path) -> None:
    for name in ("json", "legacy", "timestamps"):
        path = tmp_path / f"{name}.json"
        WRITERS[name].write(report, path)
        check_target(path)
        WRITERS[name].write(report, path)
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
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="exists and was not written by phar"):
        check_target(path)
    assert path.read_bytes() == content


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
