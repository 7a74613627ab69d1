"""Training on one's own videos: which frames are read, augmented how, and moderation on the same data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from own_data import CLIPS, COLOURS, make_videos

from phar.cli.main import main
from phar.dataset.listing import read_clips
from phar.media import write_video
from phar.openmmlab import imports
from phar.openmmlab.clips import read_clip
from phar.openmmlab.loading import load_config
from phar.openmmlab.training import read_log
from phar.profile import load_profile
from phar.schema import MediaError, ModelError
from phar.training.examples import Labelled
from phar.training.sources import SOURCES
from phar.training.videos import VideoExamples, read_at

OPTIONS = ("--workers", "0", "--threads", "1", "--precision", "fp32", "--patience", "0")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose n-th frame has the brightness 4 n."""
    path = tmp_path_factory.mktemp("numbered") / "n.mp4"
    pictures = ((n / 10, np.full((32, 32, 3), 4 * n, np.uint8)) for n in range(60))
    write_video(path, pictures, 10, None, crf=4)
    return path


def shown(pictures: list[np.ndarray]) -> list[int]:
    return [round(float(picture.mean()) / 4) for picture in pictures]


def test_the_frames_on_show_are_read(numbered: Path) -> None:
    def same(width: int, height: int) -> tuple[int, int]:
        return width, height

    # At the video's own rate numbers are frames; asked for in any order, and again.
    assert shown(read_at(numbered, 1.5, 10, same, np.array([0, 7, 3, 3]))) == [15, 22, 18, 18]
    # Thirty a second: three in a row fall into one frame.
    assert shown(read_at(numbered, 2.0, 30, same, np.array([0, 1, 2, 3, 29]))) == [20, 20, 20, 21, 29]
    # Past the end the last frame stays.
    assert shown(read_at(numbered, 5.5, 10, same, np.array([3, 9]))) == [58, 59]
    small = read_at(numbered, 0.0, 10, lambda width, height: (16, 8), np.array([2]))[0]
    assert small.shape == (8, 16, 3)
    with pytest.raises(MediaError, match="no such file"):
        read_at(numbered.with_name("none.mp4"), 0, 10, same, np.array([0]))


