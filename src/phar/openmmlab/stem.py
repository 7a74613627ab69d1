"""TimeSformer whose patches are embedded by convolutions.

A transformer that starts from single pixels needs far more pictures than the rendered world gives in an
hour. Here each frame first passes the leading stages of a convolutional backbone, whose weights may come from
another net; 2x2 cells of the feature map are one patch. What follows is MMAction2's TimeSformer unchanged.

Source: hybrid architecture of Dosovitskiy et al., An Image is Worth 16x16 Words, 2021, section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

#: Where the stem's weights are in a recognizer's state.
PREFIX = "backbone.patch_embed.stem."


class StemPatches(nn.Module):
    """Frames to patch embeddings through a convolutional stem and a projection of 2x2 of its cells."""

    def __init__(self, stem: Mapping[str, Any], channels: int, embed_dims: int, num_frames: int) -> None:
        super().__init__()
        self.num_frames = num_frames
        # MMDet's backbones are built under its own name, whatever library's scope is set.
        import mmdet.models  # noqa: F401
        from mmdet.registry import MODELS

        self.channels = channels
        self.stem = MODELS.build({**stem, "_scope_": "mmdet"})
        # Cells of the feature map are taken two by two, which keeps their order and quarters the tokens.
        self.projection = nn.Conv2d(channels, embed_dims, 2, 2)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, 3, T, H, W), or the stem's features of them (B, channels, T, h, w).

        Gives embeddings (B * T, patches, embed_dims). A single frame, T = 1, is embedded once and stands for
        all the frames of a clip: what a clip in which nothing moves would give.
        """
        pictures = frames.transpose(1, 2).flatten(0, 1)
        features = pictures if frames.shape[1] == self.channels else self.stem(pictures)[-1]
        embedded: Tensor = self.projection(features)
        patches = embedded.flatten(2).transpose(1, 2)
        still = frames.shape[2] == 1 and self.num_frames > 1
        return patches.repeat_interleave(self.num_frames, dim=0) if still else patches


def register() -> None:
    """Register `StemTimeSformer` with MMAction2, once."""
    from mmaction.models.backbones import TimeSformer
    from mmaction.registry import MODELS

    if "StemTimeSformer" in MODELS.module_dict:
        return

    class StemTimeSformer(TimeSformer):
        """TimeSformer with `StemPatches`.

        `patch_size` is twice the stem's stride, `stem_channels` its number of features.
        """

        def __init__(self, stem: Mapping[str, Any], stem_channels: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.patch_embed = StemPatches(stem, stem_channels, self.embed_dims, self.num_frames)

        def init_weights(self, pretrained: str | None = None) -> None:
            super().init_weights(pretrained)
            self.patch_embed.stem.init_weights()

    MODELS.register_module(module=StemTimeSformer)
