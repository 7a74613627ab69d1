"""Steps of pose and sound pipelines: what they keep and what they vary."""

from __future__ import annotations

import numpy as np
import pytest

from phar.openmmlab import imports
from phar.openmmlab.pose_geometry import (
    at_even_distances,
    blended,
    by_parts,
    in_body_frame,
    in_step,
    varied,
    with_position,
    without_scores,
)
from phar.openmmlab.sound_steps import varied as varied_sound
from phar.schema import ModelError


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


def test_the_clip_s_begin_may_tell_where_and_how_large_a_body_is() -> None:
    joints, scores = standing()
    joints[:, 2:] += [40, 0]
    joints[scores == 0] = 0
    placed = in_body_frame(joints, scores, first_frames=2)
    np.testing.assert_allclose(placed[0, :, 11], [[0, 0], [0, 0], [0.8, 0], [0.8, 0]], atol=1e-6)
    np.testing.assert_allclose(placed[0, 0, 5], [0, -1])
    # Somebody who comes in later is measured over the clip.
    scores[:, :2] = 0
    placed = in_body_frame(joints, scores, first_frames=2)
    np.testing.assert_allclose(placed[0, :, 11], 0, atol=1e-6)
    np.testing.assert_allclose(placed[0, 3, 5], [0, -1])


def test_between_two_clips_lies_what_both_see() -> None:
    one, scores = np.zeros((2, 3, 17, 2), np.float32), np.full((2, 3, 17), 0.8, np.float32)
    other, sure = np.full((1, 3, 17, 2), 2.0, np.float32), np.full((1, 3, 17), 0.6, np.float32)
    one[1] = 5
    sure[0, 1, 4] = 0
    keypoints, seen = blended((one, scores), (other, sure), 0.25)
    np.testing.assert_allclose(keypoints[0, 0], 0.5)
    np.testing.assert_allclose(keypoints[0, 1, 4], 0)
    np.testing.assert_allclose(keypoints[1], 5)
    assert seen[0, 1, 4] == 0 and seen[0, 1, 3] == np.float32(0.6) and seen[1, 0, 0] == np.float32(0.8)
    # What went in stays as it was.
    assert one[0].max() == 0 and scores.min() == np.float32(0.8)
    with pytest.raises(ValueError, match="3 and 2 frames"):
        blended((one, scores), (other[:, :2], sure[:, :2]), 0.5)


