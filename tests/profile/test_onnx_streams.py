"""Streams of kind onnx: what a profile says of them, and what it must not say."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from phar.profile import describe, load_profile, require_checkpoints, with_overrides
from phar.profile.document import merged
from phar.schema import ModelError, ProfileError

SMALL: dict[str, Any] = {
    "name": "small",
    "window_s": 7,
    "sampling": "seconds",
    "labels": ["run", "jump", "none"],
    "streams": {
        "zebra": {
            "kind": "onnx",
            "model": "net.onnx",
            "labels": ["running", "jumping", "sleeping"],
            "label_map": {"jumping": "jump", "running": "run"},
            "weight": 0.4,
            "gate": {"rgb_topk": 2},
            "input": {"layout": "NTCHW", "frames": 8, "size_px": [64, 48]},
            "output": {"activation": "softmax"},
        },
        "rgb": {"config": "net.py", "labels": ["run", "jump", "none"], "weight": 0.5},
        "apple": {
            "kind": "onnx",
            "model": "net.onnx",
            "labels": ["run", "jump"],
            "weight": 0.3,
            "sampling": "frames-1.x",
            "input": {
                "layout": "NCHW",
                "frames": 4,
                "size_px": [32, 32],
                "fit": "crop",
                "colour": "bgr",
                "mean": [1, 2, 3],
                "std": [4, 5, 6],
            },
            "output": {"name": "probs", "activation": "sigmoid", "applied": True},
        },
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text("model = dict()\n")
    (tmp_path / "net.onnx").write_bytes(b"weights")
    return tmp_path


def load(folder: Path, changes: dict[str, Any] | None = None):
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(merged(copy.deepcopy(SMALL), changes or {}), sort_keys=False))
    return load_profile(str(path))


def test_an_onnx_stream_is_read_whole(folder: Path) -> None:
    profile = load(folder)
    # Those with a name of their own come last, as the profile lists them.
    assert list(profile.streams) == ["rgb", "zebra", "apple"]
    zebra, apple = profile.streams["zebra"], profile.streams["apple"]
    assert (zebra.kind, zebra.labels, zebra.rgb_topk, zebra.sampling) == (
        "onnx",
        ("jump", "run"),
        2,
        "seconds",
    )
    assert zebra.onnx is not None
    assert zebra.onnx.outputs == ("running", "jumping", "sleeping")
    assert (zebra.onnx.layout, zebra.onnx.frames, zebra.onnx.size_px) == ("NTCHW", 8, (64, 48))
    assert (zebra.onnx.fit, zebra.onnx.colour, zebra.onnx.mean) == ("stretch", "rgb", (0, 0, 0))
    assert (zebra.onnx.output, zebra.onnx.applied, zebra.onnx.average) == (None, False, "prob")
    assert (apple.labels, apple.rgb_topk, apple.sampling) == (("run", "jump"), None, "frames-1.x")
    assert apple.onnx is not None
    assert (apple.onnx.mean, apple.onnx.std, apple.onnx.colour) == ((1, 2, 3), (4, 5, 6), "bgr")
    assert (apple.onnx.output, apple.onnx.activation, apple.onnx.applied) == ("probs", "sigmoid", True)


def test_labels_are_the_union_where_the_profile_lists_none(folder: Path) -> None:
    profile = load(folder, {"labels": None, "streams": {"apple": {"labels": ["run", "swim"]}}})
    assert profile.labels == ("run", "jump", "none", "swim")


def test_a_foreign_label_file_is_spelled_its_own_way(folder: Path) -> None:
    (folder / "tags.txt").write_text("long_hair\nlong-hair\nRun\n")
    profile = load(folder, {"streams": {"apple": {"labels": "tags.txt", "label_map": {"Run": "run"}}}})
    assert profile.streams["apple"].labels == ("run",)
    with pytest.raises(ProfileError, match="'long_hair' and 'long-hair' are one label spelled two ways"):
        load(folder, {"labels": None, "streams": {"apple": {"labels": "tags.txt"}}})


def test_the_file_is_held_against_its_hash(folder: Path) -> None:
    # From sha256sum.
    right = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    profile = load(folder, {"streams": {"zebra": {"sha256": right}}})
    require_checkpoints(profile)
    said = describe(profile, backend="torch", device="cpu", precision="f32")["models"]["zebra"]
    assert said == {
        "config": str(folder / "net.onnx"),
        "checkpoint": str(folder / "net.onnx"),
        "sha256": right,
    }
    with pytest.raises(ModelError, match=r"zebra checkpoint .*net\.onnx has not the hash stated for it"):
        require_checkpoints(load(folder, {"streams": {"zebra": {"sha256": "0" * 64}}}))
    with pytest.raises(ModelError, match=r"apple checkpoint .*gone\.onnx is missing"):
        require_checkpoints(load(folder, {"streams": {"apple": {"model": "gone.onnx"}}}))


def test_a_stream_of_its_own_name_can_be_switched_off(folder: Path) -> None:
    assert list(with_overrides(load(folder), {"streams": {"zebra": None}}).streams) == ["rgb", "apple"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": None}, "streams.zebra: 'model' is missing; add it"),
        ({"config": "net.py"}, "streams.zebra: key 'config' is unknown; known are kind, model"),
        ({"temperature": 0}, "temperature: 0 is less than or equal to the minimum of 0"),
        ({"labels": "gone.txt"}, "gone.txt cannot be read"),
        ({"label_map": {"flying": "run"}}, "label_map names 'flying', which is none of the net's labels"),
        ({"label_map": {"sleeping": "sleep"}}, "streams.zebra.labels has 'sleep', which labels has not"),
        (
            {"label_map": None},
            "has 'running', which labels has not; add it there, or let a label_map name those",
        ),
        ({"gate": {"min_keypoint_share": 0.3}}, "gate: key 'min_keypoint_share' is unknown"),
        ({"input": {"layout": "NTHW"}}, "input.layout: 'NTHW' does not name each axis once; use e.g. NCHW"),
        ({"input": {"layout": "NCCHW"}}, "input.layout: 'NCCHW' does not name each axis once"),
        ({"input": {"layout": "CHW"}}, "input.layout: 'CHW' does not match"),
        ({"input": {"layout": "NCHW", "interval": 2}}, "interval and clips fit layouts with an axis T only"),
        ({"input": {"clips": 2}}, "input: clips needs interval"),
        ({"input": {"size_px": [64]}}, "streams.zebra.input.size_px: [64] is too short"),
        ({"input": {"std": [1, 0, 1]}}, "input.std: 0 divides nothing"),
        ({"input": {"colour": "grey"}}, "colour: 'grey' is not one of rgb, bgr"),
        ({"output": {"applied": True, "average": "score"}}, "use average: prob"),
        ({"output": {"activation": "relu"}}, "activation: 'relu' is not one of softmax, sigmoid"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(folder: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load(folder, {"streams": {"zebra": changes}})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["detector", "pose", 7])
def test_names_that_mean_something_else(folder: Path, name: object) -> None:
    with pytest.raises(ProfileError, match=f"a stream cannot be called {name!r}; choose another name"):
        load(folder, {"streams": {name: SMALL["streams"]["zebra"]}})  # type: ignore[dict-item]


def test_a_gate_needs_rgb(folder: Path) -> None:
    with pytest.raises(
        ProfileError, match=r"streams.zebra.gate.rgb_topk asks another stream, rgb, which is not"
    ):
        load(folder, {"streams": {"rgb": None}})
