"""Saved poses: the persons of a video in one compressed .npz beside its report."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.export.target import POSES_MARK, replacing
from phar.schema import Poses, Report, ReportError

_VERSION = 1

#: Ten hours with ten persons in every looked-at frame are about this large, unpacked.
_MAX_BYTES = 2 << 30


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
        with zipfile.ZipFile(path) as archive:
            # The archive states how much it unpacks to; numpy reads no more than that.
            if sum(member.file_size for member in archive.infolist()) > _MAX_BYTES:
                raise ValueError(f"it unpacks to more than {_MAX_BYTES >> 30} GB")
        with np.load(path, allow_pickle=False) as arrays:
            if POSES_MARK not in arrays:
                raise ReportError(f"{path} holds no saved poses; make them with phar-demo --save-poses")
            return _checked(arrays)
    except (OSError, ValueError, KeyError, MemoryError, NotImplementedError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReportError(
            f"poses {path} cannot be read ({reason}); make them with phar-demo --save-poses"
        ) from None


def _checked(arrays: Mapping[str, NDArray[Any]]) -> Poses:
    """Return the poses, every number of them finite and every row in a frame."""
    poses = Poses(
        np.asarray(arrays["frame_time_s"], np.float64),
        np.asarray(arrays["frame_index"], np.int64),
        np.asarray(arrays["boxes"], np.float32),
        np.asarray(arrays["keypoints"], np.float32),
    )
    if poses.frame_time_s.ndim != 1 or poses.frame_index.ndim != 1:
        raise ValueError("times and indices of frames are no lists")
    if not all(np.isfinite(values).all() for values in (poses.frame_time_s, poses.boxes, poses.keypoints)):
        raise ValueError("numbers in it are not finite")
    if not ((poses.frame_index >= 0) & (poses.frame_index < len(poses.frame_time_s))).all():
        raise ValueError("persons are in frames that there are not")
    return poses


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
