"""Detector and pose net on pictures annotated in COCO's form."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from phar.cli.main import main
from phar.openmmlab import Detector
from phar.openmmlab.training import read_log
from phar.profile import load_profile
from phar.schema import UsageError
from phar.synth import load_world
from phar.training.coco import CocoPictures, read_coco
from phar.training.examples import Labelled

OPTIONS = ("--workers", "0", "--threads", "1", "--precision", "fp32", "--patience", "0")


def make_coco(folder: Path, counts: dict[str, int], images: str = "images") -> Path:
    """Pictures of the rendered world with their persons."""
    world = load_world(1)
    (folder / images).mkdir(parents=True)
    for split, count in counts.items():
        document: dict[str, list[dict[str, object]]] = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "person"}],
        }
        for number in range(count):
            clip = world.clip(5, number + 100 * len(split), "wave")
            truth = clip.truth(0.5)
            name = f"{split}{number}.png"
            cv2.imwrite(str(folder / images / name), clip.frame(0.5)[..., ::-1])
            document["images"].append({"id": number, "file_name": name})
            for box, joints in zip(truth.boxes, truth.keypoints, strict=True):
                document["annotations"].append(
                    {
                        "id": len(document["annotations"]),
                        "image_id": number,
                        "category_id": 3,
                        "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                        "keypoints": joints.reshape(-1).tolist(),
                        "iscrowd": 0,
                    }
                )
            document["annotations"] += [
                {"id": 900 + number, "image_id": number, "category_id": 7, "bbox": [1, 1, 9, 9]},
                {
                    "id": 950 + number,
                    "image_id": number,
                    "category_id": 3,
                    "bbox": [0, 0, 9, 9],
                    "iscrowd": 1,
                },
            ]
        (folder / f"{split}.json").write_text(json.dumps(document))
    return folder


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_coco(tmp_path_factory.mktemp("coco"), {"train": 6, "val": 3})


def test_boxes_and_joints_are_those_of_the_file(coco: Path) -> None:
    world = load_world(1)
    pictures = read_coco(coco, "person")
    assert [each.split for each in pictures] == ["train"] * 6 + ["val"] * 3
    truth = world.clip(5, 500, "wave").truth(0.5)
    np.testing.assert_allclose(pictures[0].boxes, truth.boxes, rtol=1e-5)
    samples = CocoPictures(Labelled.of(pictures, lambda each: 0), 9, None, persons=False)
    np.testing.assert_array_equal(samples[0].frame, world.clip(5, 500, "wave").frame(0.5))
    persons = read_coco(coco, "pose")
    assert len(persons) == sum(len(each.boxes) for each in pictures)
    np.testing.assert_allclose(persons[0].keypoints[0], truth.keypoints[0], rtol=1e-5)


def test_a_tenth_validates_where_nothing_else_is_said(coco: Path, tmp_path: Path) -> None:
    document = json.loads((coco / "train.json").read_text())
    image = document["images"][0]
    document["images"] = [{**image, "id": n, "file_name": f"p{n}.png"} for n in range(300)]
    document["annotations"] = []
    (tmp_path / "all.json").write_text(json.dumps(document))
    splits = [each.split for each in read_coco(tmp_path / "all.json", "person")]
    assert 15 <= splits.count("val") <= 45
    assert splits == [each.split for each in read_coco(tmp_path / "all.json", "person")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]}, "has no category person"),
        ({"categories": [{"id": 3, "name": "person", "keypoints": ["nose"]}]}, "are not COCO's 17"),
        ({"images": [{"id": 1}]}, "is not in COCO's form \\(no 'file_name'\\)"),
    ],
)
def test_what_is_not_coco_is_told(
    coco: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    document = json.loads((coco / "train.json").read_text()) | change
    (tmp_path / "train.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=message):
        read_coco(tmp_path, "pose")


def test_a_detector_is_trained_and_exported(coco: Path, tmp_path: Path) -> None:
    start = load_profile("demo").persons.detector.checkpoint
    arguments = ["person", "--data", coco, "--out", tmp_path / "out", "--iterations", 3, "--batch-size", 2]
    arguments += ["--lr", 1e-6, "--from", start, "--export", tmp_path / "mine.yaml"]
    assert main(["train", *map(str, arguments), *OPTIONS]) == 0
    # So small steps leave the bundled detector as good as it is.
    assert max(row.get("coco/bbox_mAP_50", 0) for row in read_log(tmp_path / "out")) > 0.8
    persons = load_profile(tmp_path / "mine.yaml").persons
    assert persons is not None and persons.detector.checkpoint == tmp_path / "mine" / "person.safetensors"
    detector = Detector.load(
        persons.detector.config, persons.detector.checkpoint, score_thr=0.4, backend="torch"
    )
    frame = cv2.imread(str(coco / "images" / "val0.png"))[..., ::-1]
    assert len(detector.predict([frame])[0]) >= 1


def test_a_pose_net_is_trained(coco: Path, tmp_path: Path) -> None:
    start = load_profile("demo").persons.pose.checkpoint
    arguments = ["pose", "--data", coco, "--out", tmp_path / "out", "--iterations", 3, "--batch-size", 2]
    arguments += ["--lr", 1e-6, "--from", start, "--export", tmp_path / "mine.yaml"]
    assert main(["train", *map(str, arguments), *OPTIONS]) == 0
    assert max(row.get("PCK", 0) for row in read_log(tmp_path / "out")) > 0.7
    persons = load_profile(tmp_path / "mine.yaml").persons
    assert persons is not None and persons.pose.checkpoint == tmp_path / "mine" / "pose.safetensors"
