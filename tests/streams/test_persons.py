"""Persons of frames and windows as flat records."""

from types import SimpleNamespace

import numpy as np

from phar.clock import Stopwatch
from phar.streams.persons import PersonFinder, join_poses, to_poses
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


class FakeFrame:
    """A 200x100 frame that remembers the size it was asked for."""

    width_px, height_px = 200, 100

    def to_rgb(self, width_px, height_px):
        return np.zeros((height_px, width_px, 3), np.uint8)


class FakeDetector:
    def __init__(self):
        self.seen = []

    def predict(self, frames):
        self.seen += [f.shape[:2] for f in frames]
        return [boxes_at(10, 0.9, 0.3, 0.8) for _ in frames]


class FakePose:
    def predict(self, frames, boxes):
        return [np.full((len(b), 17, 3), 4.0, np.float32) for b in boxes]

    def confident(self, keypoints):
        return keypoints


def boxes_at(size, *scores):
    return np.array([[0, 0, size, size, s] for s in scores], dtype=np.float32)


def finder(**changes):
    spec = {"det_score_thr": 0.5, "detector_stride": 1, "max_persons": 5, "short_side_px": None} | changes
    detector = FakeDetector()
    return detector, PersonFinder(SimpleNamespace(**spec), detector, FakePose(), Stopwatch())


def test_frames_are_looked_at_small_and_persons_given_in_source_pixels():
    detector, persons = finder(short_side_px=50)
    ((boxes, keypoints),) = persons.find([FakeFrame()])
    assert detector.seen == [(50, 100)]
    assert boxes[0, :4].tolist() == [0, 0, 20, 20]
    assert keypoints[0, 0].tolist() == [8, 8, 4]


def test_a_short_side_above_the_sources_enlarges_nothing():
    detector, persons = finder(short_side_px=480)
    persons.find([FakeFrame()])
    assert detector.seen == [(100, 200)]


def test_boxes_below_the_threshold_go_and_the_best_stay():
    _, persons = finder(max_persons=1)
    ((boxes, _),) = persons.find([FakeFrame()])
    assert boxes[:, 4].tolist() == [np.float32(0.9)]


def test_the_detector_skips_frames_and_every_frame_gets_persons():
    detector, persons = finder(detector_stride=3)
    found = persons.find([FakeFrame()] * 6)
    assert len(detector.seen) == 3  # frames 0, 3 and the last
    assert [len(boxes) for boxes, _ in found] == [2] * 6
