"""Steps of pose and sound pipelines: what they keep and what they vary."""

from __future__ import annotations

import numpy as np

from phar.openmmlab import imports
from phar.openmmlab.pose_steps import at_even_distances, by_parts, in_body_frame, other_body, varied
from phar.openmmlab.sound_steps import varied as varied_sound


def standing(x: float = 200.0, y: float = 100.0, torso: float = 50.0) -> tuple[np.ndarray, np.ndarray]:
    """One person, four frames: shoulders a torso above the hips, a wrist moving right by 10 px a frame."""
    joints = np.zeros((1, 4, 17, 2), np.float32)
    joints[..., :, :] = [x, y]
    joints[..., 5:7, 1] -= torso
    joints[0, :, 10, 0] += 10 * np.arange(4)
    scores = np.ones((1, 4, 17), np.float32)
    scores[..., 0] = 0
    joints[..., 0, :] = 0
    return joints, scores


def test_a_body_is_measured_by_its_torso() -> None:
    joints, scores = standing()
    placed = in_body_frame(joints, scores)
    np.testing.assert_allclose(placed[0, 0, 11], [0, 0])
    np.testing.assert_allclose(placed[0, 0, 5], [0, -1])
    np.testing.assert_allclose(placed[0, :, 10, 0], [0, 0.2, 0.4, 0.6], rtol=1e-5)
    np.testing.assert_allclose(placed[0, :, 0], 0)
    # Where the camera stands makes no difference.
    far, _ = standing(20.0, 400.0, 25.0)
    far[0, :, 10, 0] -= 5 * np.arange(4)
    np.testing.assert_allclose(in_body_frame(far, scores), placed, atol=1e-5)


def test_a_step_to_the_side_stays_visible() -> None:
    joints, scores = standing()
    walking = joints + np.array([0, 30, 60, 90], np.float32)[None, :, None, None] * [1, 0]
    walking[scores == 0] = 0
    placed = in_body_frame(walking.astype(np.float32), scores)
    np.testing.assert_allclose(np.diff(placed[0, :, 11, 0]), 0.6, rtol=1e-5)


def test_without_hips_joints_alone_serve() -> None:
    joints, scores = standing()
    scores[..., 11:] = 0
    placed = in_body_frame(joints, scores)
    assert np.isfinite(placed).all() and np.abs(placed).max() < 5
    assert not in_body_frame(joints, np.zeros_like(scores)).any()


def test_parts_hold_the_features_of_their_joints() -> None:
    features = np.arange(2 * 3 * 2, dtype=np.float32).reshape(1, 2, 3, 2)
    nodes = by_parts(features, [[2, 0], [1]])
    np.testing.assert_array_equal(nodes[0, 0], [[4, 5, 0, 1], [2, 3, 0, 0]])
    np.testing.assert_array_equal(nodes[0, 1], [[10, 11, 6, 7], [8, 9, 0, 0]])


def length(joints: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(joints[..., a, :] - joints[..., b, :], axis=-1)


def test_another_body_has_other_bones_in_all_frames_alike() -> None:
    rng = np.random.default_rng(0)
    joints, scores = rng.normal(size=(2, 6, 17, 2)).astype(np.float32), np.ones((2, 6, 17), np.float32)
    scores[1, 3, 9], joints[1, 3, 9] = 0, 0
    other = other_body(joints, scores, np.random.RandomState(1), bones=0.2, sweep=(1.0, 1.0))
    for left, right in (((5, 7), (6, 8)), ((11, 13), (12, 14)), ((13, 15), (14, 16))):
        factor = length(other, *left) / length(joints, *left)
        np.testing.assert_allclose(factor, factor[0, 0], rtol=1e-4)
        np.testing.assert_allclose(length(other, *right) / length(joints, *right), factor[0, 0], rtol=1e-4)
        assert 0.8 <= factor[0, 0] <= 1.2
    # Hips stay, and so does what was not seen.
    np.testing.assert_allclose(other[..., 11:13, :], joints[..., 11:13, :], atol=1e-6)
    assert not other[1, 3, 9].any()


def test_another_body_moves_more_or_less_far_about_the_same_place() -> None:
    joints, scores = standing()
    far = other_body(joints, scores, np.random.RandomState(0), bones=0.0, sweep=(1.5, 1.5))
    np.testing.assert_allclose(far[0, :, 10, 0], 215 + 1.5 * (np.array([0, 10, 20, 30]) - 15), rtol=1e-5)
    np.testing.assert_allclose(far[0, :, 5], joints[0, :, 5], rtol=1e-5)


def test_another_pace_keeps_the_order_the_ends_and_the_length() -> None:
    with imports.scope("mmaction"):
        from mmaction.registry import TRANSFORMS

        step = TRANSFORMS.build({"type": "OtherPace", "share": 0.1})
    frames = np.arange(0, 101, 4)
    np.random.seed(0)
    bent = [step({"frame_inds": frames, "total_frames": 101})["frame_inds"] for _ in range(20)]
    for each in bent:
        assert len(each) == len(frames) and each[0] == 0 and each[-1] == 100
        assert (np.diff(each) >= 0).all()
        assert np.abs(each - frames).max() <= 16
    assert len({tuple(each) for each in bent}) == 20
    assert max(np.abs(each - frames).max() for each in bent) > 5


def test_variation_turns_and_scales_all_frames_alike() -> None:
    joints, scores = standing()

    def moved(**settings: object) -> np.ndarray:
        plain = {"rotate_deg": 0.0, "scale": (1, 1), "squeeze": 0.0, "noise": 0.0}
        return varied(joints, scores, np.random.RandomState(0), **{**plain, **settings})

    np.testing.assert_allclose(moved(), joints, atol=1e-3)
    turned = moved(rotate_deg=30.0)
    before, after = (np.linalg.norm(p[0, :, 5] - p[0, :, 11], axis=1) for p in (joints, turned))
    np.testing.assert_allclose(after, before, rtol=1e-4)
    assert np.abs(turned - joints)[..., 1:, :].max() > 1
    np.testing.assert_array_equal(turned[..., 0, :], 0)
    scaled = moved(scale=(1.2, 1.2))
    np.testing.assert_allclose(np.linalg.norm(scaled[0, :, 5] - scaled[0, :, 11], axis=1), 60, rtol=1e-4)
    noisy = moved(noise=0.02)
    assert 0.1 < np.abs(noisy - joints)[..., 1:, :].mean() < 3


def test_parts_of_clips_and_hidden_joints() -> None:
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        part = Compose([{"type": "PartOfClip", "share": 0.5}])
        hide = Compose([{"type": "HideJoints", "share": 0.5}])
    keypoints = np.arange(20, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 17, 2), np.float32)
    record = {"keypoint": keypoints, "keypoint_score": np.ones((1, 20, 17), np.float32), "total_frames": 20}
    np.random.seed(0)
    lengths = set()
    for _ in range(30):
        cut = part(dict(record))
        lengths.add(cut["total_frames"])
        assert cut["keypoint"].shape == (1, cut["total_frames"], 17, 2)
        np.testing.assert_allclose(np.diff(cut["keypoint"][0, :, 0, 0]), 1)
    assert min(lengths) >= 10 and max(lengths) <= 20 and len(lengths) > 4
    hidden = hide(dict(record))["keypoint_score"]
    assert set(np.unique(hidden)) == {0.0, 1.0}
    assert (np.ptp(hidden, axis=1) == 0).all()
    assert record["keypoint_score"].min() == 1


