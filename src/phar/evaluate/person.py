"""How well persons and their joints are found, on single held-out pictures."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phar.openmmlab import Detector, PoseEstimator
from phar.profile import Profile
from phar.schema import FloatArray, ProfileError
from phar.synth import Truth, World

#: JPEG quality of the pictures, about as lossy as the videos people upload.
_QUALITY = 60
#: A joint is right within this share of the longer side of its person's true box.
PCK_SHARE = 0.1
#: Least overlap at which a found box is a true person's, as in AP50.
_MIN_IOU = 0.5


def evaluate_person(
    profile: Profile, world: World, seed: int, num_frames: int, *, device: str = "auto", backend: str = "auto"
) -> dict[str, float]:
    """Measure a profile's detector and pose estimator on `num_frames` pictures of a seed.

    Every label, `none` and its empty scenes included, has its share of the pictures. Gives `ap50`
    (COCO's average precision at an overlap of 0.5), `recall` and `precision` at the profile's detector
    threshold, `pck@0.1` in the true boxes and `pck@0.1_detected` in the found ones, where all joints
    of a person who was missed count as wrong; both over visible joints. Raises ProfileError where the
    profile finds no persons.
    """
    if profile.persons is None:
        raise ProfileError(f"profile {profile.name!r} finds no persons; choose one with a skeleton stream")
    spec = profile.persons
    detector = Detector.load(spec.detector.config, spec.detector.checkpoint, device, backend)
    pose = PoseEstimator.load(spec.pose.config, spec.pose.checkpoint, device, backend)
    found: list[FloatArray] = []
    truths: list[Truth] = []
    in_true: list[float] = []
    in_found: list[float] = []
    for index in range(num_frames):
        clip = world.clip(seed, index)
        time_s = float(np.random.default_rng([seed, index]).uniform(0, clip.duration_s))
        picture, truth = _compressed(clip.frame(time_s)), clip.truth(time_s)
        (boxes,) = detector.predict([picture])
        found.append(boxes)
        truths.append(truth)
        certain = boxes[boxes[:, 4] >= spec.det_score_thr][: spec.max_persons]
        for_true, for_found = pose.predict([picture, picture], [truth.boxes, certain])
        matches = match(truth.boxes, certain)
        for person, (box, true) in enumerate(zip(truth.boxes, truth.keypoints, strict=True)):
            in_true += right_joints(true, for_true[person], box)
            if matches[person] is None:
                in_found += [0.0] * int((true[:, 2] == 2).sum())
            else:
                in_found += right_joints(true, for_found[matches[person]], box)
    hits, num_true, num_found = 0, 0, 0
    for boxes, truth in zip(found, truths, strict=True):
        certain = boxes[boxes[:, 4] >= spec.det_score_thr]
        hits += sum(m is not None for m in match(truth.boxes, certain))
        num_true, num_found = num_true + len(truth.boxes), num_found + len(certain)
    return {
        "frames": num_frames,
        "persons": num_true,
        "ap50": average_precision([t.boxes for t in truths], found),
        "recall": round(hits / max(num_true, 1), 4),
        "precision": round(hits / max(num_found, 1), 4),
        "pck@0.1": round(float(np.mean(in_true)), 4) if in_true else 0.0,
        "pck@0.1_detected": round(float(np.mean(in_found)), 4) if in_found else 0.0,
    }


def average_precision(true: Sequence[FloatArray], found: Sequence[FloatArray]) -> float:
    """COCO's average precision at an overlap of 0.5, of one class, over pictures.

    `true`: (n, 4) boxes per picture; `found`: (n, 5) boxes with scores. 0 where nothing was found.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (boxes, detections) in enumerate(zip(true, found, strict=True)):
        for box in boxes:
            x, y, w, h = _corner_size(box)
            common = {"image_id": image, "category_id": 1, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0}
            annotations.append({**common, "id": len(annotations) + 1})
        for detection in detections:
            where = {"image_id": image, "category_id": 1, "bbox": list(_corner_size(detection))}
            results.append({**where, "score": float(detection[4])})
    if not annotations or not results:
        return 0.0
    # pycocotools reports on standard output, which belongs to the command.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(len(true))],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person"}],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.params.iouThrs = np.array([_MIN_IOU])
        evaluation.evaluate()
        evaluation.accumulate()
    # Axes: overlap, recall, class, area, number of detections.
    precision = evaluation.eval["precision"][0, :, 0, 0, -1]
    return round(float(precision.mean()), 4)


def match(true: FloatArray, found: FloatArray) -> list[int | None]:
    """For each true box (n, 4) the found one (m, 4 or more) it is, best overlaps first; None: missed."""
    matched: list[int | None] = [None] * len(true)
    if not len(true) or not len(found):
        return matched
    overlap = _iou(true, found[:, :4])
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        person, box = divmod(int(flat), len(found))
        if overlap[person, box] < _MIN_IOU:
            break
        if matched[person] is None and box not in matched:
            matched[person] = box
    return matched


def right_joints(true: FloatArray, estimated: FloatArray, box: FloatArray) -> list[float]:
    """1 or 0 for each visible joint of a person: whether the estimate (17, 2 or more) is close enough."""
    visible = true[:, 2] == 2
    limit = PCK_SHARE * max(float(box[2] - box[0]), float(box[3] - box[1]))
    distance = np.hypot(*(estimated[:, :2] - true[:, :2])[visible].T)
    return [float(d <= limit) for d in distance]


def _iou(a: FloatArray, b: FloatArray) -> NDArray[np.floating[Any]]:
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    other = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(other - corner, 0, None).prod(-1)
    sizes = [(boxes[:, 2:4] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    overlap: NDArray[np.floating[Any]] = shared / np.maximum(
        sizes[0][:, None] + sizes[1][None] - shared, 1e-9
    )
    return overlap


def _corner_size(box: FloatArray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    return x1, y1, x2 - x1, y2 - y1


def _compressed(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
