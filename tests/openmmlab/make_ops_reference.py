"""Writes ops_reference.npz: what mmcv's compiled nms, batched_nms and roi_align give on random cases.

Run once, by hand, where a compiler is at hand; the tests only read the result:

    pip download --no-deps --no-binary :all: --no-build-isolation mmcv==2.1.0 && tar xzf mmcv-2.1.0.tar.gz
    python tests/openmmlab/make_ops_reference.py mmcv-2.1.0 tests/openmmlab/ops_reference.npz

It compiles the four files of mmcv 2.1.0's own C++ that hold these operators on the CPU, unchanged, with a
binding of the same names and arguments as mmcv's, and calls them through `mmcv.ops`.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from pathlib import Path

import numpy as np
import torch
from ops_cases import NUM_CASES, batched_case, nms_case, roi_align_case

BINDING = """
#include <torch/extension.h>
using at::Tensor;
Tensor nms(Tensor boxes, Tensor scores, float iou_threshold, int offset);
void roi_align_forward(Tensor input, Tensor rois, Tensor output, Tensor argmax_y, Tensor argmax_x,
                       int aligned_height, int aligned_width, float spatial_scale, int sampling_ratio,
                       int pool_mode, bool aligned);
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("nms", &nms, py::arg("boxes"), py::arg("scores"), py::arg("iou_threshold"), py::arg("offset"));
  m.def("roi_align_forward", &roi_align_forward, py::arg("input"), py::arg("rois"), py::arg("output"),
        py::arg("argmax_y"), py::arg("argmax_x"), py::arg("aligned_height"), py::arg("aligned_width"),
        py::arg("spatial_scale"), py::arg("sampling_ratio"), py::arg("pool_mode"), py::arg("aligned"));
}
"""


def compiled_operators(source: Path, build: Path) -> types.ModuleType:
    """Compile mmcv's CPU operators from its unpacked source distribution."""
    from torch.utils import cpp_extension

    build.mkdir(parents=True, exist_ok=True)
    binding = build / "binding.cpp"
    binding.write_text(BINDING)
    csrc = source / "mmcv" / "ops" / "csrc"
    names = ("nms.cpp", "cpu/nms.cpp", "roi_align.cpp", "cpu/roi_align.cpp")
    # Object files are named after the source file alone, so the two folders need different names.
    copies = []
    for name in names:
        copy = build / name.replace("/", "_")
        copy.write_text((csrc / "pytorch" / name).read_text())
        copies.append(str(copy))
    return cpp_extension.load(
        "mmcv_operators",
        [*copies, str(binding)],
        extra_include_paths=[str(csrc / "common")],
        extra_cflags=["-O2"],
        build_directory=str(build),
        verbose=True,
    )


def install(operators: types.ModuleType) -> list[np.ndarray]:
    """Put the compiled operators in the place of `mmcv._ext`; give the list that each call's order joins.

    The operator sorts scores with a sort that is not stable, so the order of ties is the machine's: it is
    stored with the result.
    """
    orders: list[np.ndarray] = []

    def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
        orders.append(scores.sort(0, descending=True)[1].numpy().astype(np.uint8))
        return operators.nms(boxes, scores, iou_threshold=iou_threshold, offset=offset)

    module = types.ModuleType("mmcv._ext")
    module.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
    module.nms, module.roi_align_forward = nms, operators.roi_align_forward
    module.__getattr__ = lambda name: None
    sys.modules["mmcv._ext"] = module
    return orders


def main() -> None:
    """Compile, run every case and write the indices and averages."""
    source, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    orders = install(compiled_operators(source, source.parent / "mmcv_operators"))
    from mmcv.ops import batched_nms, nms, roi_align

    kept, batched, pooled = [], [], []
    for seed in range(NUM_CASES):
        kept.append(nms(**nms_case(seed))[1].numpy().astype(np.uint8))
        batched.append(batched_nms(**batched_case(seed))[1].numpy().astype(np.uint8))
    for seed in range(20):
        features, rois, arguments = roi_align_case(seed)
        pooled.append(roi_align(features, rois, *arguments).numpy().ravel())
    np.savez_compressed(
        out,
        nms=np.concatenate(kept),
        nms_sizes=np.array([len(k) for k in kept], np.int16),
        batched=np.concatenate(batched),
        batched_sizes=np.array([len(k) for k in batched], np.int16),
        orders=np.concatenate(orders),
        orders_sizes=np.array([len(o) for o in orders], np.int16),
        roi_align=np.concatenate(pooled),
        torch_version=torch.__version__,
    )


if __name__ == "__main__":
    main()
