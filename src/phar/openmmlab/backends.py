"""Runs a net on numpy arrays: by torch, or converted once and run by OpenVINO.

Converted nets are kept in the user's cache folder (`PHAR_CACHE` names another one), by what decides their
weights and form, the input's shape and OpenVINO's version. While a converted copy is at hand the torch net is
not built at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import mmap
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phar.schema import ModelError

# OpenVINO's converter reports each use over the network where this package can be imported, and
# stalls where there is no network; without it, it keeps to itself.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

BACKENDS = ("auto", "torch", "openvino", "openvino-int8")

#: What nets are asked, by net and by shape of input, while `phar.openmmlab.quantizing` listens.
heard: dict[OpenVinoNet, dict[tuple[Any, ...], list[NDArray[Any]]]] | None = None

#: Marks the file of a quantized copy.
_INT8 = "-int8"
_UNQUANTIZED = (
    "a net has no int8 copy for inputs of this size; `phar models quantize PROFILE` makes it,"
    " or leave --preset int8 out"
)

#: Largest batch that OpenVINO is given, in rows and in numbers. Beyond these memory grows and speed does not:
#: one clip alone keeps the cores busy, and 16 of them take a gigabyte.
_MOST_ROWS = 16
_MOST_NUMBERS = 1 << 22

#: Largest difference of outputs in float32, relative to their largest value, of a conversion to be trusted.
_TRUSTED_DIFFERENCE = 0.01


@dataclass(frozen=True)
class NetSource:
    """A net that is built only when it is needed."""

    key: str
    """Names the net: equal keys, equal function."""
    build: Callable[[], nn.Module]
    """Builds it, in evaluation mode on the CPU. Raises ModelError."""

    @classmethod
    def of(cls, module: nn.Module) -> NetSource:
        """Return the source of a net that is there already, named by its form and weights."""
        return cls(_weights_digest(module), lambda: module)


class Net(Protocol):
    """A net over batches: one array in, all its output tensors out, the batch first."""

    backend: str
    """torch or openvino."""
    precision: str
    """Of the arithmetic: f32, bf16, f16."""

    def __call__(self, batch: NDArray[Any]) -> Sequence[Tensor]:
        """Run (N, ...) and give every output as a float32 tensor (N, ...) on the CPU."""


class TorchNet:
    """The net as it is."""

    backend = "torch"
    precision = "f32"

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.module = module.to(device)
        self.device = device

    def __call__(self, batch: NDArray[Any]) -> Sequence[Tensor]:
        """Run (N, ...) and give every output as a float32 tensor (N, ...) on the CPU."""
        with torch.inference_mode():
            outputs = self.module(torch.from_numpy(np.ascontiguousarray(batch)).to(self.device))
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        return [output.float().cpu() for output in outputs]


class OpenVinoNet:
    """The net converted for OpenVINO on the CPU; each shape of input is converted when first met.

    With `int8` a quantized copy is run, which `phar.openmmlab.quantizing` must have made before.
    """

    backend = "openvino"

    def __init__(self, source: NetSource, fall_back: bool, *, int8: bool = False) -> None:
        self._source = source
        self._int8 = int8
        self._original: TorchNet | None = None
        self._fall_back = fall_back
        self._compiled: dict[tuple[Any, ...], tuple[Any, bool]] = {}
        self.precision = "int8" if int8 else openvino_precision()
        if int8 and not any(cache_folder().glob(f"{source.key}-*{_INT8}.xml")):
            raise ModelError(_UNQUANTIZED)
        if not any(cache_folder().glob(f"{source.key}-*.xml")):
            # What is wrong with a net shows when it is loaded, not when it is first asked.
            _ = self._torch

    @property
    def _torch(self) -> TorchNet:
        if self._original is None:
            self._original = TorchNet(self._source.build(), torch.device("cpu"))
        return self._original

    def __call__(self, batch: NDArray[Any]) -> Sequence[Tensor]:
        """Run (N, ...) and give every output as a float32 tensor (N, ...) on the CPU."""
        if self.backend == "torch":
            return self._torch(batch)
        key = (*batch.shape[1:], str(batch.dtype))
        if heard is not None:
            heard.setdefault(self, {}).setdefault(key, []).extend(np.array(row) for row in batch)
        if key not in self._compiled:
            try:
                self._compiled[key] = self._prepare(batch)
                # It takes as much memory as the converted net, and can be built again for another shape.
                self._original = None
            except ModelError:
                raise
            except Exception as error:
                first_line = str(error).split("\n", 1)[0]
                message = f"OpenVINO cannot run {type(self._torch.module).__name__}: {first_line}"
                if not self._fall_back:
                    raise ModelError(f"{message}; use --backend torch") from error
                warnings.warn(f"{message}; torch runs it instead", stacklevel=2)
                self.backend, self.precision = "torch", "f32"
                return self._torch(batch)
        compiled, any_batch = self._compiled[key]
        parts = in_powers_of_two(batch) if any_batch else [batch[i : i + 1] for i in range(len(batch))]
        results = [list(compiled(np.ascontiguousarray(part)).values()) for part in parts]
        joined = results[0] if len(results) == 1 else [np.concatenate(r) for r in zip(*results, strict=True)]
        return [torch.from_numpy(np.array(output, np.float32)) for output in joined]

    def path_of(self, shape: Sequence[int], dtype: str, *, any_batch: bool, int8: bool) -> Path:
        """Where the converted copy for inputs (N, *shape) is kept."""
        import openvino

        size = "x".join(map(str, shape))
        version = openvino.__version__.split("-")[0]
        kind = f"{'n' if any_batch else '1'}{_INT8 if int8 else ''}"
        return cache_folder() / f"{self._source.key}-{size}-{dtype}-{version}-{kind}.xml"

    def _prepare(self, batch: NDArray[Any]) -> tuple[Any, bool]:
        """The compiled net for this shape of input, and whether it takes batches of any size."""
        shape, dtype = batch.shape[1:], str(batch.dtype)
        core, options = openvino_core(), openvino_options(None if self._int8 else self.precision)
        for any_batch in (True, False):
            path = self.path_of(shape, dtype, any_batch=any_batch, int8=self._int8)
            if path.is_file():
                compiled = core.compile_model(core.read_model(path), "CPU", options)
                give_back_pages(path.with_suffix(".bin"))
                return compiled, any_batch
        if self._int8:
            raise ModelError(_UNQUANTIZED)
        model, exact, any_batch = self.converted(batch)
        save(model, self.path_of(shape, dtype, any_batch=any_batch, int8=False))
        if self.precision == "f32":
            return exact, any_batch
        return core.compile_model(model, "CPU", options), any_batch

    def converted(self, batch: NDArray[Any]) -> tuple[Any, Any, bool]:
        """Convert for inputs like `batch` (N, ...).

        Gives the OpenVINO model, the same compiled for float32, and whether N may be any number. What it
        says has been held against torch. Raises whatever stands in the way.
        """
        core = openvino_core()
        # A trace may freeze the batch size it saw; another size, checked, tells. One row is tried first, for
        # tracing keeps what every layer gives.
        for traced, checked, any_batch in ((1, 2, True), (2, 1, True), (1, 1, False)):
            try:
                model = self._convert(np.resize(batch, (traced, *batch.shape[1:])), any_batch)
                exact = core.compile_model(model, "CPU", openvino_options("f32"))
                self.check(exact, np.resize(batch, (checked, *batch.shape[1:])))
                return model, exact, any_batch
            except Exception:
                if not any_batch:
                    raise
        raise AssertionError("unreachable")

    def _convert(self, example: NDArray[Any], any_batch: bool) -> Any:
        import openvino
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            tensor = torch.from_numpy(np.ascontiguousarray(example))
            # Tracing once more to compare would take as long again; the outcome is checked anyway.
            decoder = TorchScriptPythonDecoder(
                self._torch.module, example_input=(tensor,), trace_kwargs={"check_trace": False}
            )
            model = openvino.convert_model(decoder, example_input=(tensor,))
        del decoder
        give_back_memory()
        model.reshape([-1 if any_batch else 1, *example.shape[1:]])
        return model

    def check(self, compiled: Any, batch: NDArray[Any]) -> None:
        """Hold a compiled net against torch on one batch. Raises ModelError."""
        expected = self._torch(batch)
        got = [np.asarray(output) for output in compiled(np.ascontiguousarray(batch)).values()]
        for one, other in zip(expected, got, strict=True):
            wanted = one.numpy()
            if wanted.shape != other.shape:
                raise ModelError(f"its output has shape {other.shape}, not {wanted.shape}")
            if np.abs(wanted - other).max() > _TRUSTED_DIFFERENCE * max(np.abs(wanted).max(), 1e-6):
                raise ModelError("its output differs from torch's")


def in_powers_of_two(batch: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut a batch into parts of 2^k rows, the largest first, none beyond `_MOST_ROWS` or `_MOST_NUMBERS`.

    OpenVINO keeps working memory, and often another copy of the weights, for every batch size it has met:
    with a handful of sizes that has an end.
    """
    most = max(1, min(_MOST_ROWS, _MOST_NUMBERS // max(1, batch[0].size))) if len(batch) else 1
    parts, start = [], 0
    while start < len(batch):
        size = 1 << min(len(batch) - start, most).bit_length() - 1
        parts.append(batch[start : start + size])
        start += size
    return parts


def give_back_memory() -> None:
    """Let the C library return freed memory, of which tracing leaves gigabytes, to the system."""
    # Only glibc has it; what others keep is theirs to decide.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def give_back_pages(path: Path) -> None:
    """Let the system have the memory back in which a file is mapped; what is touched again is read again.

    OpenVINO maps a net's weights, makes its own copy of them in another order, and keeps both.
    """
    file = str(path.resolve())
    with contextlib.suppress(OSError, AttributeError):
        mapped = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
        madvise = ctypes.CDLL(None).madvise
        for addresses, rights, *_, name in mapped:
            # Pages that may be written to would be lost.
            if name == file and rights.startswith("r--"):
                start, end = (int(each, 16) for each in addresses.split("-"))
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def make_net(net: nn.Module | NetSource, device: torch.device, backend: str = "auto") -> Net:
    """Choose how to run `net`, a function of one tensor: (N, ...) -> tensor or tuple of them.

    "auto" is OpenVINO on a CPU where it is installed and can run the net, else torch. Raises ModelError.
    """
    if backend not in BACKENDS:
        raise ModelError(f"backend {backend!r} is unknown; use one of {', '.join(BACKENDS)}")
    if backend.startswith("openvino") and device.type != "cpu":
        raise ModelError(f"backend {backend} runs on the CPU, got device {device}; use --backend torch")
    source = NetSource.of(net) if isinstance(net, nn.Module) else net
    if backend == "torch" or device.type != "cpu":
        return TorchNet(source.build(), device)
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        if backend != "auto":
            raise ModelError(
                f"backend {backend} is not installed; `pip install openvino` or use --backend torch"
            ) from error
        return TorchNet(source.build(), device)
    return OpenVinoNet(source, fall_back=backend == "auto", int8=backend == "openvino-int8")


def cache_folder() -> Path:
    """Folder of converted nets."""
    named = os.environ.get("PHAR_CACHE")
    return (Path(named) if named else Path(platformdirs.user_cache_dir("phar"))) / "openvino"


def save(model: Any, path: Path) -> None:
    """Write a converted net so that a reader sees all of it or nothing; failing to write is no failure."""
    import openvino

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            openvino.save_model(model, temporary, compress_to_fp16=False)
            # The weights first: the .xml is what a reader looks for.
            temporary.with_suffix(".bin").replace(path.with_suffix(".bin"))
            temporary.replace(path)
    except OSError as error:
        warnings.warn(f"converted net was not cached in {path.parent}: {error}", stacklevel=2)


def _weights_digest(module: nn.Module) -> str:
    digest = hashlib.sha256(repr(module).encode())
    tensors = [*module.named_parameters(), *module.named_buffers()]
    for name, tensor in sorted(tensors, key=lambda pair: pair[0]):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:24]


def openvino_options(precision: str | None = None) -> dict[str, Any]:
    """How nets are compiled: for the next answer, on as many threads as torch has, in `precision`.

    None is the faster one on this CPU.
    """
    threads = torch.get_num_threads()
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Every process would pin its threads to the same first cores: bad where several share a machine.
        "ENABLE_CPU_PINNING": threads >= (os.cpu_count() or 1),
        "INFERENCE_PRECISION_HINT": precision or openvino_precision(),
    }


