"""The flow that MMAction2's demos take, on OpenMMLab's public functions: what phar is measured against.

The video is encoded anew at 480p and cut into files of 7 s; a recognizer reads each file; the detector
looks at every frame; the pose net at the persons of one frame at a time; the skeleton recognizer at the
joints; the audio features are those of the file. mmpose's own functions cannot be imported without
torchvision, so its `inference_topdown` is spelled out: the same transforms, collation and `test_step`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from phar.openmmlab import imports, loading
from phar.profile import Profile
from phar.streams.features import SAMPLE_RATE_HZ, log_mel

WINDOW_S = 7


class ReferenceFlow:
    """One profile's nets, run one file, one frame and one person at a time."""

    def __init__(self, profile: Profile, boxes: np.ndarray) -> None:
        """Build every net. boxes: (n, 4) persons of every frame, as shares of width and height."""
        self.boxes = boxes
        self.seconds: dict[str, float] = {}
        with imports.scope("mmaction"):
            self.recognizers = {
                name: _model("mmaction", stream.model.config, stream.model.checkpoint, len(stream.labels))
                for name, stream in profile.streams.items()
            }
        persons = profile.persons
        assert persons is not None
        self.detector = _model("mmdet", persons.detector.config, persons.detector.checkpoint, None)
        _raise_threshold(self.detector, persons.det_score_thr)
        self.pose = _model("mmpose", persons.pose.config, persons.pose.checkpoint, None)
        with imports.scope("mmpose"):
            self.pose_pipeline = Compose(self.pose.cfg.test_pipeline)
        with imports.scope("mmaction"):
            self.audio_pipeline = Compose(
                [
                    step
                    for step in self.recognizers["audio"].cfg.test_pipeline
                    if step["type"] != "LoadAudioFeature"
                ]
            )

    def window(self, video: Path, folder: Path, share: float) -> dict[str, float]:
        """Time one window of 7 s; detector and pose look at `share` of its frames and are scaled up.

        Returns seconds per window by stage. Encoding is that of the whole video, divided by its windows.
        """
        self.seconds = {}
        with self._stage("encode"):
            small = folder / "480p.mp4"
            _ffmpeg("-i", str(video), "-vf", "scale=-2:480", "-c:a", "aac", str(small))
        with self._stage("cut"):
            _ffmpeg(
                "-i",
                str(small),
                "-f",
                "segment",
                "-segment_time",
                str(WINDOW_S),
                "-reset_timestamps",
                "1",
                "-force_key_frames",
                f"expr:gte(t,n_forced*{WINDOW_S})",
                str(folder / "part%03d.mp4"),
            )
        parts = sorted(folder.glob("part*.mp4"))
        for stage in ("encode", "cut"):
            self.seconds[stage] /= len(parts)
        part = parts[0]
        with self._stage("rgb"), imports.scope("mmaction"):
            from mmaction.apis import inference_recognizer

            inference_recognizer(self.recognizers["rgb"], str(part))
        with self._stage("frames"):
            frames = _read(part)
        picked = frames[:: max(1, round(1 / share))]
        scale = len(frames) / len(picked)
        self._scaled("detector", scale, picked, self._detect)
        height, width = frames[0].shape[:2]
        corners = self.boxes * np.array([width, height, width, height])
        poses = self._scaled("pose", scale, picked, lambda frame: self._estimate(frame, corners))
        every = [poses[round(i / scale) % len(poses)] for i in range(len(frames))]
        with self._stage("skeleton"), imports.scope("mmaction"):
            from mmaction.apis import inference_skeleton

            inference_skeleton(self.recognizers["skeleton"], every, (height, width))
        with self._stage("audio_features"):
            features = log_mel(_sound(part))
        with self._stage("audio"), imports.scope("mmaction"), torch.inference_mode():
            model = self.recognizers["audio"]
            sample = {
                "audios": features,
                "total_frames": len(features),
                "length": len(features),
                "label": -1,
                "start_index": 0,
                "modality": "Audio",
            }
            model.test_step(pseudo_collate([self.audio_pipeline(sample)]))
        return self.seconds

    def _detect(self, frame: np.ndarray) -> Any:
        from mmdet.apis import inference_detector

        with imports.scope("mmdet"):
            return inference_detector(self.detector, frame)

    def _estimate(self, frame: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
        meta = self.pose.dataset_meta
        with imports.scope("mmpose"), torch.inference_mode():
            samples = [
                self.pose_pipeline(
                    {
                        "img": frame,
                        "bbox": box[None].astype(np.float32),
                        "bbox_score": np.ones(1, np.float32),
                        **meta,
                    }
                )
                for box in boxes
            ]
            results = self.pose.test_step(pseudo_collate(samples))
        instances = [result.pred_instances for result in results]
        return {
            "keypoints": np.concatenate([i.keypoints for i in instances]),
            "keypoint_scores": np.concatenate([i.keypoint_scores for i in instances]),
        }

    def _scaled(
        self, name: str, scale: float, frames: list[np.ndarray], work: Callable[[np.ndarray], Any]
    ) -> list[Any]:
        started = time.perf_counter()
        results = [work(frame) for frame in frames]
        self.seconds[name] = (time.perf_counter() - started) * scale
        return results

    @contextmanager
    def _stage(self, name: str):  # type: ignore[no-untyped-def]
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def _model(library: str, config: Path, checkpoint: Path | None, num_classes: int | None) -> Any:
    loaded = Config.fromfile(str(config))
    if num_classes is not None:
        loaded.model.cls_head.num_classes = num_classes
    model: Any = loading.build(loaded.model, library, seed=0)
    if checkpoint is not None:
        model.load_state_dict(loading.load_checkpoint(checkpoint)["state_dict"])
    model.cfg = loaded
    model.dataset_meta = {"flip_indices": [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]}
    return model


def _raise_threshold(detector: Any, score_thr: float) -> None:
    """Random scores are all alike: without this, removing overlaps would take longer than the net."""
    head = detector.roi_head if hasattr(detector, "roi_head") else detector.bbox_head
    head.test_cfg.score_thr = score_thr


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *arguments], check=True)


def _read(part: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(part))
    frames: list[np.ndarray] = []
    while True:
        there, frame = capture.read()
        if not there:
            return frames
        frames.append(frame)


def _sound(part: Path) -> np.ndarray:
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-loglevel",
        "error",
        "-i",
        str(part),
        "-ac",
        "1",
        "-ar",
        str(SAMPLE_RATE_HZ),
        "-f",
        "f32le",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.float32)
