"""The skeleton stream: persons are found, then a recognizer looks at their joints alone."""

from __future__ import annotations

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
        indices = shown_frames(self.recognizer.clip, media.frame_times_s)
        unique = sorted(set(indices))
        frames = [media.frames[i] for i in unique]
        found = self._persons.find(frames)
        keypoints = dict(zip(unique, (k for _, k in found), strict=True))
        return (
            to_poses([frame.time_s for frame in frames], found),
            pose_clip([keypoints[i] for i in indices], frames[0].height_px, frames[0].width_px),
            self._silence(found),
        )

    def _silence(self, found: list[tuple[FloatArray, FloatArray]]) -> str | None:
        if not any(len(boxes) for boxes, _ in found):
            return "no person was found"
        share = keypoint_share([k for _, k in found], self._persons.spec.pose_score_thr)
        return keypoint_gate(share, self.spec.min_keypoint_share)


def pose_clip(keypoints: list[FloatArray], height_px: int, width_px: int) -> PoseClip:
    """Return a clip with one row per person rank: row m holds the m-th best person of each frame.

    keypoints: one (n, 17, 3) array per frame. Heat-map recognizers add the persons of a frame up,
    so ranks need not follow one person through time. Frames with fewer persons hold zeros.
    """
    num_persons = max(1, *(len(k) for k in keypoints))
    joints = np.zeros((num_persons, len(keypoints), 17, 3), dtype=np.float32)
    for t, k in enumerate(keypoints):
        joints[: len(k), t] = k
    return PoseClip(joints[..., :2], joints[..., 2], height_px, width_px)
