"""Full-size person detectors find what mmdet's own inference finds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from parity import CONFIGS, SCORES, assert_boxes_alike, enliven, read_frames, save, scale, their_boxes

from phar.openmmlab import Detector, imports, loading

with imports.scope("mmdet"):
    from mmdet.apis import inference_detector, init_detector

pytestmark = pytest.mark.slow

CLIP = "people/open-mmlab+mmaction2/demo/demo_skeleton.mp4"


def _reference(config: Path, checkpoint: Path | None = None):
    with imports.scope("mmdet"):
        torch.manual_seed(0)
        weights = None if checkpoint is None else str(checkpoint)
        return init_detector(str(config), weights, palette="coco", device="cpu")


def test_rtmdet(shared_media: Path, tmp_path: Path) -> None:
    frames = read_frames(shared_media / CLIP)
    config = CONFIGS / "person" / "rtmdet_tiny_8xb32-300e_coco.py"
    theirs = _reference(config)
    picture = torch.from_numpy(frames[0][None, :640, :640].copy()).permute(0, 3, 1, 2).float() / 64 - 2
    enliven(theirs, lambda: theirs(picture))
    for layer in theirs.bbox_head.rtm_cls:
        scale(layer, 1, bias=-15)
        # Persons, the first class, stand out.
        layer.bias.data[0] = -1
    for layer in theirs.bbox_head.rtm_reg:
        scale(layer, 1, bias=2)
    checkpoint = save(theirs, tmp_path / "random.pth")
    ours = Detector.load(config, checkpoint, device="cpu", backend="torch")
    # Frames of two sizes in one call, in an order that grouping by size must undo.
    batch = [frames[0], frames[30][:700, :500], frames[60]]
    got = ours.predict(batch)
    expected = [their_boxes(theirs, frame) for frame in batch]
    for one, other in zip(got, expected, strict=True):
        assert len(other) >= 1
        assert_boxes_alike(one, other)
    assert expected[0].shape != expected[2].shape or np.abs(expected[0] - expected[2]).max() > 10 * SCORES
    wrong = ours.predict([frames[0][..., ::-1]])[0]
    assert len(wrong) != len(got[0]) or np.abs(wrong[:, 4] - got[0][:, 4]).max() > 10 * SCORES


def test_faster_rcnn(shared_media: Path, tmp_path: Path) -> None:
    frame = read_frames(shared_media / CLIP)[0]
    config = CONFIGS / "person" / "faster-rcnn_r50_fpn_2x_coco.py"
    theirs = _reference(config)
    picture = torch.from_numpy(frame[None, :640, :640].copy()).permute(0, 3, 1, 2).float() / 64 - 2
    enliven(theirs, lambda: theirs.extract_feat(picture))
    scale(theirs.rpn_head.rpn_cls, 4)
    with imports.scope("mmdet"):
        found = inference_detector(theirs, np.ascontiguousarray(frame[..., ::-1])).pred_instances
    # Random weights favour some class; let that one be persons, the first.
    favourite = int(found.labels.mode().values)
    head = theirs.roi_head.bbox_head
    for rows in (head.fc_cls.weight, head.fc_cls.bias):
        rows.data[[0, favourite]] = rows.data[[favourite, 0]]
    checkpoint = save(theirs, tmp_path / "random.pth")
    expected = their_boxes(theirs, frame)
    ours = Detector.load(config, checkpoint, device="cpu", backend="torch")
    assert len(expected) >= 3
    assert np.ptp(expected[:, 4]) > 10 * SCORES
    assert_boxes_alike(ours.predict([frame])[0], expected)


def test_real_detector_equals_mmdet_and_finds_the_person(shared_media: Path) -> None:
    checkpoint = shared_media / "weights/derived/rtmdet_nano_person_from_onnx.pth"
    config = CONFIGS / "person" / "rtmdet_nano_320-8xb32_person.py"
    ours = Detector.load(config, checkpoint, device="cpu", backend="torch")
    theirs = _reference(config, checkpoint)
    # One adult exercising, standing in the middle of a square picture.
    frames = read_frames(shared_media / "people/tensorflow+tfjs-models/pose-detection/test_data/pose_1.mp4")
    found = ours.predict([frames[0], frames[60]])
    for boxes, frame in zip(found, (frames[0], frames[60]), strict=True):
        assert_boxes_alike(boxes, their_boxes(theirs, frame))
        certain = boxes[boxes[:, 4] > 0.6]
        assert len(certain) == 1
        x1, y1, x2, y2, score = certain[0]
        assert score > 0.8
        assert 150 < x1 < 300 and 100 < y1 < 260 and 300 < x2 < 450 and 400 < y2 < 500
    # Slides without any person.
    empty = read_frames(shared_media / "people/kkroening+ffmpeg-python/examples/in.mp4")[60]
    assert (ours.predict([empty])[0][:, 4] < 0.5).all()


def test_class_count_follows_the_checkpoint(tmp_path: Path) -> None:
    config = loading.load_config(CONFIGS / "person" / "rtmdet_tiny_8xb32-300e_coco.py")
    config.model.bbox_head.num_classes = 1
    path = tmp_path / "one.pth"
    torch.save({"state_dict": loading.build(config.model, "mmdet", 0).state_dict()}, path)
    detector = Detector.load(
        CONFIGS / "person" / "rtmdet_tiny_8xb32-300e_coco.py", path, device="cpu", backend="torch"
    )
    assert detector.predict([np.zeros((64, 48, 3), np.uint8)])[0].shape[1] == 5
