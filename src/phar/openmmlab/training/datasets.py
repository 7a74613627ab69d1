"""Records as the libraries' own pipelines want them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from phar.openmmlab import imports
from phar.openmmlab.clips.poses import joint_heatmaps
from phar.openmmlab.training.pipelines import READ_FRAMES
from phar.openmmlab.training.records import (
    ClipRecord,
    FeatureRecord,
    FrameRecord,
    PersonRecord,
    PictureRecord,
    PoseRecord,
    SceneRecord,
    SoundRecord,
)
from phar.schema import COCO_KEYPOINTS, COCO_MIRRORED

_FIRST_HIP = COCO_KEYPOINTS.index("left_hip")


class Samples(Protocol):
    """A finite list of records, each a pure function of its position."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class RecordDataset(Dataset[dict[str, Any]]):
    """Records run through a config's pipeline; the same position always gives the same sample.

    `steps` gives the pipeline's steps, told whether the records hold picked frames.
    """

    def __init__(
        self,
        samples: Samples,
        steps: Callable[[bool], Sequence[Mapping[str, Any]]],
        kind: str,
        seed: int,
        metainfo: Mapping[str, Any],
    ) -> None:
        self.metainfo = dict(metainfo)
        self._samples = samples
        self._seed = seed
        self._kind = kind
        self._convert, self._scope = CONVERSIONS[kind]
        self._steps = {picked: [dict(step) for step in steps(picked)] for picked in (True, False)}
        self._pipelines: dict[bool, Callable[[dict[str, Any]], dict[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._samples[index]
        picked = getattr(record, "picked", True)
        if picked not in self._pipelines:
            # Built where it is used, so that loader processes need not share it.
            cv2.setNumThreads(1)
            self._pipelines[picked] = _compose(self._steps[picked], self._scope)
        # The libraries' transforms draw from the global generators.
        np.random.seed([self._seed, index])
        import random

        random.seed(self._seed * 1_000_003 + index)
        with imports.scope(self._scope):
            return self._pipelines[picked](self._convert(record, index))


class ReadFrames:
    """Reads the frames that a sampler has picked of a `ClipRecord`."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Put `imgs`, as `frame_inds` names them, in the place of the record."""
        record: ClipRecord = results.pop("record")
        indices = np.clip(np.asarray(results["frame_inds"]).reshape(-1), 0, record.num_frames - 1)
        results["imgs"] = record.read(indices.astype(np.int64))
        results["img_shape"] = results["original_shape"] = results["imgs"][0].shape[:2]
        return results


class FastPoseTarget:
    """GeneratePoseTarget for joints alone, all frames at once; the same maps many times faster."""

    def __init__(self, sigma: float = 0.6, use_score: bool = True, **_: Any) -> None:
        self._sigma = sigma
        self._use_score = use_score

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw `keypoint` (M, T, 17, 2) into `imgs` (T, 17, H, W)."""
        scores = results["keypoint_score"] if self._use_score else np.ones_like(results["keypoint_score"])
        height, width = results["img_shape"]
        results["imgs"] = joint_heatmaps(results["keypoint"], scores, int(height), int(width), self._sigma)
        return results


def _compose(steps: Sequence[dict[str, Any]], scope: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    with imports.scope(scope):
        from mmengine.dataset import Compose

        built: list[Any] = []
        for step in steps:
            plain_joints = step.get("with_kp", True) and not step.get("with_limb") and not step.get("double")
            if step["type"] == "GeneratePoseTarget" and plain_joints:
                built.append(FastPoseTarget(**{k: v for k, v in step.items() if k != "type"}))
            elif step["type"] == READ_FRAMES:
                built.append(ReadFrames())
            else:
                built.append(step)
        return Compose(built)


def _frames(record: FrameRecord | ClipRecord, index: int) -> dict[str, Any]:
    if isinstance(record, ClipRecord):
        return {
            "record": record,
            "label": record.label,
            "modality": "RGB",
            "total_frames": record.num_frames,
            "avg_fps": record.fps,
            "start_index": 0,
        }
    shape = record.frames.shape[1:3]
    return {
        "imgs": list(record.frames),
        "label": record.label,
        "modality": "RGB",
        "img_shape": shape,
        "original_shape": shape,
        "num_clips": 1,
        "clip_len": len(record.frames),
    }


def _features(record: FeatureRecord, index: int) -> dict[str, Any]:
    from mmaction.structures import ActionDataSample

    inputs = torch.from_numpy(record.features)[None]
    return {"inputs": inputs, "data_samples": ActionDataSample().set_gt_label(record.label)}


def _scene(record: SceneRecord, index: int) -> dict[str, Any]:
    from mmaction.structures import ActionDataSample

    sample = ActionDataSample(scene=record).set_gt_label(record.label)
    # mmdet's backbones read pictures as BGR.
    picture = np.ascontiguousarray(record.frame[..., ::-1].transpose(2, 0, 1))
    return {"inputs": torch.from_numpy(picture), "data_samples": sample}


def _poses(record: PoseRecord, index: int) -> dict[str, Any]:
    shape = (record.clip.height_px, record.clip.width_px)
    draw = record.another
    return {
        **({} if draw is None else {"another": lambda rng: _poses(draw(rng), index)}),
        "keypoint": record.clip.keypoints.copy(),
        "keypoint_score": record.clip.scores.copy(),
        "label": record.label,
        "modality": "Pose",
        "img_shape": shape,
        "original_shape": shape,
        "num_clips": 1,
        "clip_len": record.clip.keypoints.shape[1],
        "total_frames": record.clip.keypoints.shape[1],
        "start_index": 0,
    }


def _sound(record: SoundRecord, index: int) -> dict[str, Any]:
    rows = len(record.features)
    return {
        "audios": record.features,
        "label": record.label,
        "modality": "Audio",
        "total_frames": rows,
        "length": rows,
        "start_index": 0,
    }


def _picture(record: PictureRecord, index: int) -> dict[str, Any]:
    from mmdet.structures.bbox import HorizontalBoxes

    shape = record.frame.shape[:2]
    boxes = record.boxes.reshape(-1, 4).astype(np.float32)
    return {
        # mmdet and mmpose read pictures as BGR.
        "img": cv2.cvtColor(record.frame, cv2.COLOR_RGB2BGR),
        "img_id": index,
        "img_path": None,
        "img_shape": shape,
        "ori_shape": shape,
        "gt_bboxes": HorizontalBoxes(boxes),
        "gt_bboxes_labels": np.zeros(len(boxes), np.int64),
        "gt_ignore_flags": np.zeros(len(boxes), bool),
        "instances": [{"bbox": box.tolist(), "bbox_label": 0, "ignore_flag": 0} for box in boxes],
    }


def _person(record: PersonRecord, index: int) -> dict[str, Any]:
    shape = record.frame.shape[:2]
    return {
        "img": cv2.cvtColor(record.frame, cv2.COLOR_RGB2BGR),
        "img_id": index,
        "id": index,
        "img_path": None,
        "img_shape": shape,
        "ori_shape": shape,
        "bbox": record.box.reshape(1, 4).astype(np.float32),
        "bbox_score": np.ones(1, np.float32),
        "keypoints": record.keypoints[None, :, :2].astype(np.float32),
        "keypoints_visible": (record.keypoints[None, :, 2] > 0).astype(np.float32),
        "flip_indices": list(COCO_MIRRORED),
        "upper_body_ids": list(range(_FIRST_HIP)),
        "lower_body_ids": list(range(_FIRST_HIP, len(COCO_KEYPOINTS))),
        "head_size": np.full(
            1, max(record.box[2] - record.box[0], record.box[3] - record.box[1]), np.float32
        ),
    }


#: Per kind of net: how a record becomes the libraries' dictionary, and whose transforms follow.
CONVERSIONS: dict[str, tuple[Callable[[Any, int], dict[str, Any]], str]] = {
    "rgb": (_frames, "mmaction"),
    "features": (_features, "mmaction"),
    "scene": (_scene, "mmaction"),
    "skeleton": (_poses, "mmaction"),
    "audio": (_sound, "mmaction"),
    "person": (_picture, "mmdet"),
    "pose": (_person, "mmpose"),
}
