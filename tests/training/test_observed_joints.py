"""Joints that are found in rendered pictures once and looked at many times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from phar.profile import load_profile, with_overrides
from phar.synth import load_world
from phar.training.observed import ObservedSamples, find_joints
from phar.training.samples import PoseSamples

DEMO = load_profile("demo")


def samples(size: int) -> PoseSamples:
    return PoseSamples(load_world(), "train", 0, size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joints")
    find_joints(samples(3), DEMO, folder, num_workers=0)
    return folder


def test_found_joints_lie_near_the_true_ones(folder: Path) -> None:
    found = ObservedSamples(folder, 3, 0, None)
    for i in range(3):
        times, clip, label = samples(3).instants(i)
        record = found[i]
        assert record.label == load_world().skeleton_labels.index(label)
        assert (record.clip.width_px, record.clip.height_px) == (clip.width_px, clip.height_px)
        true = clip.keypoints(times)[:, 0]
        nearest = np.linalg.norm(record.clip.keypoints - true[None], axis=-1).min(axis=0)
        height = np.nanmax(true[..., 1]) - np.nanmin(true[..., 1])
        assert np.nanmedian(nearest) < 0.1 * height


def test_finding_that_was_stopped_goes_on(folder: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    class Breaking(PoseSamples):
        def rng(self, index: int) -> np.random.Generator:
            if index == 2:
                raise Stopped
            return super().rng(index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phar.openmmlab.training.arrays._NOTE_EVERY", 1)
        with pytest.raises(Stopped):
            find_joints(Breaking(load_world(), "train", 0, 3), DEMO, tmp_path, num_workers=0)
    marked = np.load(tmp_path / "joints.npy")
    marked[0] += 1
    np.save(tmp_path / "joints.npy", marked)
    find_joints(samples(3), DEMO, tmp_path, num_workers=0)
    whole, resumed = np.load(folder / "joints.npy"), np.load(tmp_path / "joints.npy")
    np.testing.assert_array_equal(resumed[0], whole[0] + 1)
    np.testing.assert_array_equal(resumed[1:], whole[1:])


def test_joints_of_other_nets_are_found_anew(tmp_path: Path) -> None:
    find_joints(samples(1), DEMO, tmp_path, num_workers=0)
    before = (tmp_path / "done.json").read_text()
    find_joints(samples(1), with_overrides(DEMO, {"persons": {"max_persons": 1}}), tmp_path, num_workers=0)
    assert (tmp_path / "done.json").read_text() != before
    assert not np.load(tmp_path / "joints.npy")[0, 1].any()


def test_every_other_position_shows_a_found_clip_and_each_once_a_turn(folder: Path) -> None:
    mixed = ObservedSamples(folder, 12, 0, samples(12))
    labels = [ObservedSamples(folder, 3, 0, None)[i].label for i in range(3)]
    for turn in (range(0, 6, 2), range(6, 12, 2)):
        assert Counter(mixed[i].label for i in turn) == Counter(labels)
    np.testing.assert_array_equal(mixed[1].clip.keypoints, samples(12)[1].clip.keypoints)
    np.testing.assert_array_equal(mixed[2].clip.keypoints, mixed[2].clip.keypoints)
