"""Profiles are checked whole, and every fault is one line that names the key."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from phar.fusion import RULES
from phar.profile import (
    RESOURCES,
    ModelSpec,
    bundled_profiles,
    describe,
    load_labels,
    load_profile,
    require_checkpoints,
    sha256_of,
    stated_hash,
    with_overrides,
    with_preset,
)
from phar.profile.document import merged
from phar.schema import ModelError, ProfileError

SMALL: dict[str, Any] = {
    "name": "small",
    "window_s": 7,
    "streams": {
        "rgb": {"config": "net.py", "labels": ["run", "jump", "none"], "weight": 0.5},
        "skeleton": {
            "config": "net.py",
            "checkpoint": "skeleton.safetensors",
            "labels": ["run", "jump"],
            "weight": 0.6,
            "gate": {"rgb_topk": 3, "min_keypoint_share": 0.35},
        },
        "audio": {
            "config": "net.py",
            "labels": "sounds.txt",
            "weight": 1.0,
            "gate": {
                "rgb_topk": 2,
                "loudness": {"rule": "mean", "thresholds_lufs": {"jump": -40, "run": -50}},
            },
        },
    },
    "persons": {"detector": {"config": "net.py"}, "pose": {"config": "net.py"}},
    "presets": {"fast": {"persons": {"detector_stride": 8}}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text("model = dict()\n")
    (tmp_path / "sounds.txt").write_text("jump\n")
    return tmp_path


def load(folder: Path, changes: dict[str, Any] | None = None):
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(merged(copy.deepcopy(SMALL), changes or {})))
    return load_profile(str(path))


def test_a_small_profile_is_read_whole(folder: Path) -> None:
    profile = load(folder)
    assert profile.name == "small"
    assert list(profile.streams) == ["rgb", "skeleton", "audio"]
    assert profile.labels == ("run", "jump", "none")
    assert (profile.window_s, profile.stride_s) == (7.0, 7.0)
    assert profile.streams["skeleton"].rgb_topk == 3
    assert profile.streams["audio"].labels == ("jump",)
    assert profile.streams["audio"].loudness is not None
    assert profile.streams["audio"].loudness.thresholds_lufs == {"jump": -40.0, "run": -50.0}
    assert profile.persons is not None
    assert profile.persons.correct_rate == 0.35
    assert profile.persons.detector.config == folder / "net.py"
    assert profile.threshold == 0.0
    assert profile.presets == ("fast",)


def test_streams_come_in_one_order_however_they_are_written(folder: Path) -> None:
    path = folder / "small.yaml"
    document = copy.deepcopy(SMALL)
    document["streams"] = {name: document["streams"][name] for name in ("audio", "skeleton", "rgb")}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    profile = load_profile(str(path))
    assert {name: stream.weight for name, stream in profile.streams.items()} == {
        "rgb": 0.5,
        "skeleton": 0.6,
        "audio": 1.0,
    }
    assert list(profile.streams) == ["rgb", "skeleton", "audio"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"widnow_s": 3}, "key 'widnow_s' is unknown; known are name"),
        ({"name": None}, "'name' is missing; add it"),
        ({"window_s": 0}, "window_s: 0 is less than or equal to the minimum of 0"),
        ({"stride_s": 8}, "stride_s 8 is longer than window_s 7 and leaves gaps"),
        ({"sampling": "random"}, "sampling: 'random' is not one of frames-1.x, frames-0.x, seconds"),
        ({"fusion": {"rule": "magic"}}, "fusion.rule: 'magic' is not one of weighted_sum"),
        ({"fusion": {"threshold": 1.5}}, "fusion.threshold: 1.5 is greater than the maximum of 1"),
        ({"streams": {"rgb": {"weight": -1}}}, "streams.rgb.weight: -1 is less than the minimum of 0"),
        ({"streams": {"rgb": {"weight": None}}}, "streams.rgb: 'weight' is missing"),
        ({"streams": {"smell": {}}}, "streams.smell is none of rgb, skeleton, audio and says no known kind"),
        ({"streams": {"smell": {"kind": "nose"}}}, "correct the name, or give it a kind: onnx"),
        ({"streams": {"rgb": {"sampling": "all"}}}, "streams.rgb.sampling: 'all' is not one of frames-1.x"),
        ({"streams": {"rgb": {"config": "gone.py"}}}, "streams.rgb.config: gone.py does not exist"),
        ({"streams": {"rgb": {"labels": "gone.txt"}}}, "gone.txt cannot be read (No such file or directory)"),
        ({"streams": {"rgb": {"labels": ["run", "run"]}}}, "streams.rgb.labels: 'run' is listed twice"),
        ({"streams": {"rgb": {"gate": {"rgb_topk": 2}}}}, "streams.rgb.gate.rgb_topk asks another stream"),
        (
            {"streams": {"rgb": None}},
            "streams.skeleton.gate.rgb_topk asks another stream, rgb, which is not there",
        ),
        (
            {"streams": {"audio": {"gate": {"min_keypoint_share": 0.3}}}},
            "streams.audio.gate.min_keypoint_share fits the skeleton stream only",
        ),
        (
            {"streams": {"audio": {"gate": {"loudness": {"rule": "fixed", "thresholds_lufs": None}}}}},
            "streams.audio.gate.loudness: rule 'fixed' needs lufs",
        ),
        ({"streams": {"audio": {"gate": {"skeleton_topk": 2}}}}, "key 'skeleton_topk' is unknown"),
        ({"labels": ["run", "none"]}, "streams.rgb.labels has 'jump', which labels has not"),
        (
            {"streams": {"skeleton": {"labels": ["Run", "jump"]}}},
            "'run' and 'Run' are one label spelled two ways",
        ),
        ({"persons": None}, "the skeleton stream needs persons.detector and persons.pose"),
        ({"streams": {"skeleton": None}}, "persons is given without a skeleton stream"),
        (
            {"segments": {"label_thresholds": {"swim": 0.5}}},
            "label_thresholds names 'swim', which is no label",
        ),
        ({"presets": {"fast": {"persons": {"detector_stride": 0}}}}, "preset 'fast': "),
        ({"presets": {"slow": {}}}, "presets: key 'slow' is unknown; known are fast, balanced, accurate"),
        (
            {"streams": {name: {"weight": 0} for name in ("rgb", "skeleton", "audio")}},
            "every stream's weight is 0",
        ),
    ],
)
def test_a_wrong_profile_is_refused_in_one_line(folder: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load(folder, changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "not YAML"), ("- 1\n", "holds no mapping"), ("!!python/object:os.system x", "not YAML")],
)
def test_a_file_that_is_no_profile(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ProfileError, match=said):
        load_profile(str(path))


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ProfileError, match=r"profile 'nope' is unknown; use one of .*demo"):
        load_profile("nope")
    with pytest.raises(ProfileError, match=r"profile file ./nope.yaml does not exist"):
        load_profile("./nope.yaml")


def test_a_missing_checkpoint_matters_only_when_it_is_used(folder: Path) -> None:
    profile = load(folder)
    missing = folder / "skeleton.safetensors"
    assert profile.missing_checkpoints() == {"skeleton": RESOURCES / "skeleton.safetensors"}
    with pytest.raises(ModelError, match=r"skeleton checkpoint .* is missing"):
        require_checkpoints(profile)
    missing.write_bytes(b"weights")
    require_checkpoints(load(folder))


def test_a_checkpoint_with_another_hash_is_refused(folder: Path) -> None:
    (folder / "skeleton.safetensors").write_bytes(b"weights")
    # From sha256sum.
    right = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    require_checkpoints(load(folder, {"streams": {"skeleton": {"sha256": right}}}))
    wrong = load(folder, {"streams": {"skeleton": {"sha256": "0" * 64}}})
    with pytest.raises(ModelError, match="has not the hash stated for it"):
        require_checkpoints(wrong)


def test_a_checkpoint_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").mkdir()
    with pytest.raises(ModelError, match=r"checkpoint .*weights.pth cannot be read \(Is a directory\)"):
        sha256_of(tmp_path / "weights.pth")


def test_the_metafile_states_hashes_by_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phar.profile.resources.RESOURCES", tmp_path)
    monkeypatch.delenv("PHAR_CHECKPOINTS", raising=False)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "metafile.yml").write_text(
        f"models:\n- name: a\n  checkpoint: demo/a.safetensors\n  sha256: {'ab' * 32}\n- name: b\n"
    )
    bundled = ModelSpec(tmp_path / "a.py", folder / "demo" / "a.safetensors")
    assert stated_hash(bundled) == "ab" * 32
    assert stated_hash(ModelSpec(tmp_path / "a.py", folder / "demo" / "b.safetensors")) is None
    assert stated_hash(ModelSpec(tmp_path / "a.py", tmp_path / "demo" / "a.safetensors")) is None
    assert stated_hash(ModelSpec(tmp_path / "a.py", None)) is None


def test_overrides_give_a_new_checked_profile(folder: Path) -> None:
    profile = load(folder)
    changed = with_overrides(profile, {"window_s": 3, "streams": {"rgb": {"weight": 2}}})
    assert (changed.window_s, changed.stride_s, changed.streams["rgb"].weight) == (3.0, 3.0, 2.0)
    assert (profile.window_s, profile.streams["rgb"].weight) == (7.0, 0.5)
    with pytest.raises(ProfileError, match="window_s"):
        with_overrides(profile, {"window_s": -1})


def test_a_stream_may_pick_frames_its_own_way(folder: Path) -> None:
    profile = load(folder, {"sampling": "seconds", "streams": {"audio": {"sampling": "frames-0.x"}}})
    said = {name: stream.sampling for name, stream in profile.streams.items()}
    assert said == {"rgb": "seconds", "skeleton": "seconds", "audio": "frames-0.x"}
    assert describe(profile, backend="torch", device="cpu", precision="f32")["stream_sampling"] == said
    assert load(folder).streams["rgb"].sampling == "frames-1.x"


def test_a_stream_can_be_switched_off(folder: Path) -> None:
    without = with_overrides(load(folder), {"streams": {"skeleton": None}})
    assert list(without.streams) == ["rgb", "audio"]
    assert without.persons is None
    assert with_preset(without, "fast").persons is None


def test_presets_merge_and_unknown_ones_are_named(folder: Path) -> None:
    profile = load(folder)
    fast = with_preset(profile, "fast")
    assert fast.persons is not None
    assert fast.persons.detector_stride == 8
    assert with_preset(profile, None) is profile
    assert with_preset(profile, "balanced") is profile
    with pytest.raises(ProfileError, match="has no preset 'accurate'; it defines fast"):
        with_preset(profile, "accurate")


def test_labels_are_one_per_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("run \n\njump\r\nnone")
    assert load_labels(path) == ("run", "jump", "none")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n\n", "is empty"),
        (b"run\nrun\n", "names 'run' twice"),
        (b"long-jump\nlong_jump\n", "'long-jump' and 'long_jump' are one label spelled two ways"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ],
)
def test_wrong_label_files(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=said):
        load_labels(path)


def test_the_schema_allows_exactly_the_rules_there_are() -> None:
    import json

    from phar.profile import document

    schema = json.loads(Path(document.__file__).with_name("profile.schema.json").read_text())
    assert schema["properties"]["fusion"]["properties"]["rule"]["enum"] == list(RULES)


@pytest.mark.parametrize("name", bundled_profiles())
def test_bundled_profiles_are_valid(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name


def test_the_demo_profile_knows_ordinary_actions() -> None:
    limbs = ["march", "jog", "wave", "stretch", "box", "row"]
    sounds = ["knock", "ring", "sing", "talk"]
    folder = RESOURCES / "annotations/demo"
    assert list(load_labels(folder / "rgb.txt")) == [*limbs, "paint", "wipe", *sounds, "none"]
    assert list(load_labels(folder / "skeleton.txt")) == limbs
    assert list(load_labels(folder / "audio.txt")) == sounds


def test_the_report_says_what_the_profile_was(folder: Path) -> None:
    (folder / "skeleton.safetensors").write_bytes(b"weights")
    said = describe(load(folder), backend="torch", device="cpu", precision="fp32")
    assert said["coefficients"] == {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0}
    assert said["models"]["rgb"] == {"config": str(folder / "net.py"), "checkpoint": None, "sha256": None}
    assert said["models"]["skeleton"]["checkpoint"] == str(folder / "skeleton.safetensors")
    assert len(said["models"]["skeleton"]["sha256"]) == 64
    assert set(said["models"]) == {"rgb", "skeleton", "audio", "detector", "pose"}
