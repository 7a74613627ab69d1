"""Merged layers compute what the separate ones did."""

from __future__ import annotations

import torch
from mmaction.models.common.transformer import DividedTemporalAttentionWithNorm
from torch import nn

from phar.openmmlab.folding import fold


def temporal_attention(**options: bool) -> nn.Module:
    torch.manual_seed(3)
    module = DividedTemporalAttentionWithNorm(32, 4, num_frames=2, **options).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def test_temporal_attention_is_the_same_function_with_a_layer_less() -> None:
    module = temporal_attention()
    tokens = torch.randn(3, 1 + 2 * 6, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = module(tokens)
    before = sum(p.numel() for p in module.parameters())
    fold(nn.Sequential(module))
    with torch.inference_mode():
        torch.testing.assert_close(module(tokens), expected, rtol=1e-4, atol=1e-4)
    assert isinstance(module.temporal_fc, nn.Identity)
    assert before - sum(p.numel() for p in module.parameters()) == 32 * 32 + 32


def test_other_layers_stay() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2))
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fold(model)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
