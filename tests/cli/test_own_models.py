"""phar-demo with models that users bring: an MMAction2 config, an outside tagger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from onnx_nets import save_linear
from phar.cli import demo
from phar.export.report import SCHEMA_PATH

#: A TSN as MMAction2 describes it, small.
CONFIG = """
model = dict(
    type='Recognizer2D',
    backbone=dict(type='ResNet', depth=18, norm_eval=False),
    cls_head=dict(type='TSNHead', num_classes=400, in_channels=512, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=3, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='CenterCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs')]
"""

LABELS = ["bright", "dark", "none"]
PROFILE: dict[str, Any] = {
    "name": "own",
    "window_s": 7,
    "sampling": "seconds",
    "labels": LABELS,
    "streams": {
        "rgb": {"config": "tsn.py", "labels": LABELS, "weight": 0.5},
        "brightness": {
            "kind": "onnx",
            "model": "brightness.onnx",
            "labels": ["sun", "moon"],
            "label_map": {"sun": "bright"},
            "weight": 1.5,
            "sampling": "frames-1.x",
            "input": {"layout": "NCHW", "frames": 4, "size_px": [8, 6]},
            "output": {"activation": "softmax"},
        },
    },
}


@pytest.fixture
def folder(tmp_path: Path, make_clip: Callable[..., Path]) -> Path:
    """A clip, a profile and its nets."""
    shutil.copy(make_clip(16.5), tmp_path / "clip.mp4")
    (tmp_path / "tsn.py").write_text(CONFIG)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    # sun: mean grey level / 20; moon: 4.5 times the share of ... nothing, so always 0.
    weights = np.zeros((3 * 8 * 6, 2), np.float32)
    weights[:, 0] = 1 / 20 / len(weights)
    save_linear(tmp_path / "brightness.onnx", ["n", 3, 6, 8], 2, weights=weights)
    return tmp_path


def run(folder: Path, *flags: str, changes: dict[str, Any] | None = None) -> int:
    profile = folder / "own.yaml"
    document = {
        **PROFILE,
        "streams": {n: {**e, **(changes or {}).get(n, {})} for n, e in PROFILE["streams"].items()},
    }
    # Through JSON, for what is shared would be written as YAML's aliases, which profiles may not hold.
    profile.write_text(yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False))
    out = str(folder / "out.json")
    return demo.main([str(folder / "clip.mp4"), out, "--profile", str(profile), "--backend", "torch", *flags])


def test_a_tagger_is_one_more_stream(folder: Path) -> None:
    assert run(folder) == 0
    report = json.loads((folder / "out.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))
    assert report["profile"]["coefficients"] == {"rgb": 0.5, "brightness": 1.5}
    assert report["profile"]["stream_sampling"] == {"rgb": "seconds", "brightness": "frames-1.x"}
    assert report["vocabularies"] == {"rgb": LABELS, "brightness": ["bright"]}
    assert report["profile"]["models"]["brightness"]["checkpoint"] == str(folder / "brightness.onnx")
    # Grey levels 60 + i % 100 at 8 frames a second; the middles of quarters of each window's 56 frames.
    for clip, levels in zip(report["clips"], ([67, 81, 95, 109], [123, 137, 151, 65]), strict=False):
        expected = np.mean(1 / (1 + np.exp(-np.array(levels) / 20)))
        scores = {name: stream["scores"] for name, stream in clip["streams"].items()}
        assert scores["brightness"] == {"bright": pytest.approx(expected, abs=0.02)}
        fused = {
            "bright": (0.5 * scores["rgb"]["bright"] + 1.5 * scores["brightness"]["bright"]) / 2,
            "dark": 0.25 * scores["rgb"]["dark"],
            "none": 0.25 * scores["rgb"]["none"],
        }
        assert clip["scores"] == {label: pytest.approx(score, abs=1e-5) for label, score in fused.items()}
        assert clip["weights"] == {"rgb": 0.5, "brightness": 1.5}


def test_flags_bind_values_to_streams_by_name(folder: Path) -> None:
    (folder / "foreign.txt").write_text("sun\nmoon\n")
    labels = str(folder / "labels.txt")
    config = ["--rgb-config", str(folder / "tsn.py")]
    assert (
        run(folder, *config, "--coefficients", "1", "2", "--label-maps", labels, str(folder / "foreign.txt"))
        == 0
    )
    report = json.loads((folder / "out.json").read_text())
    assert report["profile"]["coefficients"] == {"rgb": 1, "brightness": 2}
    # A config that is named is followed in how it picks frames.
    assert report["profile"]["stream_sampling"]["rgb"] == "frames-1.x"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2", "3"], {"rgb": 1, "brightness": 1.5}),
        (["1", "2", "3", "4"], {"rgb": 1, "brightness": 4}),
    ],
)
def test_coefficients_for_streams_that_are_off(folder: Path, values: list[str], expected: dict) -> None:
    assert run(folder, "--coefficients", *values) == 0
    assert json.loads((folder / "out.json").read_text())["profile"]["coefficients"] == expected


@pytest.mark.parametrize(
    ("flags", "changes", "code", "said"),
    [
        (
            ["--coefficients", "1"],
            {},
            2,
            "got 1 values for the streams rgb, brightness; give one for each of them, or 4 for rgb, skeleton,"
            " audio, brightness",
        ),
        ([], {"labels": ["sun", "moon", "stars"]}, 4, "gives 2 scores a view, but 3 labels are named"),
        (
            [],
            {"input": {"layout": "NTCHW", "frames": 4, "size_px": [8, 6]}},
            4,
            "takes nx3x6x8, but the profile's",
        ),
        ([], {"model": "clip.mp4"}, 4, "clip.mp4 is no ONNX net that OpenVINO can read"),
        ([], {"model": "gone.onnx"}, 4, "gone.onnx is missing"),
        ([], {"sha256": "0" * 64}, 4, "has not the hash stated for it"),
        ([], {"output": {"activation": "softmax", "applied": True}}, 4, "which is not what a softmax gives"),
    ],
)
def test_faults_are_one_line(folder: Path, capsys, flags, changes, code, said) -> None:
    assert run(folder, *flags, changes={"brightness": changes}) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (folder / "out.json").exists()
