"""Saved poses: the persons of a video in one compressed .npz beside its report."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from phar.export.target import POSES_MARK, replacing
from phar.schema import Poses, Report, ReportError

_VERSION = 1


def save_poses(poses: Poses, path: Path) -> None:
    """Write the four arrays of `Poses`, replacing `path` in one step."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            frame_time_s=poses.frame_time_s,
            frame_index=poses.frame_index,
            boxes=poses.boxes,
            keypoints=poses.keypoints,
            **{POSES_MARK: np.array(_VERSION)},
        )


def load_poses(path: str | Path) -> Poses:
    """Read what `save_poses` wrote; nothing in the file is executed.

    Raises:
        ReportError: the file is missing or holds no saved poses.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if POSES_MARK not in arrays:
                raise ReportError(f"{path} holds no saved poses; make them with phar-demo --save-poses")
            return Poses(arrays["frame_time_s"], arrays["frame_index"], arrays["boxes"], arrays["keypoints"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ReportError(
            f"poses {path} cannot be read ({error}); make them with phar-demo --save-poses"
        ) from None


def with_saved_poses(report: Report, path: Path) -> Report:
    """Return a report read from `path` with the poses that were saved beside it.

    Raises:
        ReportError: it names none, or they cannot be read.
    """
    if report.poses is not None:
        return report
    if report.poses_path is None:
        raise ReportError(f"{path} names no saved poses; make it anew with phar-demo --save-poses")
    # Only the name counts: the poses lie beside the report, wherever both were moved.
    return replace(report, poses=load_poses(path.with_name(Path(report.poses_path).name)))
