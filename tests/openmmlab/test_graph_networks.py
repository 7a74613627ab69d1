"""Graph networks score keypoints as MMAction2's own inference does."""

from pathlib import Path
from typing import Any

import mmaction
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from parity import enliven, save, scale

from phar.openmmlab import PoseClip, Recognizer, imports
from phar.openmmlab.clips import read_clip
from phar.schema import ModelError

with imports.scope("mmaction"):
    from mmaction.apis import inference_recognizer, init_recognizer

THEIR_CONFIGS = Path(mmaction.__file__).parent / ".mim" / "configs" / "skeleton"
OURS = Path(__file__).resolve().parents[2] / "configs" / "skeleton"
NUM_CLASSES = 5
HEIGHT_PX, WIDTH_PX = 240, 320

SMALL = {
    "stgcnpp": "stgcnpp/stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d.py",
    "stgcnpp-bones": "stgcnpp/stgcnpp_8xb16-bone-u100-80e_ntu60-xsub-keypoint-2d.py",
    "stgcnpp-joint-motion": "stgcnpp/stgcnpp_8xb16-joint-motion-u100-80e_ntu60-xsub-keypoint-2d.py",
    "stgcnpp-bone-motion": "stgcnpp/stgcnpp_8xb16-bone-motion-u100-80e_ntu60-xsub-keypoint-2d.py",
    "stgcn": "stgcn/stgcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d.py",
    "2s-agcn": "2s-agcn/2s-agcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d.py",
}


def small_config(name: str, num_clips: int = 2) -> Config:
    config = Config.fromfile(str(THEIR_CONFIGS / SMALL[name]))
    config.model.backbone.update(base_channels=8, num_stages=4, inflate_stages=[3], down_stages=[3])
    config.model.cls_head.update(num_classes=NUM_CLASSES, in_channels=16)
    for step in config.test_pipeline:
        if step["type"] == "UniformSampleFrames":
            step.update(clip_len=12, num_clips=num_clips)
    return config


