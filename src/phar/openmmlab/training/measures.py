"""How nets are validated: MMAction2's, MMDetection's and MMPose's own metrics, by the kind of net."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """How a kind of net is validated."""

    metric: Mapping[str, Any]
    """MMEngine's description of it."""
    columns: tuple[str, ...]
    """What it gives, by the names it gives them."""
    best: str
    """The column by which the best checkpoint is chosen; the higher the better."""


def best_row(rows: Sequence[Mapping[str, float]], measure: Measure) -> Mapping[str, float] | None:
    """Return the row of a log that validated best, None where none did."""
    validated = [row for row in rows if measure.best in row]
    return max(validated, key=lambda row: row[measure.best]) if validated else None


_ACCURACY = Measure(
    {"type": "AccMetric", "metric_list": ("top_k_accuracy", "mean_class_accuracy")},
    ("acc/top1", "acc/top5", "acc/mean1"),
    "acc/mean1",
)
MEASURES: Mapping[str, Measure] = {
    **dict.fromkeys(("rgb", "skeleton", "features", "scene", "audio"), _ACCURACY),
    "person": Measure(
        {"type": "QuietCocoMetric", "ann_file": None, "metric": "bbox", "classwise": False},
        ("coco/bbox_mAP", "coco/bbox_mAP_50", "coco/bbox_mAP_75"),
        "coco/bbox_mAP",
    ),
    "pose": Measure({"type": "mmpose.PCKAccuracy", "thr": 0.1, "norm_item": "bbox"}, ("PCK",), "PCK"),
}


def import_metric(kind: str) -> None:
    """Register the metric of a kind of net."""
    if kind == "person":
        _register_quiet_coco()
    elif kind == "pose":
        import mmpose.evaluation  # noqa: F401
    else:
        import mmaction.evaluation  # noqa: F401


def _register_quiet_coco() -> None:
    from mmdet.evaluation import CocoMetric
    from mmengine.registry import METRICS

    if "QuietCocoMetric" in METRICS.module_dict:
        return

    class QuietCocoMetric(CocoMetric):
        """MMDetection's, without the thirty lines that pycocotools prints at each validation."""

        def compute_metrics(self, results: list[Any]) -> dict[str, float]:
            with redirect_stdout(io.StringIO()):
                metrics: dict[str, float] = super().compute_metrics(results)
            return metrics

    METRICS.register_module(module=QuietCocoMetric)
