"""Clips for the moderation net: drawn once, kept, and looked at in many ways."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phar.openmmlab.backends import machine
from phar.openmmlab.clips import read_clip
from phar.openmmlab.loading import load_config
from phar.openmmlab.training import read_plan
from phar.profile import RESOURCES
from phar.schema import UsageError
from phar.synth import load_safety, load_world
from phar.training import bundle
from phar.training.safety import DRAWN_PX, GROUPS, NUM_DRAWN, STEP_S, DrawnSamples, SafetySamples, draw_clips

CONFIG = RESOURCES / "configs/moderation/i3d_demo.py"


def samples(size: int = 5, split: str = "train") -> SafetySamples:
    return SafetySamples(load_world(), split, 0, size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_clips(samples(), folder, num_workers=0)
    return folder


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    """Clips of one size whose every picture is of one grey: 60 + 20 * clip + place."""
    groups = ("unsafe", "twin", "other", "nothing", "unsafe", "other")
    pictures = np.full((len(groups), NUM_DRAWN, DRAWN_PX[1], DRAWN_PX[0], 3), 60, np.uint8)
    pictures += (np.arange(len(groups)) * NUM_DRAWN)[:, None, None, None, None].astype(np.uint8)
    pictures += np.arange(NUM_DRAWN)[None, :, None, None, None].astype(np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    np.save(tmp_path / "facts.npy", [[DRAWN_PX[1], DRAWN_PX[0], GROUPS.index(name)] for name in groups])
    return tmp_path


def test_clips_are_drawn_as_the_deployed_net_takes_its_frames() -> None:
    config = load_config(CONFIG)
    clip = read_clip(config, "seconds")
    assert clip.sampler.frame_interval / 30 == STEP_S
    assert clip.sampler.clip_len < NUM_DRAWN
    # Room to crop on both sides.
    assert all(seen < drawn for seen, drawn in zip(clip.frame_size(640, 360), DRAWN_PX, strict=True))


def test_a_clip_shows_what_its_group_says() -> None:
    found = samples(40)
    safety = load_safety()
    for index in range(12):
        drawn = found[index]
        if GROUPS[drawn.group] == "nothing":
            continue
        label = safety.clip(0, index).label
        assert (drawn.group == 0) == (label in safety.unsafe)
        assert (drawn.group == 1) == (label in safety.twins)
        assert len(drawn.frames) == NUM_DRAWN
        assert drawn.frames.shape[1] == DRAWN_PX[1] or drawn.frames.shape[2] == DRAWN_PX[0]


def test_another_world_has_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    world = load_world()
    monkeypatch.setattr(world, "version", 2)
    with pytest.raises(UsageError, match="no stand-in for unsafe selects from world 2"):
        SafetySamples(world, "train", 0, 1)


def test_what_is_drawn_is_kept_and_what_is_missing_is_drawn(folder: Path) -> None:
    pictures = np.load(folder / "pictures.npy", mmap_mode="r+")
    whole = pictures.copy()
    note = json.loads((folder / "done.json").read_text())
    assert note["done"] == 5
    pictures[1], pictures[4] = 7, 7
    pictures.flush()
    (folder / "done.json").write_text(json.dumps({**note, "done": 3}))
    draw_clips(samples(), folder, num_workers=0)
    again = np.load(folder / "pictures.npy")
    assert (again[1] == 7).all()
    assert (again[[0, 2, 3, 4]] == whole[[0, 2, 3, 4]]).all()
    # Of another seed nothing fits.
    draw_clips(SafetySamples(load_world(), "train", 1, 5), folder, num_workers=0)
    assert not (np.load(folder / "pictures.npy")[1] == 7).all()
    draw_clips(samples(), folder, num_workers=0)
    assert (np.load(folder / "pictures.npy") == whole).all()


def test_validation_shows_each_clip_s_middle_as_a_window_of_two_seconds_does(painted: Path) -> None:
    shown = DrawnSamples(painted, 6, 0, clip_len=16, varied=False)
    assert [shown[i].label for i in range(6)] == [1, 0, 0, 0, 1, 0]
    assert [shown.group(i) for i in range(3)] == ["unsafe", "twin", "other"]
    # The sixteenth frame lies beyond a window of 60 frames, so the fifteenth is shown again.
    assert shown[1].frames[:, 0, 0, 0].tolist() == [60 + 20 + 2 + i for i in (*range(15), 14)]


def test_training_looks_keep_what_is_true(painted: Path) -> None:
    looks = DrawnSamples(painted, 6000, 3, clip_len=16, varied=True)
    seen = {"frozen": 0, "cut": 0, "backwards": 0}
    for index in range(300):
        record = looks[index]
        assert len(record.frames) == 16
        # Light changes values by a rising curve, so clips are told apart by their order only.
        values = record.frames.astype(int).mean((1, 2, 3))
        steps = np.diff(values)
        still = np.ptp(values) < 1e-6
        seen["frozen"] += still
        seen["cut"] += bool((np.abs(steps) > 8).any())
        seen["backwards"] += bool((steps < 0).all())
        if still:
            assert record.label == 0
    assert seen["frozen"] and seen["cut"]
    first, again = looks[11], DrawnSamples(painted, 6000, 3, clip_len=16, varied=True)[11]
    assert (first.frames == again.frames).all()
    assert sorted({looks._number(i) for i in range(6)}) == list(range(6))
    assert [looks._number(i) for i in range(6)] != [looks._number(i) for i in range(6, 12)]


def test_a_net_of_single_pictures_sees_one(painted: Path) -> None:
    for varied in (True, False):
        assert len(DrawnSamples(painted, 6, 0, clip_len=1, varied=varied)[0].frames) == 1


@pytest.mark.parametrize("name", ["moderation", "moderation-still"])
def test_the_net_is_trained_on_what_was_drawn(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_NUM_DRAWN_VAL", 4)

    def few(config: object, where: object) -> object:
        return replace(read_plan(config, where), drawn_clips=4, batch_size=4)

    monkeypatch.setattr(bundle, "read_plan", few)
    settings = bundle.Settings(num_workers=0)
    result = bundle.train_model(name, tmp_path / name, settings, iterations=1)
    assert set(result["validation"]) >= {"acc/top1", "acc/mean1"}
    (noted,) = map(json.loads, (tmp_path / name / "runs.jsonl").read_text().splitlines())
    assert noted["machine"] == machine()
    assert np.load(tmp_path / "drawn/train/facts.npy").shape == (4, 3)
