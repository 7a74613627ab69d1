"""Full-size pose estimators place joints where mmpose's own top-down inference does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from parity import CONFIGS, KEYPOINTS_PX, SCORES, enliven, read_frames, save, scale

from phar.openmmlab import PoseEstimator, imports, loading
from phar.openmmlab.pose import simcc_joints

pytestmark = pytest.mark.slow

CLIP = "people/open-mmlab+mmaction2/demo/demo_skeleton.mp4"
#: Boxes in a 1920x1080 picture: a person, one reaching out of the picture, a wide and a tiny one.
BOXES = np.array(
    [[800, 200, 1000, 800], [-30, 500, 200, 1200], [300, 300, 900, 420], [50, 60, 53, 66]], float
)


def _reference(config: Path):
    """mmpose's net and pipeline, without `mmpose.apis`, whose drawing part imports torchvision."""
    loaded = loading.load_config(config)
    with imports.scope("mmpose"):
        return loading.build(loaded.model, "mmpose", 0), Compose(loaded.val_pipeline[1:])


def _joints(model, pipeline: Compose, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """What mmpose finds in an RGB frame: (n, 17, 3)."""
    with imports.scope("mmpose"):
        # COCO's joints with left and right exchanged.
        meta = {"flip_indices": [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]}
        picture = np.ascontiguousarray(frame[..., ::-1])
        data = [
            pipeline(
                {
                    "img": picture,
                    "bbox": box[None].astype(np.float32),
                    "bbox_score": np.ones(1, np.float32),
                    **meta,
                }
            )
            for box in boxes
        ]
        with torch.no_grad():
            samples = model.test_step(pseudo_collate(data))
    found = [s.pred_instances for s in samples]
    return np.stack([np.concatenate([f.keypoints[0], f.keypoint_scores[0][:, None]], 1) for f in found])


def _assert_alike(got: np.ndarray, expected: np.ndarray) -> None:
    assert got.shape == expected.shape and got.dtype == np.float32
    assert np.abs(got[..., 2] - expected[..., 2]).max() <= SCORES
    assert np.abs(got[..., :2] - expected[..., :2]).max() <= KEYPOINTS_PX


@pytest.mark.parametrize("flip_test", [False, True])
def test_rtmpose(flip_test: bool, shared_media: Path, tmp_path: Path) -> None:
    frame = read_frames(shared_media / CLIP)[0]
    config = CONFIGS / "person" / "rtmpose-s_8xb256-420e_coco-256x192.py"
    theirs, pipeline = _reference(config)
    theirs.test_cfg["flip_test"] = flip_test
    crops = torch.from_numpy(frame[:256, :192].copy()).permute(2, 0, 1)[None].float() / 64 - 2
    enliven(theirs, lambda: theirs.extract_feat(torch.cat([crops, crops.flip(-1)])))
    scale(theirs.head.cls_x, 3)
    scale(theirs.head.cls_y, 3)
    ours = PoseEstimator.load(
        config, save(theirs, tmp_path / "random.pth"), device="cpu", backend="torch", flip_test=flip_test
    )
    expected = _joints(theirs, pipeline, frame, BOXES)
    got = ours.predict([frame, frame], [BOXES, np.zeros((0, 5))])
    assert got[1].shape == (0, 17, 3)
    _assert_alike(got[0], expected)
    wrong = ours.predict([frame[..., ::-1]], [BOXES])[0]
    assert np.abs(wrong[..., 2] - expected[..., 2]).max() > 2 * SCORES


def test_hrnet_with_the_flip_test_its_config_asks_for(shared_media: Path, tmp_path: Path) -> None:
    frame = read_frames(shared_media / CLIP)[0]
    config = CONFIGS / "person" / "td-hm_hrnet-w32_8xb64-210e_coco-256x192.py"
    theirs, pipeline = _reference(config)
    assert theirs.test_cfg["flip_test"]
    crops = torch.from_numpy(frame[:256, :192].copy()).permute(2, 0, 1)[None].float() / 64 - 2
    enliven(theirs, lambda: theirs.extract_feat(crops))
    ours = PoseEstimator.load(config, save(theirs, tmp_path / "random.pth"), device="cpu", backend="torch")
    boxes = BOXES[:2]
    expected = _joints(theirs, pipeline, frame, boxes)
    _assert_alike(ours.predict([frame], [boxes])[0], expected)
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
