"""The gates that decide, before anything is paid for, whether a stream looks at a window.

A gate answers None when it is open and otherwise the reason why the stream stays silent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phar.schema import FloatArray, StreamScore


def top_labels(score: StreamScore, labels: Sequence[str], topk: int) -> list[str]:
    """Return the `topk` best labels of a score, best first; ties keep the label file's order.

    A silent score has none.
    """
    if score.probs is None:
        return []
    order = np.argsort(-score.probs, kind="stable")[:topk]
    return [labels[i] for i in order]


def proposal_gate(
    rgb: StreamScore | None, rgb_labels: Sequence[str], labels: Sequence[str], topk: int | None
) -> tuple[str | None, str | None]:
    """Open if one of RGB's `topk` best labels is one the stream knows.

    Returns the best such label and None, or None and the reason for silence. Without an RGB
    answer, or with `topk` None, the gate is open and proposes nothing.
    """
    if topk is None or rgb is None or rgb.probs is None:
        return None, None
    known = set(labels)
    for label in top_labels(rgb, rgb_labels, topk):
        if label in known:
            return label, None
    return None, f"none of RGB's top {topk} labels is one this stream knows"


def keypoint_share(keypoints: Sequence[FloatArray], score_thr: float) -> float:
    """Return the share of keypoints whose confidence is above `score_thr`, in [0, 1].

    keypoints: one (n, 17, 3) array per analysed frame. A frame without a person counts as one
    person of whom nothing was seen, so that one good frame does not open the gate for a window.
    """
    seen = sum(int((k[..., 2] > score_thr).sum()) for k in keypoints)
    total = sum(max(len(k), 1) * 17 for k in keypoints)
    return seen / total if total else 0.0


def keypoint_gate(share: float, min_share: float | None) -> str | None:
    """Open if enough keypoints are trustworthy."""
    if min_share is None or share >= min_share:
        return None
    return f"only {share:.0%} of the keypoints are certain, {min_share:.0%} are needed"
