"""Training samples: pure functions of their position, and what they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phar.synth import Elsewhere, load_world
from phar.training.samples import SAMPLES, FrameSamples, Kept, PoseSamples, SoundSamples
from phar.training.stills import PersonSamples, PictureSamples, SceneSamples

WORLD = load_world(1)


def arrays(record: object) -> list[np.ndarray]:
    values = list(vars(record).values())
    values += [v for inner in values if hasattr(inner, "keypoints") for v in vars(inner).values()]
    return [v for v in values if isinstance(v, np.ndarray)]


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_position_gives_the_same_sample_in_any_order(kind: str) -> None:
    in_order = SAMPLES[kind](WORLD, "train", 3, 100)
    first = [in_order[i] for i in range(4)]
    alone = SAMPLES[kind](WORLD, "train", 3, 100)[3]
    assert arrays(alone), "the record holds no array"
    for one, other in zip(arrays(first[3]), arrays(alone), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["rgb", "person"])
def test_splits_and_seeds_show_different_pictures(kind: str) -> None:
    records = [
        arrays(SAMPLES[kind](WORLD, split, seed, 10)[1])[0]
        for split, seed in (("train", 0), ("train", 1), ("val", 0))
    ]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert records[a].shape != records[b].shape or (records[a] != records[b]).any()


def test_frames_are_eight_pictures() -> None:
    record = FrameSamples(WORLD, "train", 0, 100)[5]
    assert record.frames.shape[0] == 8
    assert record.frames.dtype == np.uint8
    assert record.frames.ndim == 4


def test_pictures_of_one_clip_follow_each_other_and_clips_do_not_repeat() -> None:
    samples = PersonSamples(WORLD, "train", 0, 1000)
    assert [samples.number(i) for i in range(13)] == [0] * 6 + [1] * 6 + [2]
    assert [FrameSamples(WORLD, "train", 0, 1000).number(i) for i in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [PersonSamples, SceneSamples])
def test_training_looks_twice_at_a_picture_that_is_drawn_once(
    kind: type[PersonSamples | SceneSamples], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draw = kind._draw_still

    def counted(self: PersonSamples | SceneSamples, number: int) -> object:
        drawn.append(number)
        return draw(self, number)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "_draw_still", counted)
    samples = kind(WORLD, "train", 0, 4000)
    first, second = samples.still(3), samples.still(256 + 3)
    assert first is second
    assert drawn == [3]
    assert samples.still(512).clip is not first.clip
    assert drawn == [3, 256]
    one, two = (samples[position] for position in (3, 256 + 3))
    shown = "frame" if kind is SceneSamples else "box"
    assert not np.array_equal(getattr(one, shown), getattr(two, shown))

    held = kind(WORLD, "val", 0, 4000)
    drawn.clear()
    held.still(3)
    held.still(256 + 3)
    assert drawn == [3, 259], "validation looks at each picture once"


@pytest.mark.parametrize("kind, low, high", [("rgb", 0.2, 0.3), ("scene", 0.03, 0.1)])
def test_nets_that_say_none_are_shown_other_places_in_training_alone(
    kind: str, low: float, high: float
) -> None:
    shown = {
        split: [SAMPLES[kind](WORLD, split, 0, 4000)._draw(number) for number in range(500)]  # type: ignore[attr-defined]
        for split in ("train", "val")
    }
    elsewhere = [window for window in shown["train"] if isinstance(window.clip, Elsewhere)]
    assert low < len(elsewhere) / 500 < high
    assert {window.label for window in elsewhere} == {"none"}
    assert all(0 <= w.start_s < w.end_s <= w.clip.duration_s for w in elsewhere)
    assert not any(isinstance(window.clip, Elsewhere) for window in shown["val"])


def test_streams_without_none_are_shown_the_world_alone() -> None:
    for kind in ("skeleton", "audio", "person", "pose"):
        samples = SAMPLES[kind](WORLD, "train", 0, 1000)
        assert not any(isinstance(samples._draw(n).clip, Elsewhere) for n in range(60))  # type: ignore[attr-defined]


def test_a_picture_of_another_place_has_no_joints_and_no_action() -> None:
    samples = SceneSamples(WORLD, "train", 0, 4000)
    number = next(n for n in range(4000) if isinstance(samples.window(n).clip, Elsewhere))
    record = samples[number]
    assert record.frame.shape == (128, 192, 3)
    assert record.joints.shape == (0, 17, 2) and record.place_boxes.shape == (0, 4)
    assert "none" in WORLD.postures[record.label]


def test_samples_that_are_kept_are_made_once() -> None:
    made = []

    class Counted:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> str:
            made.append(index)
            return "abc"[index]

    kept = Kept(Counted())  # type: ignore[arg-type]
    assert len(kept) == 3
    assert [kept[i] for i in (2, 0, 2, 0)] == ["c", "a", "c", "a"]
    assert made == [2, 0]


def test_every_label_of_a_stream_has_its_share() -> None:
    for samples, num_labels in ((PoseSamples, 6), (SoundSamples, 4)):
        drawn = [samples(WORLD, "train", 0, 1000)._draw(i).label for i in range(60)]
        vocabulary = WORLD.skeleton_labels if num_labels == 6 else WORLD.audio_labels
        assert set(drawn) == set(vocabulary)


def test_joints_of_absent_persons_are_zero_with_no_confidence() -> None:
    samples = PoseSamples(WORLD, "train", 0, 100)
    clips = [samples[i].clip for i in range(12)]
    absent = [clip.scores == 0 for clip in clips]
    assert any(where[1].all() for where in absent), "nobody is ever alone"
    assert any(not where[1].all() for where in absent), "nobody is ever in company"
    for clip, where in zip(clips, absent, strict=True):
        assert not clip.keypoints[where].any()
        assert clip.scores.max() <= 1.3


def test_a_person_sample_holds_its_joints() -> None:
    samples = PersonSamples(WORLD, "val", 0, 100)
    for index in range(4):
        record = samples[index]
        visible = record.keypoints[record.keypoints[:, 2] == 2]
        assert len(visible)
        size = record.box[2:] - record.box[:2]
        inside = (visible[:, :2] > record.box[:2] - 0.1 * size) & (
            visible[:, :2] < record.box[2:] + 0.1 * size
        )
        assert inside.all(1).mean() > 0.8


def test_pictures_may_be_empty() -> None:
    samples = PictureSamples(WORLD, "train", 0, 400)
    empty = WORLD.clip(0, 0, "none", "empty")
    samples._open[0] = replace(samples.window(0), clip=empty)
    assert samples[0].boxes.shape == (0, 4)


def test_a_scene_s_joints_and_places_lie_where_the_picture_shows_them() -> None:
    # The validation split changes nothing about the picture, so the clip's own truth is the measure.
    samples = SceneSamples(WORLD, "val", 0, 400)
    found = set()
    for index in range(40):
        record = samples[index]
        clip = samples.window(index).clip
        assert record.frame.shape == (128, 192, 3)
        assert clip.segments
        if clip.kind == "clip":
            assert clip.label in WORLD.postures[record.label]
        found |= {("wall", "window", "door", "microphone")[kind] for kind in record.place_kinds}
        assert record.joints.shape[1:] == (17, 2)
        assert record.place_boxes.shape == (len(record.place_kinds), 4)
        assert (record.place_boxes[:, 2:] > record.place_boxes[:, :2]).all()
    assert len(found) >= 3


def test_a_wall_is_where_the_picture_changes_with_it() -> None:
    clip = WORLD.clip(77, 0, label="paint")
    ((kind, box),) = clip.places(3.0)[:1]
    assert kind == "wall"
    bare = WORLD.clip(77, 0, label="box")
    changed = np.abs(clip.frame(3.0).astype(int) - bare.frame(3.0)).sum(-1) > 30
    rows, columns = np.nonzero(changed)
    inside = (columns >= box[0] - 2) & (columns <= box[2] + 2) & (rows >= box[1] - 2) & (rows <= box[3] + 2)
    area = max(1.0, float((box[2] - box[0]) * (box[3] - box[1])))
    assert inside.sum() / area > 0.5
