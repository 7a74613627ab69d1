"""Gates: which windows a stream looks at, and the reason given where it does not."""

import numpy as np
import pytest

from phar.schema import StreamScore, Window
from phar.streams.gates import keypoint_gate, keypoint_share, proposal_gate, top_labels

WINDOW = Window(0, 0.0, 7.0)
LABELS = ("walk", "run", "sing", "talk")


def rgb(*probs: float) -> StreamScore:
    return StreamScore("rgb", WINDOW, probs=np.array(probs, dtype=np.float32))


def test_top_labels_come_best_first_and_ties_keep_the_label_files_order():
    assert top_labels(rgb(0.2, 0.3, 0.2, 0.3), LABELS, 3) == ["run", "talk", "walk"]


def test_a_silent_score_has_no_top_labels():
    assert top_labels(StreamScore("rgb", WINDOW, silent="no frame"), LABELS, 3) == []


@pytest.mark.parametrize(
    ("topk", "proposed", "is_open"),
    [(1, None, False), (2, "sing", True), (3, "sing", True), (None, None, True)],
)
def test_a_stream_looks_only_where_rgb_proposes_one_of_its_labels(topk, proposed, is_open):
    label, reason = proposal_gate(rgb(0.5, 0.1, 0.3, 0.1), LABELS, ("sing", "talk"), topk)
    assert label == proposed
    assert (reason is None) == is_open


def test_the_closed_gate_says_why():
    _, reason = proposal_gate(rgb(0.5, 0.4, 0.1, 0.0), LABELS, ("sing",), 2)
    assert reason == "none of RGB's top 2 labels is one this stream knows"


def test_without_rgb_every_gate_on_its_labels_is_open():
    assert proposal_gate(None, (), ("sing",), 2) == (None, None)


def persons(num: int, certain: int) -> np.ndarray:
    keypoints = np.zeros((num, 17, 3), dtype=np.float32)
    keypoints[:, :certain, 2] = 0.9
    return keypoints


def test_keypoint_share_counts_certain_keypoints_over_all():
    # 2 persons with 10 of 17 and 1 person with 17 of 17: 37 of 51.
    share = keypoint_share([persons(2, 10), persons(1, 17)], 0.4)
    assert share == pytest.approx(37 / 51)


def test_a_frame_without_a_person_counts_as_one_person_unseen():
    assert keypoint_share([persons(1, 17), persons(0, 0)], 0.4) == 0.5


def test_a_keypoint_at_the_threshold_is_not_above_it():
    keypoints = np.full((1, 17, 3), 0.4, dtype=np.float32)
    assert keypoint_share([keypoints], float(np.float32(0.4))) == 0.0


def test_no_frames_have_no_share():
    assert keypoint_share([], 0.4) == 0.0


@pytest.mark.parametrize(
    ("share", "needed", "reason"),
    [
        (0.35, 0.35, None),
        (0.1, None, None),
        (0.21, 0.35, "only 21% of the keypoints are certain, 35% are needed"),
    ],
)
def test_keypoint_gate(share, needed, reason):
    assert keypoint_gate(share, needed) == reason