@cache
def openvino_core() -> Any:
    """The process's one OpenVINO core, which stays.

    Each core gives the thread that first uses it a stack for signal handlers. Where cores go in another order
    than they came, or the last one goes, that stack is taken away and yet used by the next signal.
    """
    import openvino

    return openvino.Core()


@cache
def openvino_precision() -> str:
    """Arithmetic that nets run in on this CPU: bf16 where it has that and is faster in it, else f32.

    Having it does not say so: where the matrix unit is missing, or kept from a virtual machine, some
    processors multiply bf16 at half the speed of float32.
    """
    if "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "f32"
    layers = {precision: _linear_layer(precision) for precision in ("f32", "bf16")}
    rows = np.ones((512, 1024), np.float32)
    best = dict.fromkeys(layers, float("inf"))
    for _ in range(5):
        for precision, layer in layers.items():
            started = time.perf_counter()
            layer(rows)
            best[precision] = min(best[precision], time.perf_counter() - started)
    return min(best, key=best.__getitem__)


def machine() -> str:
    """Name what nets run on here: the GPU, or the CPU with its cores and arithmetic."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    name = openvino_core().get_property("CPU", "FULL_DEVICE_NAME")
    return f"{name}, {os.cpu_count()} cores, {openvino_precision()}"


def _linear_layer(precision: str) -> Any:
    from openvino import Model, opset13

    rows = opset13.parameter([-1, 1024], np.float32)
    product = opset13.matmul(rows, opset13.constant(np.ones((1024, 1024), np.float32)), False, True)
    return openvino_core().compile_model(Model([product], [rows]), "CPU", openvino_options(precision))