def dancers(num_persons: int, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Joints that wander: (M, T, 17, 2) and (M, T, 17); the last person is absent at the start."""
    random = np.random.default_rng(0)
    centre = random.uniform(80, 160, (num_persons, 1, 1, 2))
    shape = random.normal(0, 30, (num_persons, 1, 17, 2))
    steps = np.cumsum(random.normal(0, 3, (num_persons, num_frames, 17, 2)), axis=1)
    points = (centre + shape + steps).astype(np.float32)
    scores = random.uniform(0.3, 1, (num_persons, num_frames, 17)).astype(np.float32)
    points[-1, :9], scores[-1, :9] = 0, 0
    return points, scores


def their_scores(model: Any, points: np.ndarray, scores: np.ndarray, config: Config) -> np.ndarray:
    """What MMAction2's own inference says of all frames of a window."""
    data = {
        "keypoint": points.astype(np.float16),
        "keypoint_score": scores.astype(np.float16),
        "total_frames": points.shape[1],
        "img_shape": (HEIGHT_PX, WIDTH_PX),
        "start_index": 0,
        "modality": "Pose",
        "label": -1,
    }
    with imports.scope("mmaction"):
        return inference_recognizer(model, data, Compose(config.test_pipeline)).pred_score.numpy()


@pytest.mark.parametrize(("name", "num_persons"), [("stgcnpp", 1), *((name, 3) for name in SMALL)])
def test_scores_equal_mmaction(name: str, num_persons: int, tmp_path: Path) -> None:
    config = small_config(name)
    points, scores = dancers(num_persons, 40)
    with imports.scope("mmaction"):
        torch.manual_seed(0)
        theirs = init_recognizer(config.copy(), device="cpu")
    enliven(theirs, lambda: their_scores(theirs, points, scores, config))
    scale(theirs.cls_head.fc, 8)
    expected = their_scores(theirs, points, scores, config)
    ours = Recognizer.load(
        config, save(theirs, tmp_path / "random.pth"), NUM_CLASSES, device="cpu", backend="torch"
    )
    assert ours.clip.follows_persons
    wanted = ours.clip.frame_indices(points.shape[1])
    windows = [
        PoseClip(points[:, at], scores[:, at], HEIGHT_PX, WIDTH_PX, wanted)
        for at in (wanted, wanted[::-1].copy())
    ]
    got = ours.predict(windows)
    np.testing.assert_allclose(got[0], expected, atol=1e-5)
    # Order in time matters to it.
    assert np.abs(got[1] - expected).max() > 1e-3


def test_limbs_drawn_by_mmaction_score_the_same(tmp_path: Path) -> None:
    path = THEIR_CONFIGS / "posec3d" / "slowonly_r50_8xb16-u48-240e_gym-limb.py"
    config = Config.fromfile(str(path))
    config.model.backbone.update(base_channels=8)
    config.model.cls_head.update(num_classes=NUM_CLASSES, in_channels=128)
    for step in config.test_pipeline:
        small = {"UniformSampleFrames": {"clip_len": 8, "num_clips": 2}, "Resize": {"scale": (32, 32)}}
        step.update(small.get(step["type"], {}))
    points, scores = dancers(2, 40)
    with imports.scope("mmaction"):
        torch.manual_seed(0)
        theirs = init_recognizer(config.copy(), device="cpu")
    enliven(theirs, lambda: their_scores(theirs, points, scores, config))
    scale(theirs.cls_head.fc_cls, 8)
    expected = their_scores(theirs, points, scores, config)
    ours = Recognizer.load(
        config, save(theirs, tmp_path / "random.pth"), NUM_CLASSES, device="cpu", backend="torch"
    )
    assert not ours.clip.follows_persons
    wanted = ours.clip.frame_indices(points.shape[1])
    (got,) = ours.predict([PoseClip(points[:, wanted], scores[:, wanted], HEIGHT_PX, WIDTH_PX)])
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert np.ptp(expected) > 0.05


def test_motion_asks_for_the_frames_that_follow() -> None:
    clip = read_clip(small_config("stgcnpp-joint-motion", num_clips=1), "frames-1.x")
    plain = read_clip(small_config("stgcnpp", num_clips=1), "frames-1.x")
    shown = plain.frame_indices(30)
    assert clip.frame_indices(30).tolist() == [*shown, *np.minimum(shown + 1, 29)]
    with pytest.raises(ModelError, match="poses of 12 frames were given, 24 are needed"):
        clip.views(PoseClip(*dancers(1, 12), HEIGHT_PX, WIDTH_PX, shown))


def test_graphs_of_other_joints_are_refused() -> None:
    config = small_config("stgcnpp")
    config.model.backbone.graph_cfg.layout = "nturgb+d"
    with pytest.raises(
        ModelError, match=r"layout 'nturgb\+d', phar finds COCO's 17; name one of layout 'coco'"
    ):
        read_clip(config, "frames-1.x")
    flat = Config.fromfile(str(THEIR_CONFIGS / SMALL["stgcnpp"].replace("2d", "3d")))
    with pytest.raises(ModelError, match=r"layout 'nturgb\+d'"):
        read_clip(flat, "frames-1.x")


def test_the_whole_body_may_be_the_only_node() -> None:
    clip = read_clip(Config.fromfile(str(OURS / "stgcn_whole_small.py")), "frames-1.x")
    shown = clip.frame_indices(60)
    points, scores = dancers(1, 60)
    views = clip.views(PoseClip(points[:, shown], scores[:, shown], HEIGHT_PX, WIDTH_PX))
    # Six features of thirteen joints, and where in the clip each frame stands.
    assert views.shape == (1, 1, 48, 1, 80)
    assert views[..., :78].any(axis=(0, 1, 2, 3)).mean() > 0.9
    np.testing.assert_allclose(views[0, 0, :, 0, 78], np.linspace(-1, 1, 48), atol=1e-6)


def test_graphs_of_parts_must_have_as_many_nodes_as_there_are_parts() -> None:
    config = Config.fromfile(str(OURS / "stgcn_small.py"))
    clip = read_clip(config, "frames-1.x")
    shown = clip.frame_indices(60)
    points, scores = dancers(1, 60)
    views = clip.views(PoseClip(points[:, shown], scores[:, shown], HEIGHT_PX, WIDTH_PX))
    # One clip of one person: 48 frames, two halves, nine features of nine and of six joints.
    assert views.shape == (1, 1, 48, 2, 81)
    assert not views[0, 0, :, 1, 54:].any() and views[0, 0, :, 0, 54:].any()
    config.model.backbone.graph_cfg.layout.num_node = 6
    with pytest.raises(ModelError, match=r"makes 2 nodes, .* layout \{'num_node': 6.*; give .* num_node=2"):
        read_clip(config, "frames-1.x")
    config.model.backbone.graph_cfg.layout = "coco"
    with pytest.raises(ModelError, match=r"BodyParts makes 2 nodes, .* layout 'coco'"):
        read_clip(config, "frames-1.x")


def test_an_unknown_step_is_said_when_the_config_is_read() -> None:
    config = small_config("stgcnpp")
    config.test_pipeline.insert(0, {"type": "Juggle"})
    with pytest.raises(
        ModelError, match=r"test pipeline \(Juggle, PreNormalize2D, GenSkeFeat\) cannot be built"
    ):
        read_clip(config, "frames-1.x")
