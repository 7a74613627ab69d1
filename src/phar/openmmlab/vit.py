"""The vision transformer that ViTPose's configs name `mmpretrain.VisionTransformer`.

MMPretrain needs torchvision and half a dozen packages more; its plain transformer needs none of them. Weights
have the names they have there. Where MMPretrain is installed, it is used instead.

Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2021; Xu et al., ViTPose, 2022.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from phar.schema import ModelError

_SCOPE = "mmpretrain"


class _Attention(nn.Module):
    def __init__(self, dims: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims, bias=qkv_bias)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return projected


class _FeedForward(nn.Module):
    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(dims, hidden), nn.GELU()), nn.Linear(hidden, dims)
        )

    def forward(self, x: Tensor) -> Tensor:
        wide: Tensor = self.layers(x)
        return wide


class _Layer(nn.Module):
    def __init__(self, dims: int, heads: int, hidden: int, qkv_bias: bool, eps: float) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(dims, eps), nn.LayerNorm(dims, eps)
        self.attn = _Attention(dims, heads, qkv_bias)
        self.ffn = _FeedForward(dims, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.ffn(self.ln2(x))


class VisionTransformer(nn.Module):
    """Pictures (N, 3, H, W) -> one feature map (N, dims, h, w), in a tuple."""

    def __init__(
        self,
        arch: Mapping[str, int],
        img_size: tuple[int, int],
        patch_size: int = 16,
        qkv_bias: bool = True,
        norm_cfg: Mapping[str, Any] | None = None,
        final_norm: bool = True,
        out_type: str = "cls_token",
        with_cls_token: bool = True,
        patch_cfg: Mapping[str, Any] | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        init_cfg: Any = None,
        **others: Any,
    ) -> None:
        """Build from the arguments that ViTPose's configs give; dropout has no part in inference.

        Raises ModelError for what only MMPretrain's own can do.
        """
        super().__init__()
        if others or with_cls_token or out_type != "featmap" or isinstance(arch, str):
            raise ModelError(
                "the config's mmpretrain.VisionTransformer is not as ViTPose has it;"
                " install mmpretrain for it"
            )
        padding = int((patch_cfg or {}).get("padding", 0))
        eps = float((norm_cfg or {}).get("eps", 1e-6))
        dims = arch["embed_dims"]
        self.patch_embed = nn.Module()
        self.patch_embed.projection = nn.Conv2d(3, dims, patch_size, patch_size, padding)
        places = [(side + 2 * padding - patch_size) // patch_size + 1 for side in img_size]
        self.pos_embed = nn.Parameter(torch.zeros(1, places[0] * places[1], dims))
        self.layers = nn.Sequential(
            *(
                _Layer(dims, arch["num_heads"], arch["feedforward_channels"], qkv_bias, eps)
                for _ in range(arch["num_layers"])
            )
        )
        self.ln1 = nn.LayerNorm(dims, eps) if final_norm else nn.Identity()

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """Pictures of the size the net was built for."""
        patches = self.patch_embed.projection(pictures)
        x = patches.flatten(2).transpose(1, 2) + self.pos_embed
        x = self.ln1(self.layers(x))
        return (x.transpose(1, 2).unflatten(2, patches.shape[2:]),)


def register() -> None:
    """Make `mmpretrain.VisionTransformer` known where MMPretrain is not installed, once."""
    from mmengine.registry import MODELS, Registry

    if _SCOPE in MODELS.children or importlib.util.find_spec(_SCOPE) is not None:
        return
    registry = Registry("model", parent=MODELS, scope=_SCOPE, locations=[__name__])
    registry.register_module(module=VisionTransformer)
