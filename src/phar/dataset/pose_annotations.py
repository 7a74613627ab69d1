"""Poses that somebody else found: the annotation files of MMAction2's PoseDataset.

Such a file is a pickle, which may hold any code. It is read by an unpickler that knows numpy's arrays and
nothing else.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phar.dataset.manifest import Clip
from phar.dataset.poses import PoseFile, write_poses
from phar.dataset.ranking import short_hash
from phar.dataset.splits import SPLITS
from phar.schema import UsageError

#: What a pickled array refers to, in numpy 1 and 2.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}
#: Frame rate where the file states none; times are told by it alone.
_FPS = 30.0
_JOINTS = 17


class _Arrays(pickle.Unpickler):
    """Builds plain values and arrays; anything else in the file is refused before it is called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_annotations(path: Path) -> dict[str, Any]:
    """Read a file of `{"split": {name: [ids]}, "annotations": [...]}`; no code in it is run.

    Raises:
        UsageError: it cannot be read, holds more than arrays and plain values, or is of another form.
    """
    try:
        with path.open("rb") as stream:
            document = _Arrays(stream).load()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UsageError(
            f"{path}: is refused ({reason}); annotation files hold arrays and plain values only"
        ) from None
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("split"), dict)
        or not isinstance(document.get("annotations"), list)
    ):
        raise UsageError(f"{path}: has no `split` and `annotations`; name an annotation file of PoseDataset")
    return document


def import_poses(
    path: Path, folder: Path, names: Sequence[str], splits: Mapping[str, str], fps: float = _FPS
) -> list[Clip]:
    """Write the poses of an annotation file to `folder`, one file each, and return the clips.

    Args:
        path: the annotation file.
        folder: where the files go.
        names: the labels by their number in the file.
        splits: which of the file's splits is train, val, test.
        fps: frames a second.

    Raises:
        UsageError: a split or a label is not there, splits share a clip, or poses are not of 17 joints.
        OutputError: a file cannot be written.
    """
    document = read_annotations(path)
    where: dict[str, str] = {}
    for split, theirs in splits.items():
        if split not in SPLITS or theirs not in document["split"]:
            known = ", ".join(map(str, document["split"]))
            raise UsageError(f"{path}: split {split}={theirs} is unknown; the file has {known}")
        for identifier in document["split"][theirs]:
            if where.setdefault(str(identifier), split) != split:
                raise UsageError(f"{path}: {identifier} is in {where[str(identifier)]} and in {split}")
    clips = []
    for number, entry in enumerate(document["annotations"]):
        name = str(entry.get("filename", entry.get("frame_dir", number)))
        if name in where:
            clips.append(_import(path, folder, name, where[name], entry, names, fps))
    return clips


def _import(
    path: Path,
    folder: Path,
    name: str,
    split: str,
    entry: Mapping[str, Any],
    names: Sequence[str],
    fps: float,
) -> Clip:
    label = int(entry["label"])
    if not 0 <= label < len(names):
        raise UsageError(f"{path}: {name} has label {label}, but {len(names)} names are given; give all")
    joints = np.nan_to_num(np.asarray(entry["keypoint"], np.float32))
    if joints.ndim != 4 or joints.shape[2:] != (_JOINTS, 2):
        raise UsageError(f"{path}: {name} has joints {joints.shape}, not (persons, frames, {_JOINTS}, 2)")
    scores = np.asarray(entry.get("keypoint_score", np.ones(joints.shape[:3])), np.float32)
    num_frames = joints.shape[1]
    poses = PoseFile(joints, scores, tuple(entry["img_shape"]), np.arange(num_frames) / fps, path.name)
    own = short_hash("poses", path.name, name, names[label])
    target = folder / f"{own}.npz"
    write_poses(poses, target)
    return Clip(own, split, names[label], "", target, 0.0, num_frames / fps, 0.0, group=name)
