"""Samples of pictures annotated in COCO's form: boxes for the detector, joints for the pose net."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.dataset.ranking import place
from phar.openmmlab.training import PersonRecord, PictureRecord
from phar.schema import COCO_KEYPOINTS, FloatArray, MediaError, UsageError
from phar.training.examples import Labelled, Order

#: The one thing that is looked for.
PERSON = "person"
#: Where a folder's annotations may lie; `*` stands for more of the name, as in COCO's own files.
_NAMES = ("{split}.json", "annotations/{split}.json", "annotations/{kind}_{split}*.json", "*{split}*.json")
_KINDS = {"person": "instances", "pose": "person_keypoints"}
#: Share of the pictures that validate where no file says which do.
_VAL_SHARE = 0.1


@dataclass(frozen=True)
class Picture:
    """A picture and the persons in it, or one of them."""

    id: str
    split: str
    path: Path
    boxes: FloatArray
    """(n, 4) x1, y1, x2, y2 in pixels."""
    keypoints: FloatArray
    """(n, 17, 3) x, y in pixels and COCO's flag: 0 unknown, 1 hidden, 2 visible."""
    label: str = PERSON
    category: str = ""


class CocoPictures:
    """Pictures in the order of training, or one by one to validate; of a pose net, single persons."""

    def __init__(self, examples: Labelled, size: int, order: Order | None, persons: bool) -> None:
        self._examples = examples
        self._size = size
        self._order = order
        self._persons = persons

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, position: int) -> PictureRecord | PersonRecord:
        shown: Picture = self._examples.clips[position if self._order is None else self._order[position]]
        frame = read_picture(shown.path)
        if self._persons:
            return PersonRecord(frame, shown.boxes[0], shown.keypoints[0])
        return PictureRecord(frame, shown.boxes)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture, (H, W, 3) RGB, turned upright. Raises MediaError."""
    # OpenCV neither says why it fails nor takes every path.
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise MediaError(f"{path}: is no picture that can be read; take it out of the annotations")
    return np.ascontiguousarray(picture[..., ::-1].astype(np.uint8, copy=False))


def read_coco(data: Path, name: str) -> tuple[Picture, ...]:
    """Read the pictures of a COCO file, or of a folder with one for train and one for val.

    Args:
        data: a .json file, or a folder with `train.json` and `val.json`, in it or in `annotations/`.
        name: person, for boxes, or pose, for joints.

    A picture without a person is one to learn from too, by the detector. Without a file for val a tenth of
    the pictures validates, chosen by a hash of their names. For pose each person is an example.

    Raises:
        UsageError: there is no such file, or it is not in COCO's form.
    """
    files = {"train": data} if data.is_file() else _files(data, name)
    pictures = []
    for split, file in files.items():
        for each in _read(file, data if data.is_dir() else file.parent, split, name):
            alone = "val" not in files and place(0, "coco", each.path.name) < _VAL_SHARE
            pictures.append(Picture(**{**vars(each), "split": "val" if alone else split}))
    return tuple(pictures)


def _files(folder: Path, name: str) -> dict[str, Path]:
    found = {}
    for split in ("train", "val"):
        patterns = [pattern.format(split=split, kind=_KINDS[name]) for pattern in _NAMES]
        paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
        if paths:
            found[split] = paths[0]
    if "train" not in found:
        raise UsageError(f"{folder}: has no train.json; name a folder with one, or a COCO file")
    return found


def _read(file: Path, folder: Path, split: str, name: str) -> Iterator[Picture]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        persons = _persons(document["categories"], file)
        marked: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for annotation in document["annotations"]:
            if annotation["category_id"] in persons and not annotation.get("iscrowd"):
                marked[annotation["image_id"]].append(annotation)
        for image in document["images"]:
            path = _path(folder, file, split, image["file_name"])
            if name == "pose":
                for annotation in marked[image["id"]]:
                    joints = _joints(annotation)
                    box = _boxes([annotation])
                    if len(box) and (joints[:, 2] > 0).any():
                        own = f"{image['id']}-{annotation['id']}"
                        yield Picture(own, split, path, box, joints[None])
            else:
                boxes = _boxes(marked[image["id"]])
                yield Picture(str(image["id"]), split, path, boxes, np.zeros((0, 17, 3), np.float32))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)[:80]
        raise UsageError(f"{file}: is not in COCO's form ({reason}); export it so") from None


def _persons(categories: Sequence[Mapping[str, Any]], file: Path) -> set[Any]:
    """The numbers of the category of persons; the only one there is, or that of this name."""
    chosen = [each for each in categories if str(each["name"]).casefold() == PERSON]
    if not chosen and len(categories) == 1:
        chosen = list(categories)
    if not chosen:
        raise UsageError(f"{file}: has no category {PERSON}; rename the one that means it")
    for each in chosen:
        names = each.get("keypoints")
        if names and tuple(names) != COCO_KEYPOINTS:
            raise UsageError(f"{file}: its keypoints are not COCO's {len(COCO_KEYPOINTS)}, in their order")
    return {each["id"] for each in chosen}


def _path(folder: Path, file: Path, split: str, name: str) -> Path:
    below = ("", "images", split, f"images/{split}", f"{split}2017", f"images/{split}2017")
    candidates = [folder / each / name for each in below] + [file.parent / name]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _boxes(annotations: Sequence[Mapping[str, Any]]) -> FloatArray:
    """COCO's x, y, width, height as corners; boxes without an area are no boxes."""
    boxes = np.array([annotation["bbox"] for annotation in annotations], np.float32).reshape(-1, 4)
    boxes = boxes[(boxes[:, 2] > 0) & (boxes[:, 3] > 0)]
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _joints(annotation: Mapping[str, Any]) -> FloatArray:
    found = np.asarray(annotation.get("keypoints") or np.zeros(3 * len(COCO_KEYPOINTS)), np.float32)
    return found.reshape(len(COCO_KEYPOINTS), 3)
