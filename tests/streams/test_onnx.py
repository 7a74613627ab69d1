"""ONNX nets score as arithmetic done beside them says, and files that do not fit are refused in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from scipy.special import expit, softmax

from onnx_nets import save_linear, weights_for
from phar.clock import Stopwatch
from phar.profile import ModelSpec, OnnxSpec, StreamSpec
from phar.schema import ModelError, StreamScore, Window
from phar.streams.onnx import OnnxRecognizer, OnnxStream
from phar.streams.onnx.clip import OnnxClip
from phar.streams.stream import Chunk

LABELS = ("run", "jump", "sit")
SPEC = OnnxSpec(
    outputs=LABELS,
    label_map={label: label for label in LABELS},
    layout="NCHW",
    frames=4,
    size_px=(6, 5),
)


def spec(**changes: Any) -> OnnxSpec:
    return dataclasses.replace(SPEC, **changes)


def recognizer(path: Path, spec: OnnxSpec) -> OnnxRecognizer:
    return OnnxRecognizer(path, spec, "frames-1.x", precision="f32")


def pictures(num_frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (num_frames, 5, 6, 3), np.uint8)


def scores_by_hand(clip: np.ndarray, axes: str, num_classes: int = 3) -> np.ndarray:
    """What the linear net says of a clip (T, H, W, 3) laid out as `axes`, one value after the other."""
    weights = weights_for(clip.size, num_classes)
    flat = np.einsum(f"THWC->{axes}", clip.astype(np.float64)).reshape(-1)
    return flat @ weights.astype(np.float64)


@pytest.mark.parametrize("layout", ["NTCHW", "NCTHW", "NTHWC", "NSCTHW", "NTWHC"])
def test_clips_are_laid_out_as_the_profile_says(layout: str, tmp_path: Path) -> None:
    sizes: dict[str, int | str] = {"N": "n", "T": 4, "C": 3, "H": 5, "W": 6, "S": 1}
    path = save_linear(tmp_path / "clip.onnx", [sizes[axis] for axis in layout], 3)
    net = recognizer(path, spec(layout=layout, frames=4, interval=2, clips=2))
    windows = [pictures(8, seed) for seed in (0, 1)]
    axes = layout.replace("N", "").replace("S", "")
    expected = [
        softmax([scores_by_hand(part, axes) for part in (window[:4], window[4:])], axis=1).mean(axis=0)
        for window in windows
    ]
    got = net.predict(windows)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert np.ptp(got[0]) > 0.1


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pictures_are_looked_at_one_by_one(layout: str, tmp_path: Path) -> None:
    sizes: dict[str, int | str] = {"N": "n", "C": 3, "H": 5, "W": 6}
    path = save_linear(tmp_path / "picture.onnx", [sizes[axis] for axis in layout], 3)
    window = pictures(4)
    each = [scores_by_hand(window[i : i + 1], f"T{layout[1:]}") for i in range(4)]
    for average, expected in (
        ("prob", softmax(each, axis=1).mean(axis=0)),
        ("score", softmax(np.mean(each, axis=0))),
    ):
        got = recognizer(path, spec(layout=layout, average=average)).predict([window])
        np.testing.assert_allclose(got[0], expected, atol=1e-5)


def test_colours_are_normalised_in_the_order_of_the_net(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "picture.onnx", ["n", 3, 5, 6], 3)
    window = pictures(1)
    mean, std = (100.0, 110.0, 120.0), (2.0, 0.5, 4.0)
    for colour, order in (("rgb", (0, 1, 2)), ("bgr", (2, 1, 0))):
        planes = [(window[0, :, :, c].astype(float) - mean[i]) / std[i] for i, c in enumerate(order)]
        expected = softmax(np.stack(planes).reshape(-1) @ weights_for(90, 3))
        net = recognizer(path, spec(frames=1, colour=colour, mean=mean, std=std))
        np.testing.assert_allclose(net.predict([window])[0], expected, atol=1e-5)


@pytest.mark.parametrize("average", ["prob", "score"])
def test_sigmoids_are_independent(average: str, tmp_path: Path) -> None:
    path = save_linear(tmp_path / "picture.onnx", ["n", 3, 5, 6], 3)
    window = pictures(4)
    each = np.array([scores_by_hand(window[i : i + 1], "TCHW") for i in range(4)])
    expected = expit(each).mean(axis=0) if average == "prob" else expit(each.mean(axis=0))
    net = recognizer(path, spec(activation="sigmoid", average=average))
    np.testing.assert_allclose(net.predict([window])[0], expected, atol=1e-5)


@pytest.mark.parametrize(("activation", "function"), [("softmax", softmax), ("sigmoid", expit)])
def test_a_net_may_end_in_its_activation(activation: str, function: Any, tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, 5, 6], 3, activation=activation.capitalize())
    window = pictures(4)
    expected = np.mean([function(scores_by_hand(window[i : i + 1], "TCHW")) for i in range(4)], axis=0)
    net = recognizer(path, spec(activation=activation, applied=True))
    np.testing.assert_allclose(net.predict([window])[0], expected, atol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_outputs_that_are_no_probabilities_are_refused(activation: str, tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, 5, 6], 3)
    net = recognizer(path, spec(activation=activation, applied=True))
    with pytest.raises(ModelError, match=rf"is not what a {activation} gives; correct output.activation"):
        net.predict([pictures(4)])
    sigmoids = save_linear(tmp_path / "s.onnx", ["n", 3, 5, 6], 3, activation="Sigmoid")
    with pytest.raises(ModelError, match="which is not what a softmax gives"):
        recognizer(sigmoids, spec(applied=True)).predict([pictures(4)])


def test_labels_of_the_net_are_mapped_onto_ours(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, 5, 6], 5)
    outputs = ("sprint", "jog", "sleep", "leap", "chat")
    label_map = {"jog": "run", "leap": "jump", "sprint": "run"}
    window = pictures(1)
    scores = scores_by_hand(window, "TCHW", 5)
    exclusive = softmax(scores)
    net = recognizer(path, spec(outputs=outputs, label_map=label_map, frames=1))
    assert net.labels == ("run", "jump")
    # One of exclusive labels holds: they add up. What is not mapped is left out.
    np.testing.assert_allclose(
        net.predict([window])[0], [exclusive[0] + exclusive[1], exclusive[3]], atol=1e-5
    )
    own = expit(scores)
    net = recognizer(path, spec(outputs=outputs, label_map=label_map, frames=1, activation="sigmoid"))
    np.testing.assert_allclose(net.predict([window])[0], [max(own[0], own[1]), own[3]], atol=1e-5)


@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_the_number_of_views_may_be_fixed_in_the_file(batch: int | str, tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", [batch, 3, 5, 6], 3)
    window = pictures(4)
    each = [softmax(scores_by_hand(window[i : i + 1], "TCHW")) for i in range(4)]
    got = recognizer(path, spec()).predict([window, window[::-1]])
    np.testing.assert_allclose(got, [np.mean(each, axis=0)] * 2, atol=1e-5)


def test_bytes_are_given_as_bytes(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 5, 6, 3], 3, dtype=TensorProto.UINT8)
    window = pictures(1)
    net = recognizer(path, spec(layout="NHWC", frames=1))
    np.testing.assert_allclose(net.predict([window])[0], softmax(scores_by_hand(window, "THWC")), atol=1e-5)
    with pytest.raises(ModelError, match="takes uint8 values; leave mean and std out"):
        recognizer(path, spec(layout="NHWC", frames=1, mean=(1.0, 1.0, 1.0)))


def test_sizes_may_be_open_in_the_file(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, "h", "w"], 3, weights=weights_for(90, 3))
    window = pictures(1)
    net = recognizer(path, spec(frames=1))
    np.testing.assert_allclose(net.predict([window])[0], softmax(scores_by_hand(window, "TCHW")), atol=1e-5)


def test_one_of_several_outputs_is_named(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, 5, 6], 3, extra_output=True)
    window = pictures(1)
    net = recognizer(path, spec(frames=1, output="output"))
    np.testing.assert_allclose(net.predict([window])[0], softmax(scores_by_hand(window, "TCHW")), atol=1e-5)
    with pytest.raises(
        ModelError, match=r"has 2 outputs \(other, output\); name one in the profile's output"
    ):
        recognizer(path, spec())
    with pytest.raises(ModelError, match=r"has 2 outputs \(other, output\); 'logits' is none of them"):
        recognizer(path, spec(output="logits"))


@pytest.mark.parametrize(
    ("shape", "num_classes", "options", "said"),
    [
        (["n", 3, 4, 5, 6], 3, {}, "takes nx3x4x5x6, but the profile's input is NCHW of nx3x5x6"),
        (["n", 3, 8, 8], 3, {}, "takes nx3x8x8, but the profile's input is NCHW of nx3x5x6"),
        (["n", 1, 5, 6], 3, {}, "takes nx1x5x6, but"),
        (["n", 3, 5, 6], 4, {}, "gives 4 scores a view, but 3 labels are named"),
        (["n", 3, 5, 6], 3, {"extra_input": True}, "has 2 inputs (input, more)"),
        (["n", 3, 5, 6], 3, {"dtype": TensorProto.INT64}, "takes int64 values; a net of float32"),
        (
            ["n", 3, 5, 6],
            3,
            {"beside": True},
            "keeps weights in a file beside it; save it as one whole .onnx file",
        ),
    ],
)
def test_nets_that_do_not_fit(
    shape: list, num_classes: int, options: dict, said: str, tmp_path: Path
) -> None:
    path = save_linear(tmp_path / "p.onnx", shape, num_classes, **options)
    with pytest.raises(ModelError) as caught:
        recognizer(path, spec())
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("content", [b"", b"not a net\n" * 50, "half"])
def test_files_that_are_no_nets(content: bytes | str, tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, 5, 6], 3)
    path.write_bytes(path.read_bytes()[:200] if content == "half" else content)
    with pytest.raises(ModelError, match=r"p\.onnx is no ONNX net that OpenVINO can read") as caught:
        recognizer(path, spec())
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"gone\.onnx is not there; check the path"):
        recognizer(tmp_path / "gone.onnx", spec())


def test_frames_are_the_middles_of_equal_parts_or_so_many_apart() -> None:
    even = OnnxClip.of(spec(frames=4), "frames-1.x")
    assert even.frame_indices(210).tolist() == [26, 78, 131, 183]
    assert even.frame_indices(2).tolist() == [0, 0, 1, 1]
    clips = OnnxClip.of(spec(layout="NTCHW", frames=3, interval=10, clips=2), "frames-1.x")
    # Two clips from the first to the last frame, each 21 frames long.
    assert clips.frame_indices(210).tolist() == [0, 10, 20, 189, 199, 209]


@pytest.mark.parametrize(
    ("fit", "size", "expected"),
    [
        ("stretch", (224, 160), (6, 5)),
        ("crop", (224, 112), (10, 5)),
        ("crop", (100, 500), (6, 30)),
        ("pad", (224, 112), (6, 3)),
        ("pad", (10, 1000), (1, 5)),
    ],
)
def test_how_frames_of_another_shape_are_resized(fit: str, size: tuple, expected: tuple) -> None:
    assert OnnxClip.of(spec(fit=fit), "frames-1.x").frame_size(*size) == expected


def test_what_is_cut_and_what_is_padded() -> None:
    clip = OnnxClip.of(spec(frames=1, fit="crop", size_px=(2, 2)), "frames-1.x")
    wide = np.arange(12, dtype=np.uint8).reshape(1, 2, 6, 1).repeat(3, axis=3)
    assert clip.views(wide)[0, 0].tolist() == [[2, 3], [8, 9]]
    clip = OnnxClip.of(spec(frames=1, fit="pad", size_px=(2, 4)), "frames-1.x")
    flat = np.full((1, 2, 2, 3), 9, np.uint8)
    assert clip.views(flat)[0, 0].tolist() == [[0, 0], [9, 9], [9, 9], [0, 0]]
    with pytest.raises(ModelError, match=r"\(1, H, W, 3\) is needed"):
        clip.views(np.zeros((2, 2, 2, 3), np.uint8))


class FakeFrame:
    width_px, height_px = 60, 50

    def __init__(self, asked: list) -> None:
        self._asked = asked

    def to_rgb(self, width_px: int, height_px: int) -> np.ndarray:
        self._asked.append((width_px, height_px))
        return np.zeros((height_px, width_px, 3), np.uint8)


def test_the_stream_is_silent_where_the_gate_is_shut(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "p.onnx", ["n", 3, 5, 6], 3)
    stream_spec = StreamSpec(
        name="tagger",
        kind="onnx",
        model=ModelSpec(path, path),
        labels=("jump",),
        weight=0.5,
        sampling="frames-1.x",
        rgb_topk=1,
        onnx=spec(label_map={"sit": "jump"}),
    )
    stream = OnnxStream(stream_spec, ("sit", "jump"), OnnxRecognizer.load(stream_spec), Stopwatch())
    times_s = np.arange(8) / 4
    assert stream.wanted(times_s) == {1, 3, 5, 7}
    asked: list = []
    frames = {i: FakeFrame(asked) for i in range(8)}
    windows = [Window(0, 0, 2), Window(1, 2, 4)]
    media = [SimpleNamespace(window=w, frames=frames, frame_times_s=times_s) for w in windows]
    rgb = [
        StreamScore("rgb", w, np.array(p, np.float32))
        for w, p in zip(windows, ([0.9, 0.1], [0.2, 0.8]), strict=True)
    ]
    first, second = stream.score(Chunk(media, rgb))
    assert first.score.silent == "none of RGB's top 1 labels is one this stream knows"
    # Black frames say nothing: every output is as likely. Only the second window's frames were converted.
    np.testing.assert_allclose(second.score.probs, [1 / 3], atol=1e-5)
    assert (second.score.stream, asked) == ("tagger", [(6, 5)] * 4)
