"""Names of weights as MMAction2 0.x, MMDetection 2.x and MMPose 0.x wrote them, brought to today's.

Only names change, never values. Of the five nets of the published profile these differ:

TimeSformer, PoseC3D, ResNetAudio (mmaction 0.24.1 and 1.2.0), Faster R-CNN (mmdet 2.28.2 and 3.3.0)
    nothing: the classes hold the same layers under the same names.
HRNet (mmpose 0.29.0 and 1.3.2)
    the head's attribute, below.

What the layers compute is the same too. TimeSformer: patches by one convolution, `pos_embed` of 1 + 14 x 14
rows, `time_embed` of one a frame, RGB, (x - 127.5) / 127.5. Faster R-CNN: background is the last row of
`fc_cls`; anchors, boxes and RoIAlign as in 3.x; RGB. HRNet: RGB, (x / 255 - mean) / std, where 1.x has both
times 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

_Value = TypeVar("_Value")

#: Beginning of a name -> what the nets call it now.
RENAMED = {
    # Source: mmpose 0.29.0, models/detectors/top_down.py, `self.keypoint_head`; mmpose 1.3.2,
    # models/pose_estimators/base.py, `self.head`. Names within the head depend on its layers: the head's
    # own load hook in 1.x brings those up to date.
    "keypoint_head.": "head.",
}

#: Beginnings of names that are no weights.
LEFT_OUT = (
    # Mean and deviation follow from the config, yet files of 1.x's first releases, RTMDet's and RTMPose's
    # among them, may hold them. Source: mmpose 1.3.2, models/pose_estimators/base.py, load hook.
    "data_preprocessor.",
)


def current(state: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return `state` under today's names, in its order; a state of 1.x or 3.x keeps all of its weights."""
    return {_current(name): value for name, value in state.items() if not name.startswith(LEFT_OUT)}


def _current(name: str) -> str:
    for old, new in RENAMED.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