def test_a_whole_clip_at_even_distances() -> None:
    joints, scores = standing()
    scores[0, 3, 10] = 0.0
    scores[0, :, 9] = [0.2, 0.4, 0.6, 0.8]
    found, sure = at_even_distances(joints, scores, 7)
    assert found.shape == (1, 7, 17, 2) and sure.shape == (1, 7, 17)
    # The wrist moves by 10 px a frame and is unseen in the last; there the nearer frame counts.
    np.testing.assert_allclose(found[0, :, 10, 0] - 200, [0, 5, 10, 15, 20, 20, 30], atol=1e-4)
    np.testing.assert_allclose(sure[0, :, 10], [1, 1, 1, 1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(sure[0, :, 9], [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], atol=1e-6)
    assert not sure[0, :, 0].any()
    # Fewer frames than there are, and a clip of one.
    few, _ = at_even_distances(joints, scores, 2)
    np.testing.assert_array_equal(few, joints[:, [0, 3]])
    still, _ = at_even_distances(joints[:, :1], scores[:, :1], 3)
    np.testing.assert_array_equal(still, joints[:, [0, 0, 0]])


def test_a_sampler_finds_the_frames_that_were_made_for_it() -> None:
    joints, scores = standing()
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        frames = Compose(
            [
                {"type": "EvenFrames", "num_frames": 7},
                {"type": "UniformSampleFrames", "clip_len": 7},
                {"type": "PoseDecode"},
            ]
        )
    done = frames({"keypoint": joints, "keypoint_score": scores, "total_frames": 4, "start_index": 0})
    np.testing.assert_array_equal(done["keypoint"], at_even_distances(joints, scores, 7)[0])


def test_sound_is_varied_within_its_bounds() -> None:
    features = np.zeros((40, 80), np.float32)
    features[:, 30] = 0.5
    plain = {"speed": (1, 1), "bands": 0, "level": 0.0, "lead": 0, "masked_rows": 0, "masked_bands": 0}

    def heard(seed: int = 0, **settings: object) -> np.ndarray:
        return varied_sound(features, np.random.RandomState(seed), **{**plain, **settings})

    np.testing.assert_allclose(heard(), features)
    assert len(heard(speed=(2, 2))) == 20
    np.testing.assert_allclose(heard(speed=(2, 2))[:, 30], 0.5)
    bands = {int(heard(seed, bands=3).sum(0).argmax()) for seed in range(40)}
    assert bands == set(range(27, 34))
    assert {len(heard(seed, lead=5)) - 40 for seed in range(40)} == set(range(6))
    louder = heard(1, level=0.2)
    assert 0.3 <= louder[0, 30] <= 0.7 and louder[0, 30] != 0.5 and louder[:, :30].max() == 0
    holes = [int((heard(seed, masked_rows=6)[:, 30] == 0).sum()) for seed in range(40)]
    assert set(holes) <= set(range(7)) and max(holes) > 3