def waving(turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One person whose left wrist goes round the body at these turns; all but the eyes are seen."""
    joints, scores = np.zeros((1, len(turns), 17, 2)), np.ones((1, len(turns), 17))
    joints[0, :, 9] = np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=-1)
    joints[..., 1:3, :] = scores[..., 1:3] = 0
    return joints.astype(np.float32), scores.astype(np.float32)


def test_like_moments_of_two_clips_coincide() -> None:
    # The same turn, begun late by the one and ended early by the other, who also stands elsewhere.
    late = waving(np.clip(np.linspace(-0.5, 1, 31), 0, 1))
    early = waving(np.clip(np.linspace(0, 1.5, 31), 0, 1))
    elsewhere = early[0] + np.float32(3), early[1]
    (one, seen), (other, _) = in_step(late, elsewhere, 0.5)
    assert one.shape == other.shape == (1, 31, 17, 2) and one.dtype == np.float32
    # Side by side the wrists are up to a diameter apart.
    assert np.abs(late[0] - early[0]).max() > 1.5
    np.testing.assert_allclose(other - one, 3, atol=0.25)
    np.testing.assert_array_equal(seen, late[1])
    # At the pace of the one it stays as it is; the other follows, and may have frames in another number.
    longer = waving(np.linspace(0, 1, 61))
    (same, _), (follows, sure) = in_step(late, longer, 0.0)
    np.testing.assert_allclose(same, late[0], atol=1e-6)
    assert follows.shape == (1, 31, 17, 2) and sure.shape == (1, 31, 17)
    # The wrist moves by 0.3 a frame.
    np.testing.assert_allclose(follows[0, 16:], late[0][0, 16:], atol=0.4)


def test_unseen_joints_say_nothing_of_the_pace() -> None:
    one = waving(np.linspace(0, 1, 31))
    hidden = one[0].copy(), one[1].copy()
    hidden[0][0, 10:20, 9], hidden[1][0, 10:20, 9] = 50, 0
    (kept, _), _ = in_step(one, hidden, 0.5)
    assert np.isfinite(kept).all() and np.abs(kept).max() <= 1
    # A wrist that rests tells as little as one that is never seen, wherever that is said to be.
    late = waving(np.clip(np.linspace(-0.5, 1, 31), 0, 1))
    wild = one[0].copy(), one[1].copy()
    wild[0][0, :, 10], wild[1][0, :, 10] = np.linspace(50, 0, 31)[:, None], 0
    np.testing.assert_array_equal(in_step(late, wild, 0.5)[0][0], in_step(late, one, 0.5)[0][0])
    nobody = np.zeros_like(one[0]), np.zeros_like(one[1])
    (kept, _), (empty, sure) = in_step(one, nobody, 0.0)
    np.testing.assert_allclose(kept, one[0], atol=1e-6)
    assert not empty.any() and not sure.any()


def test_another_clip_goes_through_the_steps_before() -> None:
    joints, scores = standing()
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        frames = {"type": "EvenFrames", "num_frames": 4}
        always = Compose([frames, {"type": "BetweenTwo", "probability": 1.0, "before": [frames]}])
        never = Compose([frames, {"type": "BetweenTwo", "probability": 0.0, "before": [frames]}])
    longer = np.repeat(joints, 3, axis=1) + np.array([100, 0])
    other = {"keypoint": longer, "keypoint_score": np.repeat(scores, 3, axis=1), "total_frames": 12}
    results = {"keypoint": joints, "keypoint_score": scores, "total_frames": 4, "another": lambda rng: other}
    np.random.seed(0)
    moved = [always(dict(results))["keypoint"][0, 0, 11, 0] - 200 for _ in range(40)]
    assert 0 <= min(moved) < 20 and 80 < max(moved) <= 100
    np.testing.assert_array_equal(never(dict(results))["keypoint"], joints)
    del results["another"]
    with pytest.raises(ModelError, match="BetweenTwo needs examples in files"):
        always(results)


def test_scores_are_left_out_of_every_kind_of_feature() -> None:
    features = np.arange(12, dtype=np.float32).reshape(1, 1, 2, 6)
    np.testing.assert_array_equal(without_scores(features)[0, 0], [[0, 1, 3, 4], [6, 7, 9, 10]])


def test_frames_know_where_in_the_clip_they_stand() -> None:
    features = np.ones((1, 5, 2, 3), np.float32)
    told = with_position(features)
    assert told.shape == (1, 5, 2, 5) and told.dtype == np.float32
    np.testing.assert_array_equal(told[..., :3], features)
    for node in range(2):
        np.testing.assert_allclose(told[0, :, node, 3], [-1, -0.5, 0, 0.5, 1])
        np.testing.assert_allclose(told[0, :, node, 4], [1, 0, -1, 0, 1], atol=1e-6)


def test_parts_hold_the_features_of_their_joints() -> None:
    features = np.arange(2 * 3 * 2, dtype=np.float32).reshape(1, 2, 3, 2)
    nodes = by_parts(features, [[2, 0], [1]])
    np.testing.assert_array_equal(nodes[0, 0], [[4, 5, 0, 1], [2, 3, 0, 0]])
    np.testing.assert_array_equal(nodes[0, 1], [[10, 11, 6, 7], [8, 9, 0, 0]])


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
    off = moved(offset=0.02) - joints
    np.testing.assert_allclose(off[0, 1:], np.broadcast_to(off[0, :1], off[0, 1:].shape), atol=1e-4)
    # The clip is 50 px high.
    assert 0.5 < off[0, 0, 1:].std() < 1.5


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
    found = hide(dict(record))
    hidden = found["keypoint_score"]
    assert set(np.unique(hidden)) == {0.0, 1.0}
    assert (np.ptp(hidden, axis=1) == 0).all()
    np.testing.assert_array_equal(found["keypoint"], keypoints * hidden[..., None])
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
