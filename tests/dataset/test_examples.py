"""Examples for skeleton and audio: extraction, what is kept, resuming, and other people's poses."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from phar.cli.main import main
from phar.dataset.examples import read_examples
from phar.dataset.listing import held_out, read_clips
from phar.dataset.manifest import Clip
from phar.dataset.poses import PoseFile, read_poses, write_poses
from phar.dataset.sounds import loud_enough, read_features, thresholds_lufs, windows
from phar.profile import load_profile
from phar.schema import UsageError

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "five_scenes.mp4"
HZ = 16000


def run(*arguments: object) -> int:
    return main(["dataset", *map(str, arguments)])


def clip(number: int, split: str = "train", label: str = "wave", group: str = "") -> Clip:
    return Clip(f"{number:016x}", split, label, "", Path("/v.mp4"), 0.0, 3.0, 0.0, group=group)


def tone(path: Path, seconds: float, level: float, channels: int = 1) -> Path:
    """A tone of 440 Hz as 16-bit PCM."""
    samples = level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * HZ)) / HZ)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, HZ, 0, "NONE", ""))
        file.writeframes(np.repeat((samples * 32767).astype("<i2"), channels).tobytes())
    return path


def listed(path: Path, rows: list[str], head: str = "file,label,split") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_frame_counts_where_one_person_is_seen_well() -> None:
    scores = np.zeros((2, 5, 17), np.float32)
    scores[0, :2] = 0.41
    scores[1, 1:3] = 0.9
    scores[0, 4] = 0.4
    poses = PoseFile(np.zeros((2, 5, 17, 2), np.float32), scores, (240, 320), np.arange(5) / 25)
    assert poses.share_seen(0.4) == pytest.approx(3 / 5)
    nobody = PoseFile(np.zeros((0, 5, 17, 2), np.float32), scores[:0], (240, 320), np.arange(5) / 25)
    assert nobody.share_seen(0.4) == 0.0


def test_poses_of_the_sample_are_found_and_kept(tmp_path: Path, capsys) -> None:
    clips = listed(
        tmp_path / "clips.csv",
        [f"{SAMPLE},53.0,53.5,row,train", f"{SAMPLE},16.5,16.7,none,train", f"{SAMPLE},25.0,25.3,wipe,val"],
        "file,start_s,end_s,label,split",
    )
    out = tmp_path / "poses"
    assert run("skeleton", clips, "--profile", "demo", "--out", out, "--jobs", 1) == 0
    assert "2 clips of 2 labels (1 train, 1 val, 0 test); 0 of 2 left out" in capsys.readouterr().out
    examples = read_examples(out, "skeleton")
    assert [each.label for each in examples.clips] == ["row", "wipe"]
    poses = read_poses(examples.path(examples.clips[0]))
    assert poses.img_shape == (240, 426)
    np.testing.assert_allclose(poses.time_s, np.arange(15) / 30, atol=2e-3)
    assert poses.keypoint.shape[1:] == (15, 17, 2)
    assert poses.share_seen(0.4) > 0.7
    seen = poses.keypoint[0][poses.keypoint_score[0] > 0.5]
    assert (seen >= 0).all() and (seen <= [426, 240]).all()
    # Heads are above hips, whoever it is.
    assert (poses.keypoint[0, :, 0, 1] < poses.keypoint[0, :, 11, 1]).all()

    before = {path: path.stat().st_mtime_ns for path in (out / "poses").iterdir()}
    assert (
        run("skeleton", clips, "--profile", "demo", "--out", out, "--min-share", 1, "--pose-score-thr", 1)
        == 0
    )
    assert {path: path.stat().st_mtime_ns for path in (out / "poses").iterdir()} == before
    assert "0 clips of 0 labels" in capsys.readouterr().out
    # Other settings of the nets are other poses.
    assert run("skeleton", clips, "--profile", "demo", "--out", out, "--step", 5, "--jobs", 1) == 0
    examples = read_examples(out, "skeleton")
    np.testing.assert_allclose(
        read_poses(examples.path(examples.clips[0])).time_s, [0, 1 / 6, 1 / 3], atol=2e-3
    )


def test_features_are_those_of_the_stream_and_the_quiet_are_left_out(tmp_path: Path, capsys) -> None:
    from phar.streams.features import log_mel

    for number in range(10):
        tone(tmp_path / f"loud{number}.wav", 1.0, 0.02 * (number + 1), channels=1 + number % 2)
    tone(tmp_path / "silent.wav", 1.0, 0.0)
    tone(tmp_path / "long.wav", 15.0, 0.5)
    rows = [f"loud{number}.wav,ring,train" for number in range(10)]
    rows += ["loud0.wav,ring,val", "loud3.wav,ring,test", "silent.wav,ring,val", "long.wav,talk,train"]
    clips = listed(tmp_path / "clips.csv", rows)
    out = tmp_path / "sounds"
    assert run("audio", clips, "--profile", "demo", "--out", out, "--jobs", 1) == 0
    said = capsys.readouterr().out
    # Two of ten training clips, one of them in val too, and the silent one; the long one is cut in three.
    assert "12 clips of 2 labels (11 train, 0 val, 1 test); 3 of 14 left out" in said
    thresholds = json.loads((out / "loudness.json").read_text())
    assert sorted(thresholds) == ["ring", "talk"]
    # 440 Hz is passed by K-weighting almost as it is: mono at level 0.06 has -0.691 + 10 lg(0.06^2 / 2).
    assert thresholds["ring"] == pytest.approx(-0.691 + 10 * np.log10(0.06**2 / 2), abs=0.7)
    examples = read_examples(out, "audio")
    assert [each.end_s - each.start_s for each in examples.clips if each.label == "talk"] == [5.0] * 3
    first = next(each for each in examples.clips if each.video.name == "loud4.wav")
    samples = np.frombuffer((tmp_path / "loud4.wav").read_bytes()[44:], "<i2") / 32768
    np.testing.assert_allclose(read_features(examples.path(first)), log_mel(samples), atol=1e-3)

    # The table is what the profile's gate reads.
    from phar.cli.overrides import _with_loudness

    gate = _with_loudness(load_profile("demo"), str(out / "loudness.json")).streams["audio"].loudness
    assert gate is not None and gate.thresholds_lufs == thresholds


def test_sound_of_a_video_is_as_loud_as_the_stream_hears_it() -> None:
    from phar.media import MediaReader, sound_between

    with MediaReader(SAMPLE, 5.0, 5.0, lambda *_: (), audio_hz=HZ) as reader:
        heard = [media.audio for media in reader][1]
    found = sound_between(SAMPLE, 5.0, 10.0, HZ, num_channels=None)
    assert heard is not None and found is not None
    assert found.shape == heard.shape
    np.testing.assert_allclose(found, heard, atol=2e-3)


def test_thresholds_come_from_training_clips_alone() -> None:
    loudness = [(clip(number), -40.0 + number) for number in range(10)]
    loudness += [
        (clip(90, "test"), -90.0),
        (clip(91, label="jog"), float("-inf")),
        (clip(92, "val", "box"), -5),
    ]
    assert thresholds_lufs(loudness, 0.2) == {"wave": -38.0}
    assert thresholds_lufs(loudness, 0.0) == {"wave": -40.0}
    assert not loud_enough(clip(1), -38.01, {"wave": -38.0})
    assert loud_enough(clip(1), -38.0, {"wave": -38.0})
    assert loud_enough(clip(1, label="jog"), float("-inf"), {"wave": -38.0})
    assert [(each.start_s, each.end_s) for each in windows([clip(1)], 2.0)] == [(0.0, 1.5), (1.5, 3.0)]
    assert windows([clip(1)], 3.0) == [clip(1)]


def test_what_was_done_before_a_kill_is_not_done_again(tmp_path: Path) -> None:
    rows = []
    for number in range(120):
        rows.append(f"{tone(tmp_path / f's{number}.wav', 4.0, 0.01 + 0.005 * number).name},ring,train")
    clips = listed(tmp_path / "clips.csv", rows)
    out = tmp_path / "sounds"
    arguments = ["dataset", "audio", str(clips), "--profile", "demo", "--out", str(out), "--jobs", "1"]
    command = [sys.executable, "-m", "phar.cli.main", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    files = out / "features"
    deadline = time.monotonic() + 120
    while len(list(files.glob("*.lufs"))) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = {path: path.stat().st_mtime_ns for path in files.glob("*.lufs")}
    assert 5 <= len(done) < 120
    assert not (out / "manifest.csv").exists()
    assert run(*arguments[1:]) == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(read_examples(out, "audio").clips) == 96


def test_mmaction2_reads_the_examples(tmp_path: Path) -> None:
    """The lists as they are, the poses by the lines in docs/dataset.md."""
    from phar.openmmlab import imports

    for number in range(3):
        tone(tmp_path / f"s{number}.wav", 1.0, 0.3)
    rows = [f"s{number}.wav,{'talk' if number else 'ring'},train" for number in range(3)]
    out = tmp_path / "sounds"
    assert (
        run("audio", listed(tmp_path / "clips.csv", rows), "--profile", "demo", "--out", out, "--jobs", 1)
        == 0
    )
    _, poses = made_poses(tmp_path)
    code = (ROOT / "docs" / "dataset.md").read_text().partition("```python\n")[2].partition("```")[0]
    code = code.replace('Path("joints")', f"Path({str(poses)!r})")
    exec(code.replace('"poses.pkl"', repr(str(tmp_path / "poses.pkl"))), {})
    with imports.scope("mmaction"):
        from mmaction.datasets import AudioDataset, PoseDataset

        sounds = AudioDataset(str(out / "train.txt"), [], data_prefix={"audio": str(out)})
        assert [sounds[i]["label"] for i in range(3)] == [0, 1, 1]
        assert np.load(sounds[0]["audio_path"]).shape == (sounds[0]["total_frames"], 80)
        joints = PoseDataset(str(tmp_path / "poses.pkl"), [], split="train")
        assert sorted(joints[i]["label"] for i in range(len(joints))) == [0] * 3 + [1] * 3
        assert joints[0]["keypoint"].shape == (1, 20, 17, 2)


def made_poses(tmp_path: Path) -> tuple[Path, Path]:
    """An annotation file of two classes and four subjects, and its examples."""
    rng = np.random.default_rng(0)
    entries = [
        {
            "frame_dir": f"a{label}_s{subject}",
            "label": label,
            "img_shape": (240, 320),
            "original_shape": (240, 320),
            "total_frames": 20,
            "keypoint": rng.uniform(0, 200, (1, 20, 17, 2)).astype(np.float16),
            "keypoint_score": np.ones((1, 20, 17), np.float16),
        }
        for label in range(2)
        for subject in range(1, 5)
    ]
    split = {"xtrain": [f"a{a}_s{s}" for a in range(2) for s in range(1, 4)], "xtest": ["a0_s4", "a1_s4"]}
    path = tmp_path / "ann.pkl"
    path.write_bytes(pickle.dumps({"split": split, "annotations": entries}))
    names = tmp_path / "names.txt"
    names.write_text("wave\nclap\n")
    out = tmp_path / "imported"
    splits = ["--splits", "train=xtrain", "test=xtest", "--val-share", 0]
    assert run("poses", path, "--labels", names, *splits, "--out", out) == 0
    return path, out


def test_other_peoples_poses_come_in_with_their_splits(tmp_path: Path) -> None:
    path, out = made_poses(tmp_path)
    examples = read_examples(out, "skeleton")
    assert examples.labels == ("wave", "clap")
    assert sorted((each.label, each.split) for each in examples.clips) == (
        [("clap", "test"), *[("clap", "train")] * 3, ("wave", "test"), *[("wave", "train")] * 3]
    )
    entry = pickle.loads(path.read_bytes())["annotations"][0]
    first = next(each for each in examples.clips if each.group == "a0_s1")
    np.testing.assert_array_equal(read_poses(examples.path(first)).keypoint, entry["keypoint"])
    # A whole subject validates.
    names, splits = tmp_path / "names.txt", ["--splits", "train=xtrain", "test=xtest"]
    assert (
        run("poses", path, "--labels", names, *splits, "--val-by", "s[0-9]", "--out", tmp_path / "two") == 0
    )
    val = [each.group for each in read_examples(tmp_path / "two", "skeleton").clips if each.split == "val"]
    assert len(val) == 2 and val[0][-2:] == val[1][-2:]


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("touch owned",))


def test_an_annotation_file_runs_no_code(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ann.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": [Evil()]}))
    Path("names.txt").write_text("wave\n")
    assert run("poses", "ann.pkl", "--labels", "names.txt", "--splits", "train=x", "--out", "out") == 2
    assert "ann.pkl: is refused (it asks for posix.system)" in capsys.readouterr().err
    assert not Path("owned").exists()


def test_groups_are_held_out_whole() -> None:
    clips = tuple(clip(number, group=f"a{number}_s{number % 5}") for number in range(50))
    clips += (clip(99, "test", group="a1_s9"),)
    taken = held_out(clips, 0.2, r"s\d")
    val = [each for each in taken if each.split == "val"]
    assert len(val) == 10 and len({each.group[-2:] for each in val}) == 1
    assert [each.id for each in taken] == [each.id for each in clips]
    assert taken[-1].split == "test"
    with pytest.raises(UsageError, match="tell two apart"):
        held_out(clips, 0.2, "x")


def test_a_list_says_what_it_needs(tmp_path: Path, capsys) -> None:
    tone(tmp_path / "a.wav", 1.5, 0.3)
    (found,) = read_clips(listed(tmp_path / "list.csv", ["a.wav,ring,val"]))
    assert (found.split, found.start_s, found.end_s, found.video) == ("val", 0.0, 1.5, tmp_path / "a.wav")
    with pytest.raises(UsageError, match="no columns file and label"):
        read_clips(listed(tmp_path / "bad.csv", ["1"], "number"))
    with pytest.raises(UsageError, match="row 2 is no clip"):
        read_clips(listed(tmp_path / "bad.csv", ["a.wav,ring,exam"]))
    assert run("audio", tmp_path / "list.csv", "--out", tmp_path, "--profile", "demo") == 2
    assert "holds other things" in capsys.readouterr().err


def test_damaged_poses_are_told(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    write_poses(PoseFile(np.zeros((1, 2, 17, 2)), np.zeros((1, 2, 17)), (2, 3), np.arange(2.0)), path)
    assert read_poses(path).img_shape == (2, 3)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UsageError, match="cannot be read as poses"):
        read_poses(path)


def test_the_shared_sets_come_in(shared_media: Path, tmp_path: Path) -> None:
    folder = shared_media / "skeleton" / "derived"
    labels = folder / "utd_mhad_classes.txt"
    splits = ["--splits", "train=xsub_train", "test=xsub_val", "--val-by", "s[0-9]+", "--val-share", 0.25]
    assert (
        run("poses", folder / "utd_mhad_coco17.pkl", "--labels", labels, *splits, "--out", tmp_path / "u")
        == 0
    )
    examples = read_examples(tmp_path / "u", "skeleton")
    assert len(examples.labels) == 27
    count = {split: sum(each.split == split for each in examples.clips) for split in ("train", "val", "test")}
    assert count["test"] == 430 and count["train"] + count["val"] == 431 and 100 <= count["val"] <= 110
