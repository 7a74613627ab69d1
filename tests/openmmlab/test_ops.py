"""mmcv's operators without a compiler: the same answers as compiled, and a clear word where there is none."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from ops_cases import NUM_CASES, batched_case, nms_case, roi_align_case

from phar.openmmlab import imports, ops
from phar.schema import ModelError

# What mmcv 2.1.0's own C++ gave; make_ops_reference.py says how it was made.
REFERENCE = Path(__file__).with_name("ops_reference.npz")


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as stored:
        return dict(stored)


@pytest.fixture(autouse=True)
def fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Route mmcv's wrappers to the fallback, whichever mmcv is installed."""
    import mmcv._ext

    monkeypatch.setattr(mmcv._ext, "nms", ops.nms)
    monkeypatch.setattr(mmcv._ext, "roi_align_forward", ops.roi_align_forward)


def _split(flat: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    return np.split(flat, np.cumsum(sizes)[:-1])


@pytest.fixture
def stored_ties(reference: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sort as the reference run did: the sort is not stable, so ties fall as that machine's torch chose."""
    orders = iter(_split(reference["orders"], reference["orders_sizes"]))

    def stored(scores: torch.Tensor) -> torch.Tensor:
        order = torch.from_numpy(next(orders).astype(np.int64))
        assert torch.equal(scores[order], scores.sort(descending=True)[0])
        return order

    monkeypatch.setattr(ops, "best_first", stored)


@pytest.mark.usefixtures("stored_ties")
def test_nms_keeps_what_the_compiled_operator_keeps(reference: dict[str, np.ndarray]) -> None:
    from mmcv.ops import batched_nms, nms

    single = _split(reference["nms"], reference["nms_sizes"])
    batched = _split(reference["batched"], reference["batched_sizes"])
    assert len(single) == len(batched) == NUM_CASES
    for seed in range(NUM_CASES):
        assert nms(**nms_case(seed))[1].tolist() == single[seed].tolist(), f"case {seed}"
        assert batched_nms(**batched_case(seed))[1].tolist() == batched[seed].tolist(), f"case {seed}"


def test_roi_align_equals_the_compiled_operator(reference: dict[str, np.ndarray]) -> None:
    from mmcv.ops import roi_align

    got = []
    for seed in range(20):
        features, rois, arguments = roi_align_case(seed)
        got.append(roi_align(features, rois, *arguments).numpy().ravel())
    np.testing.assert_allclose(np.concatenate(got), reference["roi_align"], atol=2e-6)


def test_cases_hold_ties_and_degenerate_boxes() -> None:
    cases = [nms_case(seed) for seed in range(50)]
    boxes, scores = torch.cat([c["boxes"] for c in cases]), [c["scores"] for c in cases]
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (width == 0).sum() > 50 and (width < 0).sum() > 50 and ((width == 0) & (height == 0)).sum() > 50
    assert sum(len(s) - len(s.unique()) for s in scores) > 500


def test_nms_by_hand() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 10], [0, 0, 10, 9]], dtype=torch.float32)
    scores = torch.tensor([0.5, 0.9, 0.5, 0.5])
    # IoU with the best, box 1: 0.5, 0 and 5/9; only what is greater than the threshold falls.
    assert ops.nms(boxes, scores, 0.5).tolist() == [1, 0, 2]
    assert ops.nms(boxes, scores, 0.4).tolist() == [1, 2]


def test_other_operators_say_what_to_install() -> None:
    if imports.ops_kind() == "compiled":
        pytest.skip("mmcv is installed with its compiled operators")
    import mmcv._ext

    with pytest.raises(ModelError, match=r"softnms needs mmcv with compiled ops.*pip install mmcv==2\.1\.0"):
        mmcv._ext.softnms(torch.zeros(1, 4))
    with pytest.raises(ModelError, match="pool_mode='max'"):
        features, rois, _ = roi_align_case(0)
        ops.roi_align_forward(
            features,
            rois,
            rois,
            rois,
            rois,
            2,
            2,
            spatial_scale=1.0,
            sampling_ratio=0,
            pool_mode=0,
            aligned=True,
        )


def test_finder_comes_last_so_that_a_compiled_mmcv_wins() -> None:
    spec = importlib.util.find_spec("mmaction.models.localizers.bmn")
    assert spec is not None and spec.origin is not None
    import sys

    names = [type(finder).__name__ for finder in sys.meta_path]
    assert names.count("_MissingModules") == 1
    assert names.index("_MissingModules") > [getattr(f, "__name__", "") for f in sys.meta_path].index(
        "PathFinder"
    )
