"""Whether a pose net's joints are COCO's 17, by the names that its file or its config gives them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phar.openmmlab import imports
from phar.schema import COCO_KEYPOINTS, ModelError


def require_coco_joints(
    num_joints: int, config: Mapping[str, Any], content: Mapping[str, Any] | None
) -> None:
    """Check that a net of `num_joints` outputs gives COCO's 17 joints in their order.

    By the first list of names that is as long as the net has outputs: the checkpoint's, then its test data
    set's; without one, the number must do. Raises ModelError.
    """
    if num_joints != len(COCO_KEYPOINTS):
        raise ModelError(
            f"the pose net knows {num_joints} joints, COCO's 17 are needed; name a net trained on those"
        )
    for names in _names(config, content):
        if len(names) == num_joints:
            if tuple(names) == COCO_KEYPOINTS:
                return
            other = next(name for name, coco in zip(names, COCO_KEYPOINTS, strict=True) if name != coco)
            raise ModelError(
                f"the pose net's 17 joints are others than COCO's ({other!r}, ...);"
                " name a net trained on those"
            )


def _names(config: Mapping[str, Any], content: Mapping[str, Any] | None) -> Iterator[Sequence[str]]:
    trained = (content or {}).get("meta", {}).get("dataset_meta", {})
    known = trained.get("keypoint_id2name") if isinstance(trained, Mapping) else None
    if known:
        yield [known[i] for i in sorted(known, key=int)]
    dataset = config.get("test_dataloader", {}).get("dataset", {})
    described = dataset.get("metainfo")
    with imports.scope("mmpose"), warnings.catch_warnings():
        # Each data set's list is looked up in the package, which mmpose thinks worth a warning.
        warnings.simplefilter("ignore")
        from mmpose.datasets.datasets.utils import parse_pose_metainfo
        from mmpose.registry import DATASETS

        kind = dataset.get("type")
        if described is None:
            described = getattr(DATASETS.get(kind) if isinstance(kind, str) else kind, "METAINFO", None)
        if described:
            parsed = parse_pose_metainfo(dict(described))
            yield [parsed["keypoint_id2name"][i] for i in range(parsed["num_keypoints"])]
