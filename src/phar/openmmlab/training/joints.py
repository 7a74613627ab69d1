"""A second task for TimeSformer while it trains: each patch says which joints of a person lie in it.

A video transformer that starts from random weights learns slowly from one label per clip. Joints tell it
where to look. The head of this task is dropped on export, so the net that is shipped is a plain TimeSformer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from phar.schema import COCO_KEYPOINTS

_NUM_JOINTS = len(COCO_KEYPOINTS)
#: Names of parameters that only training needs start with this.
PREFIX = "joint_head."
#: A joint lies in one patch of 49, so the few positives weigh more.
_POSITIVE_WEIGHT = 6.0


def joint_targets(keypoints: Tensor, known: Tensor, grid: int, patch_px: int) -> tuple[Tensor, Tensor]:
    """Which joint lies in which patch, and where in it.

    `keypoints` (B, M, T, 17, 2) in pixels of the net's input, `known` (B, M, T, 17) 1 or 0. Gives presence
    (B, T, grid * grid, 17) of 0 or 1 and offsets (B, T, grid * grid, 17, 2) in [-0.5, 0.5] of a patch, those
    of the person listed first where two share a patch.
    """
    batch, persons, frames = keypoints.shape[:3]
    place = keypoints / patch_px
    cell = place.floor().long()
    inside = (known > 0) & ((cell >= 0) & (cell < grid)).all(-1)
    patch = (cell[..., 1] * grid + cell[..., 0]).clamp(0, grid * grid - 1)
    presence = keypoints.new_zeros(batch, frames, grid * grid, _NUM_JOINTS)
    offsets = keypoints.new_zeros(batch, frames, grid * grid, _NUM_JOINTS, 2)
    for person in reversed(range(persons)):
        b, t, k = inside[:, person].nonzero(as_tuple=True)
        p = patch[:, person][b, t, k]
        presence[b, t, p, k] = 1
        offsets[b, t, p, k] = (place - cell - 0.5)[:, person][b, t, k]
    return presence, offsets


def joint_loss(output: Tensor, presence: Tensor, offsets: Tensor) -> Tensor:
    """Cross entropy of presence plus the error of the offsets where a joint is.

    `output` (B, T, P, 17 * 3): a logit and two offsets per joint.
    """
    output = output.unflatten(-1, (_NUM_JOINTS, 3))
    weight = 1 + (_POSITIVE_WEIGHT - 1) * presence
    found = functional.binary_cross_entropy_with_logits(output[..., 0], presence, weight)
    error = functional.smooth_l1_loss(output[..., 1:], offsets, reduction="none", beta=0.1).sum(-1)
    return 4 * found + 0.5 * (error * presence).sum() / presence.sum().clamp(min=1)


def register() -> None:
    """Register `JointTrainedRecognizer` with MMAction2, once."""
    from mmaction.models.recognizers import Recognizer3D
    from mmaction.registry import MODELS

    if "JointTrainedRecognizer" in MODELS.module_dict:
        return

    class JointTrainedRecognizer(Recognizer3D):
        """Recognizer3D over a TimeSformer that also learns where joints are."""

        def __init__(self, joints_weight: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.joints_weight = joints_weight
            self.joint_head = nn.Linear(self.backbone.embed_dims, _NUM_JOINTS * 3)
            self._tokens: Tensor | None = None
            self.backbone.norm.register_forward_hook(self._keep)

        def _keep(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._tokens = output if self.training else None

        def loss(self, inputs: Tensor, data_samples: Sequence[Any], **kwargs: Any) -> dict[str, Tensor]:
            losses = super().loss(inputs, data_samples, **kwargs)
            tokens, self._tokens = self._tokens, None
            # All clips of a batch have the same number of persons: absent ones are zeros.
            points = torch.stack([torch.as_tensor(s.keypoint) for s in data_samples]).float()
            known = torch.stack([torch.as_tensor(s.keypoint_score) for s in data_samples]).float()
            frames = self.backbone.num_frames
            # Tokens after the class token come patch by patch, each with its frames.
            patches = tokens[:, 1:].unflatten(1, (-1, frames)).transpose(1, 2)
            grid = int(patches.shape[2] ** 0.5)
            patch_px = inputs.shape[-1] // grid
            presence, offsets = joint_targets(points, known, grid, patch_px)
            losses["loss_joints"] = self.joints_weight * joint_loss(
                self.joint_head(patches), presence, offsets
            )
            return losses

    MODELS.register_module(module=JointTrainedRecognizer)
