"""Full-size recognizers with random weights score as MMAction2's own inference does."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from parity import CONFIGS, SCORES, enliven, overhear, read_frames, save, scale

from phar.openmmlab import PoseClip, Recognizer, imports

with imports.scope("mmaction"):
    from mmaction.apis import inference_recognizer, init_recognizer

pytestmark = pytest.mark.slow


def _reference(config: Path):
    with imports.scope("mmaction"):
        torch.manual_seed(0)
        return init_recognizer(str(config), device="cpu")


def _pipeline(model, *without: str) -> Compose:
    with imports.scope("mmaction"):
        return Compose([step for step in model.cfg.test_pipeline if step["type"] not in without])


def _scores(model, data: dict, pipeline: Compose) -> np.ndarray:
    with imports.scope("mmaction"):
        return inference_recognizer(model, data, pipeline).pred_score.numpy()


def test_timesformer_on_a_real_clip(shared_media: Path, tmp_path: Path) -> None:
    clip = shared_media / "people/tensorflow+tfjs-models/pose-detection/test_data/pose_1.mp4"
    frames = read_frames(clip)
    config = CONFIGS / "rgb" / "timesformer_divST_16x12x1_rgb.py"
    theirs = _reference(config)
    enliven(theirs)
    scale(theirs.cls_head.fc_cls, 4)
    ours = Recognizer.load(config, save(theirs, tmp_path / "random.pth"), 17, device="cpu", backend="torch")

    wanted = ours.clip.frame_indices(len(frames))
    data = {
        "total_frames": len(frames),
        "start_index": 0,
        "modality": "RGB",
        "imgs": [frames[i] for i in wanted],
        "img_shape": frames[0].shape[:2],
        "original_shape": frames[0].shape[:2],
        "label": -1,
    }
    sampled = _pipeline(theirs, "OpenCVInit", "OpenCVDecode")(dict(data))
    assert sampled["inputs"].shape == (3, 3, 16, 224, 224)
    expected = _scores(theirs, data, _pipeline(theirs, "OpenCVInit", "OpenCVDecode"))

    window = np.stack([frames[i] for i in wanted])
    views = ours.clip.views(window)
    np.testing.assert_array_equal(views.transpose(0, 4, 1, 2, 3), sampled["inputs"].numpy())
    got = ours.predict([window])[0]
    assert np.abs(got - expected).max() <= SCORES
    assert abs(got.sum() - 1) < 1e-5
    assert expected.max() - expected.min() > 0.05


def test_posec3d_on_a_real_skeleton(shared_media: Path, tmp_path: Path) -> None:
    with (shared_media / "skeleton/derived/jhmdb_gt_coco17.pkl").open("rb") as file:
        sample = pickle.load(file)["annotations"][5]
    config = CONFIGS / "skeleton" / "slowonly_r50_u54_keypoint.py"
    theirs = _reference(config)
    data = {**sample, "start_index": 0, "modality": "Pose", "label": -1}
    data["keypoint"] = sample["keypoint"].astype(np.float16)
    data["keypoint_score"] = sample["keypoint_score"].astype(np.float16)
    pipeline = _pipeline(theirs)
    inputs = pipeline(dict(data))["inputs"].float()
    assert inputs.shape == (20, 17, 54, 64, 64)
    enliven(theirs, lambda: theirs.extract_feat(inputs[None, :2], test_mode=True))
    scale(theirs.cls_head.fc_cls, 8)
    ours = Recognizer.load(config, save(theirs, tmp_path / "random.pth"), 6, device="cpu", backend="torch")

    wanted = ours.clip.frame_indices(sample["total_frames"])
    poses = PoseClip(
        sample["keypoint"][:, wanted].astype(np.float32),
        sample["keypoint_score"][:, wanted].astype(np.float32),
        *sample["img_shape"],
    )
    # Volumes first, which says where a difference comes from.
    np.testing.assert_allclose(ours.clip.views(poses), inputs.numpy(), atol=1e-5)
    expected = _scores(theirs, data, pipeline)
    heard = overhear(ours)
    got = ours.predict([poses])[0]
    assert np.abs(got - expected).max() <= SCORES
    # A clip and its mirror image differ little, and the net tells them apart.
    probs = torch.cat(heard).softmax(1)
    assert (probs[0] - probs[10]).abs().max() > 10 * SCORES
    assert expected.max() - expected.min() > 0.02


def test_resnet_audio_on_a_feature_file(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = np.cumsum(random.normal(size=(437, 80)), axis=0).astype(np.float32)
    features = (features - features.min()) / np.ptp(features)
    path = tmp_path / "features.npy"
    np.save(path, features)
    config = CONFIGS / "audio" / "resnet101_64x1x10_audio-feature.py"
    theirs = _reference(config)
    pipeline = _pipeline(theirs)
    data = {"audio_path": str(path), "total_frames": len(features), "start_index": 0, "label": -1}
    inputs = pipeline(dict(data))["inputs"]
    assert inputs.shape == (10, 1, 128, 80)
    enliven(theirs, lambda: theirs.extract_feat(inputs[None].float()))
    scale(theirs.cls_head.fc_cls, 8)
    ours = Recognizer.load(config, save(theirs, tmp_path / "random.pth"), 4, device="cpu", backend="torch")
    np.testing.assert_array_equal(ours.clip.views(features), inputs.numpy())
    with imports.scope("mmaction"):
        expected = inference_recognizer(theirs, str(path)).pred_score.numpy()
    got = ours.predict([features, features[::-1].copy()])
    assert expected.max() - expected.min() > 0.02
    assert np.abs(got[0] - expected).max() <= SCORES
    assert np.abs(got[1] - expected).max() > 10 * SCORES
