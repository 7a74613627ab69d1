"""OpenVINO says what torch says, converts once, and steps aside where it cannot."""

import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from parity import CONFIGS, read_frames
from torch import nn

from phar.openmmlab import Detector, PoseClip, PoseEstimator, Recognizer, backends
from phar.schema import ModelError

pytest.importorskip("openvino")

#: Largest difference of scores between the two backends; OpenVINO may compute in bfloat16.
AGREE = 0.02


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHAR_CACHE", str(tmp_path))
    return tmp_path / "openvino"


def _windows(recognizer: Recognizer, kind: str, count: int) -> list:
    random = np.random.default_rng(0)
    num_frames = recognizer.clip.num_frames
    if kind == "audio":
        return [random.normal(size=(437, 80)).astype(np.float32) for _ in range(count)]
    if kind == "skeleton":
        points = random.uniform(20, 200, (count, 1, num_frames, 17, 2)).astype(np.float32)
        return [PoseClip(p, np.ones(p.shape[:3], np.float32), 240, 320) for p in points]
    return list(random.integers(0, 255, (count, num_frames, 120, 160, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("kind", "config", "num_classes"),
    [
        ("rgb", "rgb/timesformer_demo.py", 11),
        ("skeleton", "skeleton/posec3d_small.py", 27),
        ("skeleton", "skeleton/stgcnpp_demo.py", 6),
        ("audio", "audio/resnet_demo.py", 4),
    ],
)
def test_recognizers_agree_in_batches_of_any_size(kind: str, config: str, num_classes: int) -> None:
    by_torch, by_openvino = (
        Recognizer.load(CONFIGS / config, None, num_classes, device="cpu", backend=backend, seed=3)
        for backend in ("torch", "openvino")
    )
    assert (by_torch.backend, by_openvino.backend) == ("torch", "openvino")
    for count in (1, 3):
        windows = _windows(by_torch, kind, count)
        expected, got = by_torch.predict(windows), by_openvino.predict(windows)
        assert got.shape == (count, num_classes) and got.dtype == np.float32
        assert np.abs(got - expected).max() <= AGREE
    assert by_openvino.describe()["backend"] == "openvino"
    assert by_torch.predict([]).shape == (0, num_classes)


def test_detector_and_pose_agree_on_a_real_person(shared_media: Path) -> None:
    config = CONFIGS / "person" / "rtmdet_nano_320-8xb32_person.py"
    weights = shared_media / "weights/derived/rtmdet_nano_person_from_onnx.pth"
    clip = "people/tensorflow+tfjs-models/pose-detection/test_data/pose_1.mp4"
    frames = read_frames(shared_media / clip)[:60:25]
    found = {
        backend: Detector.load(config, weights, device="cpu", backend=backend).predict(frames)
        for backend in ("torch", "openvino")
    }
    for one, other in zip(found["torch"], found["openvino"], strict=True):
        assert abs(one[0, 4] - other[0, 4]) <= AGREE
        assert np.abs(one[0, :4] - other[0, :4]).max() < 4
    boxes = [b[:1] for b in found["torch"]]
    joints = {
        backend: PoseEstimator.load(
            CONFIGS / "person" / "rtmpose_demo.py",
            CONFIGS.parent / "checkpoints" / "demo" / "pose.safetensors",
            device="cpu",
            backend=backend,
        ).predict(frames, boxes)
        for backend in ("torch", "openvino")
    }
    for one, other in zip(joints["torch"], joints["openvino"], strict=True):
        assert one.shape == other.shape == (1, 17, 3)
        assert np.abs(one[..., 2] - other[..., 2]).max() <= AGREE


class Doubler(nn.Module):
    """A net small enough to know its answers."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([factor]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        return x.float() * self.factor


class Frozen(nn.Module):
    """A net whose trace only holds for the batch size it was traced with."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the batch size, which a trace freezes."""
        return x.float() + float(int(x.shape[0]))


def test_a_net_is_converted_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = np.arange(6, dtype=np.float32).reshape(3, 2)
    for _ in range(2):
        (output,) = backends.make_net(Doubler(), torch.device("cpu"), "openvino")(batch)
        np.testing.assert_allclose(output.numpy(), batch * 2)
        assert len(list(cache.glob("*.xml"))) == len(list(cache.glob("*.bin"))) == 1

        def never(*_arguments: object) -> None:
            raise AssertionError("converted again")

        monkeypatch.setattr(backends.OpenVinoNet, "_convert", never)
    monkeypatch.undo()
    monkeypatch.setenv("PHAR_CACHE", str(cache.parent))
    (output,) = backends.make_net(Doubler(3.0), torch.device("cpu"), "openvino")(batch)
    np.testing.assert_allclose(output.numpy(), batch * 3)
    assert len(list(cache.glob("*.xml"))) == 2
    # Nothing half-written is left.
    assert {path.suffix for path in cache.iterdir()} == {".xml", ".bin"}


def test_a_trace_that_froze_its_batch_runs_one_by_one() -> None:
    net = backends.make_net(Frozen(), torch.device("cpu"), "openvino")
    (output,) = net(np.full((4, 2), 10, np.float32))
    # Run one at a time, each sees a batch of one.
    np.testing.assert_allclose(output.numpy(), np.full((4, 2), 11))


def test_auto_steps_aside_where_openvino_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(backends.OpenVinoNet, "_convert", fail)
    batch = np.ones((2, 3), np.float32)
    net = backends.make_net(Doubler(), torch.device("cpu"), "auto")
    with pytest.warns(
        UserWarning, match="OpenVINO cannot run Doubler: no such operator; torch runs it instead"
    ):
        (output,) = net(batch)
    np.testing.assert_allclose(output.numpy(), batch * 2)
    assert (net.backend, net.precision) == ("torch", "f32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net(batch)
    strict = backends.make_net(Doubler(), torch.device("cpu"), "openvino")
    with pytest.raises(ModelError, match=r"no such operator; use --backend torch"):
        strict(batch)


def test_a_cache_that_cannot_be_written_is_only_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PHAR_CACHE", str(tmp_path / "file"))
    net = backends.make_net(Doubler(), torch.device("cpu"), "openvino")
    with pytest.warns(UserWarning, match="was not cached"):
        (output,) = net(np.ones((1, 2), np.float32))
    assert output.tolist() == [[2, 2]]


def test_unknown_backends_and_devices() -> None:
    with pytest.raises(ModelError, match="backend 'onnx' is unknown; use one of auto, torch, openvino"):
        backends.make_net(Doubler(), torch.device("cpu"), "onnx")
    with pytest.raises(ModelError, match="openvino runs on the CPU, got device cuda"):
        backends.make_net(Doubler(), torch.device("cuda"), "openvino")


@pytest.mark.parametrize(("bf16_s", "chosen"), [(0.0, "bf16"), (0.02, "f32")])
def test_bf16_is_taken_where_it_is_faster(
    bf16_s: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Core:
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "BF16"]

    def layer(precision: str) -> Callable[[np.ndarray], None]:
        return lambda _rows: time.sleep({"f32": 0.01, "bf16": bf16_s}[precision])

    monkeypatch.setattr(backends, "openvino_core", Core)
    monkeypatch.setattr(backends, "_linear_layer", layer)
    assert backends.openvino_precision.__wrapped__() == chosen


def test_a_cpu_without_bf16_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(backends, "openvino_core", Core)
    assert backends.openvino_precision.__wrapped__() == "f32"


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_nets_are_compiled_in_the_precision_they_report(
    cache: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "BF16" not in backends.openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bf16")
    monkeypatch.setattr(backends, "openvino_precision", lambda: precision)
    net = backends.make_net(Doubler(), torch.device("cpu"), "openvino")
    for again in (net, backends.make_net(Doubler(), torch.device("cpu"), "openvino")):
        again(np.ones((2, 2), np.float32))
        ((compiled, _),) = again._compiled.values()
        assert again.precision == precision
        assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == precision


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (2, [2]), (7, [4, 2, 1]), (8, [8]), (13, [8, 4, 1])])
def test_openvino_meets_few_sizes_of_batches(count: int, sizes: list[int]) -> None:
    rows = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    parts = backends.in_powers_of_two(rows)
    assert [len(part) for part in parts] == sizes
    np.testing.assert_array_equal(np.concatenate(parts), rows)


def test_large_inputs_go_in_small_batches() -> None:
    crops, clips = np.zeros((37, 4), np.uint8), np.zeros((3, 1 << 22), np.uint8)
    assert [len(part) for part in backends.in_powers_of_two(crops)] == [16, 16, 4, 1]
    assert [len(part) for part in backends.in_powers_of_two(clips)] == [1, 1, 1]
    assert [len(part) for part in backends.in_powers_of_two(clips[:, : 1 << 21])] == [2, 1]


def test_signals_are_handled_after_nets_are_gone() -> None:
    """A signal once ended the process or overwrote memory, on a stack that went with its core."""
    code = """
import gc, os, signal
import numpy as np
from torch import nn
from phar.openmmlab.backends import NetSource, OpenVinoNet
nets = []
for width in (3, 4, 5):
    nets.append(OpenVinoNet(NetSource.of(nn.Linear(width, 2)), fall_back=False))
    nets[-1](np.zeros((1, width), np.float32))
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
while nets:
    del nets[0]
    gc.collect()
    os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=False
    )
    assert (done.returncode, done.stdout) == (0, "handled\n" * 3), done.stderr


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="asks Linux what is in memory")
def test_weights_are_in_memory_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As they are in the file: for bf16 they are read once, to be converted.
    monkeypatch.setattr(backends, "openvino_precision", lambda: "f32")
    net = backends.NetSource.of(nn.Linear(1024, 1024))
    batch = np.ones((2, 1024), np.float32)
    expected = backends.OpenVinoNet(net, fall_back=False)(batch)
    again = backends.OpenVinoNet(net, fall_back=False)
    np.testing.assert_array_equal(again(batch)[0], expected[0])
    (weights,) = cache.glob("*.bin")
    assert weights.stat().st_size > 4 << 20
    mappings = Path("/proc/self/smaps").read_text().split(f"{weights.resolve()}\n")[1:]
    assert mappings and all(int(re.search(r"Rss:\s+(\d+) kB", each)[1]) < 100 for each in mappings)
