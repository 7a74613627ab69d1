"""The skeleton stream: persons are found, then a recognizer looks at their joints alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from phar.clock import Stopwatch
from phar.media import WindowMedia
from phar.openmmlab import PoseClip, Recognizer
from phar.profile import StreamSpec
from phar.schema import FloatArray, Poses, StreamScore
from phar.streams.gates import keypoint_gate, keypoint_share, proposal_gate
from phar.streams.persons import PersonFinder, to_poses
from phar.streams.stream import Answer, Chunk, shown_frames
from phar.streams.tracks import rows_of_persons


class SkeletonStream:
    """Scores windows where RGB proposes a label that shows in limbs and persons are clearly seen."""

    name = "skeleton"
    audio_hz = None

    def __init__(
        self,
        spec: StreamSpec,
        rgb_labels: tuple[str, ...],
        recognizer: Recognizer,
        persons: PersonFinder,
        clock: Stopwatch,
    ) -> None:
        self.spec = spec
        self._rgb_labels = rgb_labels
        self.recognizer = recognizer
        self._persons = persons
        self._clock = clock

    def wanted(self, frame_times_s: NDArray[np.float64]) -> set[int]:
        """Return the frames the recognizer's own sampling picks in this window."""
        return set(shown_frames(self.recognizer.clip, frame_times_s))

    def score(self, chunk: Chunk) -> list[Answer]:
        """Score every window of the chunk; the gate on RGB's labels is asked before any detection."""
        reasons: dict[int, str] = {}
        poses: dict[int, Poses] = {}
        clips: dict[int, PoseClip] = {}
        for i, media in enumerate(chunk.media):
            _, reason = proposal_gate(
                chunk.rgb_score(i), self._rgb_labels, self.spec.labels, self.spec.rgb_topk
            )
            if reason is None:
                poses[i], clip, reason = self._look(media)
                clips[i] = clip
            if reason is not None:
                reasons[i] = reason
        spoken = [i for i in clips if i not in reasons]
        with self._clock.stage(self.name):
            probs = self.recognizer.predict([clips[i] for i in spoken]) if spoken else []
        scored = dict(zip(spoken, probs, strict=True))
        return [
            Answer(
                StreamScore(self.name, media.window, probs=scored.get(i), silent=reasons.get(i)),
                poses.get(i),
            )
            for i, media in enumerate(chunk.media)
        ]

    def _look(self, media: WindowMedia) -> tuple[Poses, PoseClip, str | None]:
        """Return a window's persons, the clip of their joints, and why it should not be scored."""
        indices = np.asarray(shown_frames(self.recognizer.clip, media.frame_times_s))
        unique, place = np.unique(indices, return_inverse=True)
        frames = [media.frames[i] for i in unique.tolist()]
        found = self._persons.find(frames)
        rows = rows_of_persons([b for b, _ in found]) if self.recognizer.clip.follows_persons else None
        clip = pose_clip([k for _, k in found], frames[0].height_px, frames[0].width_px, rows)
        clip = replace(
            clip,
            keypoints=clip.keypoints[:, place],
            scores=clip.scores[:, place],
            frame_index=indices,
        )
        return to_poses([frame.time_s for frame in frames], found), clip, self._silence(found)

    def _silence(self, found: list[tuple[FloatArray, FloatArray]]) -> str | None:
        if not any(len(boxes) for boxes, _ in found):
            return "no person was found"
        share = keypoint_share([k for _, k in found], self._persons.spec.pose_score_thr)
        return keypoint_gate(share, self.spec.min_keypoint_share)


def pose_clip(
    keypoints: Sequence[FloatArray],
    height_px: int,
    width_px: int,
    rows: Sequence[NDArray[np.int64]] | None = None,
) -> PoseClip:
    """Return a clip with one row per person.

    keypoints: one (n, 17, 3) array per frame. rows: the row of each of a frame's persons; without it, row m
    holds the m-th best person of each frame, which is enough for heat-map recognizers: they add the
    persons of a frame up. Where a frame has no person for a row, it holds zeros.
    """
    if rows is None:
        rows = [np.arange(len(k)) for k in keypoints]
    num_persons = 1 + max(0, *(int(row.max(initial=0)) for row in rows))
    joints = np.zeros((num_persons, len(keypoints), 17, 3), dtype=np.float32)
    for t, (k, row) in enumerate(zip(keypoints, rows, strict=True)):
        joints[row, t] = k
    return PoseClip(joints[..., :2], joints[..., 2], height_px, width_px)
