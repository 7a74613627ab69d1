"""A stem's own lesson: what stands where in a single picture.

An action label says little about a picture, and a net that starts from it alone needs very many. Where every
joint and every object is says much, and the world knows it for each cell of the stem's feature map. So the
stem first learns these, with the action beside them; the transformer then only learns what postures over time
make which action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from phar.openmmlab.training.records import SceneRecord
from phar.schema import COCO_KEYPOINTS

_NUM_JOINTS = len(COCO_KEYPOINTS)
#: Spread of a joint's heat in cells, and the heat above which a cell says where in it the joint is.
_SIGMA_CELLS, _NEAR = 0.6, 0.3
#: Joints cover a small share of the cells.
_HEAT_WEIGHT = 10.0
#: Factors that make the four losses alike in size once they are learnt.
_LOSS_WEIGHTS = {"joints": 5.0, "offsets": 2.0, "places": 1.0, "action": 1.0}
#: Where in the picture the action's evidence is looked for, at so many places at once.
_NUM_LOOKS = 4


def targets(record: SceneRecord, rows: int, columns: int) -> dict[str, NDArray[Any]]:
    """What each cell of a feature map of rows x columns is to say.

    `heat` (17, rows, columns) in [0, 1]; `offsets` (34, rows, columns): x, then y of the joint from the
    cell's middle, in cells; `near` (17, rows, columns) bool: where `offsets` count; `places` (rows, columns):
    0 for none, else 1 + the kind.
    """
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    heat = np.zeros((_NUM_JOINTS, rows, columns), np.float32)
    offsets = np.zeros((2, _NUM_JOINTS, rows, columns), np.float32)
    near = np.zeros(heat.shape, bool)
    # The first person, who acts, is drawn last: their joints are the ones offsets point to.
    for joints in record.joints[::-1]:
        away_x = joints[:, 0, None, None] * columns - 0.5 - x
        away_y = joints[:, 1, None, None] * rows - 0.5 - y
        own = np.exp(-(away_x**2 + away_y**2) / (2 * _SIGMA_CELLS**2))
        close = own > _NEAR
        heat = np.maximum(heat, own).astype(np.float32)
        offsets[0][close], offsets[1][close] = away_x[close], away_y[close]
        near |= close
    places = np.zeros((rows, columns), np.int64)
    for kind, box in zip(record.place_kinds[::-1], record.place_boxes[::-1], strict=True):
        left, top, right, bottom = box * [columns, rows, columns, rows]
        middle_x, middle_y = x + 0.5, y + 0.5
        places[(middle_x > left) & (middle_x < right) & (middle_y > top) & (middle_y < bottom)] = 1 + kind
    return {"heat": heat, "offsets": offsets.reshape(-1, rows, columns), "near": near, "places": places}


def register() -> None:
    """Register `StemLesson` with MMAction2, once."""
    import mmdet.models  # noqa: F401
    from mmaction.registry import MODELS
    from mmdet.registry import MODELS as BACKBONES
    from mmengine.model import BaseModel

    if "StemLesson" in MODELS.module_dict:
        return

    class StemLesson(BaseModel):
        """A backbone with heads for joints, places and the action of single pictures.

        `backbone`: an MMDet backbone's config, `channels` of its last output. `num_places`: kinds of objects;
        `num_classes`: actions as far as one picture can tell them apart.
        """

        def __init__(
            self,
            backbone: Mapping[str, Any],
            channels: int,
            num_places: int,
            num_classes: int,
            data_preprocessor: Mapping[str, Any],
        ) -> None:
            super().__init__(data_preprocessor={**data_preprocessor, "_scope_": "mmengine"})
            self.backbone = BACKBONES.build({**backbone, "_scope_": "mmdet"})
            self.joints = nn.Conv2d(channels, 3 * _NUM_JOINTS, 1)
            self.places = nn.Conv2d(channels, 1 + num_places, 1)
            self.looks = nn.Conv2d(channels, _NUM_LOOKS, 1)
            self.action = nn.Linear(_NUM_LOOKS * channels, num_classes)

        def forward(self, inputs: Tensor, data_samples: Sequence[Any], mode: str = "loss") -> Any:
            """Losses, or the samples with `pred_score`; inputs (N, 3, H, W)."""
            features = self.backbone(inputs.contiguous(memory_format=torch.channels_last))[-1]
            looks = self.looks(features).flatten(2).softmax(-1)
            actions = self.action((looks @ features.flatten(2).transpose(1, 2)).flatten(1))
            if mode == "predict":
                for sample, scores in zip(data_samples, actions.softmax(-1), strict=True):
                    sample.set_pred_score(scores)
                return list(data_samples)
            return self._losses(features, actions, data_samples)

        def _losses(
            self, features: Tensor, actions: Tensor, data_samples: Sequence[Any]
        ) -> dict[str, Tensor]:
            rows, columns = features.shape[-2:]
            made = [targets(sample.scene, rows, columns) for sample in data_samples]
            want = {
                name: torch.from_numpy(np.stack([m[name] for m in made])).to(features.device)
                for name in made[0]
            }
            heat, offsets = self.joints(features).split([_NUM_JOINTS, 2 * _NUM_JOINTS], dim=1)
            near = want["near"].repeat(1, 2, 1, 1)
            told = functional.binary_cross_entropy_with_logits(heat, want["heat"], reduction="none")
            losses = {
                "joints": (told * (1 + _HEAT_WEIGHT * want["heat"])).mean(),
                "offsets": functional.smooth_l1_loss(offsets[near], want["offsets"][near], beta=0.2)
                if near.any()
                else offsets.sum() * 0,
                "places": functional.cross_entropy(self.places(features), want["places"]),
                "action": functional.cross_entropy(
                    actions, torch.tensor([sample.scene.label for sample in data_samples])
                ),
            }
            return {f"loss_{name}": _LOSS_WEIGHTS[name] * value for name, value in losses.items()}

    MODELS.register_module(module=StemLesson)
