import hashlib
from pathlib import Path

import numpy as np
import pytest

import phar.synth
from phar.schema import NONE, UsageError
from phar.synth import load_world

ROOT = Path(__file__).resolve().parents[2]
#: The specification the bundled models were trained on.
SHA256 = "206d969d7fcf6b589b0527be7260cb925609b9039e2b67d6aadae0910f4d7f43"


@pytest.fixture(scope="module")
def world():
    return load_world(1)


def test_the_specification_is_frozen(world):
    text = (Path(phar.synth.__file__).parent / "world_1.yaml").read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256 == world.sha256
    assert world.version == 1


def test_labels_are_those_of_the_annotation_files(world):
    for name, labels in (
        ("rgb", world.labels),
        ("skeleton", world.skeleton_labels),
        ("audio", world.audio_labels),
    ):
        assert tuple((ROOT / f"annotations/demo/{name}.txt").read_text().split()) == labels
    assert len(world.labels) == 13
    assert len(world.skeleton_labels) == 6
    assert len(world.audio_labels) == 4


def test_every_label_but_none_is_in_one_pair(world):
    paired = [label for pairs in world.spec["pairs"].values() for pair in pairs for label in pair]
    assert sorted(paired) == sorted(set(world.labels) - {NONE})


@pytest.mark.parametrize(
    "kind, differs",
    [("limb_motion", {"tempo_hz", "offset_cycles"}), ("context", {"place"}), ("sound", {"sound"})],
)
def test_the_labels_of_a_pair_differ_in_nothing_else(world, kind, differs):
    for a, b in world.spec["pairs"][kind]:
        first, second = world.spec["actions"][a], world.spec["actions"][b]
        changed = {key for key in first | second if first.get(key) != second.get(key)}
        assert changed and changed <= differs


def test_splits_share_no_seed(world):
    ranges = sorted((world.seeds(name) for name in ("train", "val", "test")), key=lambda seeds: seeds[0])
    assert [(seeds[0], seeds[-1]) for seeds in ranges] == [
        (0, 999_999),
        (1_000_000, 1_999_999),
        (2_000_000, 2_999_999),
    ]


def test_a_run_of_indexes_holds_every_label_once(world):
    for start in (0, 13, 26):
        labels = [world.clip(77, start + i).label for i in range(13)]
        assert sorted(labels) == sorted(world.labels)


def test_a_splits_name_stands_for_its_first_seed(world):
    assert world.clip("test", 4).seed == 2_000_000
    assert world.video("val", 0).seed == 1_000_000


def test_long_videos_hold_different_segments_end_to_end(world):
    for index in range(12):
        video = world.video(31, index)
        assert 60 <= video.duration_s <= 120 + 35 + 10
        assert video.segments[0].start_s == 0
        assert (
            video.segments[-1].end_s == video.duration_s == pytest.approx(video.num_frames / float(video.fps))
        )
        for before, after in zip(video.segments[:-1], video.segments[1:], strict=True):
            assert before.end_s == after.start_s
            assert before.label != after.label
        for segment in video.segments:
            low = 4 if segment.label == NONE else 13.9
            assert low <= segment.end_s - segment.start_s <= 35.1


def test_the_same_seed_and_index_give_the_same_clip_in_any_order(world):
    again = load_world(1).clip(9, 3)
    once = world.clip(9, 3)
    last = once.frame(4.0)
    for time_s in (0.5, 2.0, 4.0):
        once.frame(time_s, 112, 112)
        once.truth(time_s)
    assert np.array_equal(again.frame(4.0), last)
    assert np.array_equal(once.frame(4.0), last)
    assert not np.array_equal(world.clip(9, 4, label=once.label).frame(4.0, 64, 64), once.frame(4.0, 64, 64))


@pytest.mark.parametrize(
    "ask, word",
    [
        (lambda world: world.clip(1, 0, label="swim"), "swim"),
        (lambda world: world.clip(1, 0, label="none", none_kind="snow"), "snow"),
        (lambda world: world.seeds("dev"), "dev"),
        (lambda world: world.clip(-1, 0), "-1"),
        (lambda world: load_world(99), "99"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(world, ask, word):
    with pytest.raises(UsageError) as caught:
        ask(world)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_windows_take_the_label_that_covers_most(world):
    video = world.video(31, 0)
    cut = video.segments[0].end_s
    label, purity = video.window_label(cut - 5, cut + 2)
    assert label == video.segments[0].label
    assert purity == pytest.approx(5 / 7)
    assert video.window_label(1.0, 8.0) == (video.segments[0].label, 1.0)
    assert video.truth(cut + 0.01).label == video.segments[1].label


def test_postures_join_what_only_tempo_or_sound_tells_apart(world):
    assert world.postures == (
        ("march", "jog"),
        ("wave", "stretch"),
        ("box",),
        ("row",),
        ("paint",),
        ("wipe",),
        ("knock", "ring"),
        ("sing", "talk"),
        ("none",),
    )
