"""Full-size pose estimators place joints where mmpose's own top-down inference does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from parity import (
    CONFIGS,
    SCORES,
    assert_joints_alike,
    enliven,
    pose_reference,
    read_frames,
    save,
    scale,
    their_joints,
)

from phar.openmmlab import PoseEstimator
from phar.openmmlab.pose import simcc_joints

pytestmark = pytest.mark.slow

CLIP = "people/open-mmlab+mmaction2/demo/demo_skeleton.mp4"
#: Boxes in a 1920x1080 picture: a person, one reaching out of the picture, a wide and a tiny one.
BOXES = np.array(
    [[800, 200, 1000, 800], [-30, 500, 200, 1200], [300, 300, 900, 420], [50, 60, 53, 66]], float
)


@pytest.mark.parametrize("flip_test", [False, True])
def test_rtmpose(flip_test: bool, shared_media: Path, tmp_path: Path) -> None:
    frame = read_frames(shared_media / CLIP)[0]
    config = CONFIGS / "person" / "rtmpose-s_8xb256-420e_coco-256x192.py"
    theirs, pipeline = pose_reference(config)
    theirs.test_cfg["flip_test"] = flip_test
    crops = torch.from_numpy(frame[:256, :192].copy()).permute(2, 0, 1)[None].float() / 64 - 2
    enliven(theirs, lambda: theirs.extract_feat(torch.cat([crops, crops.flip(-1)])))
    scale(theirs.head.cls_x, 3)
    scale(theirs.head.cls_y, 3)
    ours = PoseEstimator.load(
        config, save(theirs, tmp_path / "random.pth"), device="cpu", backend="torch", flip_test=flip_test
    )
    expected = their_joints(theirs, pipeline, frame, BOXES)
    got = ours.predict([frame, frame], [BOXES, np.zeros((0, 5))])
    assert got[1].shape == (0, 17, 3)
    assert_joints_alike(got[0], expected)
    wrong = ours.predict([frame[..., ::-1]], [BOXES])[0]
    assert np.abs(wrong[..., 2] - expected[..., 2]).max() > 2 * SCORES


def test_hrnet_with_the_flip_test_its_config_asks_for(shared_media: Path, tmp_path: Path) -> None:
    frame = read_frames(shared_media / CLIP)[0]
    config = CONFIGS / "person" / "td-hm_hrnet-w32_8xb64-210e_coco-256x192.py"
    theirs, pipeline = pose_reference(config)
    assert theirs.test_cfg["flip_test"]
    crops = torch.from_numpy(frame[:256, :192].copy()).permute(2, 0, 1)[None].float() / 64 - 2
    enliven(theirs, lambda: theirs.extract_feat(crops))
    ours = PoseEstimator.load(config, save(theirs, tmp_path / "random.pth"), device="cpu", backend="torch")
    boxes = BOXES[:2]
    expected = their_joints(theirs, pipeline, frame, boxes)
    assert_joints_alike(ours.predict([frame], [boxes])[0], expected)
    assert np.ptp(expected[..., 2]) > 10 * SCORES
    wrong = ours.predict([frame], [boxes + 4])[0]
    assert np.abs(wrong[..., 2] - expected[..., 2]).max() > 2 * SCORES


def test_udp_crops_equal_mmpose() -> None:
    from mmpose.datasets.transforms import TopdownAffine

    from phar.openmmlab.pose import Cropper

    frame = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    for use_udp in (False, True):
        cropper = Cropper(192, 256, 1.25, use_udp)
        for box in ([10.3, 20.1, 80.7, 230.2], [-40, 100, 500, 180], [100, 100, 140, 290]):
            centre, size = cropper.regions(np.array([box]))
            half = np.array([box[2] - box[0], box[3] - box[1]], np.float32) * np.float32(1.25)
            theirs = TopdownAffine((192, 256), use_udp=use_udp).transform(
                {"img": frame, "bbox_center": centre, "bbox_scale": half[None]}
            )
            np.testing.assert_array_equal(cropper.crop(frame, centre[0], size[0]), theirs["img"])
            np.testing.assert_allclose(size[0], theirs["input_scale"], rtol=1e-6)


def test_simcc_by_hand() -> None:
    across, down = torch.zeros(1, 2, 8), torch.zeros(1, 2, 6)
    across[0, 0, 5], down[0, 0, 3] = 0.9, 0.7
    across[0, 1, 2], down[0, 1] = 0.4, -1.0
    joints = simcc_joints(across, down, split=2.0)[0]
    np.testing.assert_allclose(joints, [[2.5, 1.5, 0.7], [-0.5, -0.5, -1.0]])