def test_a_window_of_a_long_clip_is_shown(numbered: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.csv"
    listing.write_text(f"file,start_s,end_s,label,split\n{numbered},1.0,5.0,a,train\n")
    clips = read_clips(listing)
    config = tmp_path / "net.py"
    config.write_text(CLIPS)
    clip = read_clip(load_config(config), "frames-1.x")
    chosen = Labelled.of(clips, lambda each: 0)

    def first(order: object, position: int, rule: str = "frames-1.x") -> tuple[int, float, int]:
        record = VideoExamples(chosen, 9, order, 2.0, 0, clip=clip, sampling=rule)[position]  # type: ignore[arg-type]
        return record.num_frames, record.fps, shown(record.read(np.array([0])))[0]

    assert first(None, 0) == (20, 10.0, 20)
    assert first(None, 0, "seconds") == (60, 30.0, 20)
    starts = {first(chosen.shuffled(0), position)[2] for position in range(9)}
    assert len(starts) > 3 and min(starts) >= 10 and max(starts) <= 30


def test_augmentation_is_one_for_a_clip_and_follows_the_seed() -> None:
    with imports.scope("mmaction"):
        from mmengine.dataset import Compose

        step = Compose(
            [
                {
                    "type": "Albu",
                    "transforms": [
                        {"type": "Affine", "rotate": (-40, 40), "p": 1},
                        {"type": "ElasticTransform", "alpha": 40, "sigma": 5, "p": 1},
                        {"type": "InvertImg", "p": 0.5},
                    ],
                }
            ]
        )
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[10:20, 10:40] = 200

    def varied(seed: int) -> list[np.ndarray]:
        np.random.seed(seed)
        return step({"imgs": [picture] * 3, "img_shape": (40, 60)})["imgs"]

    once, again, other = varied(1), varied(1), varied(2)
    assert all(np.array_equal(frame, once[0]) for frame in once)
    assert np.array_equal(once[0], again[0]) and not np.array_equal(once[0], other[0])
    assert not np.array_equal(once[0], picture)
    with imports.scope("mmaction"), pytest.raises(ModelError, match="no transform 'Sharpen2'"):
        Compose([{"type": "Albu", "transforms": [{"type": "Sharpen2"}]}])({"imgs": [picture]})


def test_a_recognizer_of_videos_learns_colours(videos: Path, tmp_path: Path, capsys) -> None:
    config = tmp_path / "net.py"
    config.write_text(CLIPS)
    out = tmp_path / "out"
    arguments = [
        "rgb",
        "--data",
        videos,
        "--config",
        config,
        "--out",
        out,
        "--export",
        tmp_path / "mine.yaml",
    ]
    assert main(["train", *map(str, arguments), *OPTIONS]) == 0
    assert max(row.get("acc/mean1", 0) for row in read_log(out)) == 1.0
    profile = load_profile(tmp_path / "mine.yaml")
    # What is known comes first, in the profile's order; of demo's labels it is none.
    assert profile.streams["rgb"].labels == ("none", "blue", "red")
    assert profile.streams["rgb"].sampling == "frames-1.x"
    capsys.readouterr()
    predicted = ["rgb", "--profile", tmp_path / "mine.yaml", "--data", videos, "--per-class"]
    assert main(["predict", *map(str, predicted)]) == 0
    assert "top-1 1.0000, mean over classes 1.0000 (3 clips)" in capsys.readouterr().out


def test_moderation_takes_the_same_data(videos: Path, tmp_path: Path, capsys) -> None:
    source = SOURCES["moderation"](videos, None, ())
    assert source.labels == ("safe", "unsafe")
    chosen = source.split("train")
    named = {(clip.label, number) for clip, number in zip(chosen.clips, chosen.numbers, strict=True)}
    assert named == {("none", 0), ("red", 1), ("blue", 1)}
    # Half is safe; of the unsafe half, each label is seen alike.
    order = chosen.balanced(0)
    seen = [chosen.clips[order[position]].label for position in range(40)]
    assert {label: seen.count(label) for label in COLOURS} == {"none": 20, "red": 10, "blue": 10}
    config = tmp_path / "net.py"
    config.write_text(CLIPS)
    arguments = [
        "moderation",
        "--data",
        videos,
        "--config",
        config,
        "--out",
        tmp_path / "out",
        "--iterations",
        2,
    ]
    assert main(["train", *map(str, arguments), *OPTIONS]) == 0
    assert "none counts as safe, as unsafe count blue, red" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["clips"]["train"] == {"safe": 2, "unsafe": 4}


def test_a_config_of_mmaction_needs_no_plan_of_ours(videos: Path, tmp_path: Path) -> None:
    text = CLIPS.partition("training =")[0].replace("train_pipeline =", "steps =") + (
        "train_dataloader = dict(batch_size=3, dataset=dict(type='VideoDataset', pipeline=steps))\n"
        "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)\n"
        "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01), clip_grad=dict(max_norm=40))\n"
    )
    config = tmp_path / "theirs.py"
    config.write_text(text)
    out = tmp_path / "out"
    assert (
        main(["train", "rgb", "--data", str(videos), "--config", str(config), "--out", str(out), *OPTIONS])
        == 0
    )
    # Two epochs of six clips, three at a time.
    assert read_log(out)[-1]["iteration"] == 4
    config.write_text(text.partition("optim_wrapper")[0])
    arguments = ["rgb", "--data", str(videos), "--config", str(config), "--out", str(tmp_path / "o")]
    assert main(["train", *arguments, *OPTIONS]) == 4


def test_trainings_of_one_second_share_nothing(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "net.py"
    config.write_text(CLIPS)
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    for name in ("one", "other"):
        out = tmp_path / name / "out"
        arguments = ["rgb", "--data", str(videos), "--config", str(config), "--out", str(out)]
        assert main(["train", *arguments, "--iterations", "1", *OPTIONS]) == 0
        assert read_log(out)[-1]["iteration"] == 1
        shutil.rmtree(tmp_path / name)
