"""Persons of frames and windows as flat records."""

import numpy as np

from phar.streams.persons import join_poses, to_poses
from phar.streams.skeleton import pose_clip


def found(num: int, value: float):
    return (
        np.full((num, 5), value, dtype=np.float32),
        np.full((num, 17, 3), value, dtype=np.float32),
    )


def test_rows_point_at_their_frames():
    poses = to_poses([0.5, 1.0, 1.5], [found(2, 1.0), found(0, 0.0), found(1, 3.0)])
    assert poses.frame_index.tolist() == [0, 0, 2]
    assert poses.boxes[:, 0].tolist() == [1.0, 1.0, 3.0]


def test_a_frame_that_two_windows_share_counts_once():
    first = to_poses([0.0, 1.0], [found(1, 1.0), found(1, 2.0)])
    second = to_poses([1.0, 2.0], [found(1, 2.0), found(2, 3.0)])
    joined = join_poses([first, second])
    assert joined.frame_time_s.tolist() == [0.0, 1.0, 2.0]
    assert joined.frame_index.tolist() == [0, 1, 2, 2]
    assert joined.boxes[:, 0].tolist() == [1.0, 2.0, 3.0, 3.0]


def test_nothing_seen_gives_empty_poses():
    joined = join_poses([])
    assert joined.boxes.shape == (0, 5)
    assert joined.keypoints.shape == (0, 17, 3)


def test_a_pose_clip_pads_missing_persons_with_zeros():
    clip = pose_clip([found(2, 1.0)[1], found(1, 2.0)[1], found(0, 0.0)[1]], 240, 320)
    assert clip.keypoints.shape == (2, 3, 17, 2)
    assert clip.scores[:, :, 0].tolist() == [[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]]
    assert (clip.height_px, clip.width_px) == (240, 320)


def test_a_window_without_any_person_still_has_one_row():
    assert pose_clip([found(0, 0.0)[1]], 10, 10).keypoints.shape == (1, 1, 17, 2)
