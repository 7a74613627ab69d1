"""A first layer that begins with rhythms: what it answers to, before anything is learnt."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from phar.openmmlab.training.rhythm import rhythms, start_with_rhythms
from phar.schema import ModelError


def test_rhythms_are_a_fourier_basis() -> None:
    for length in (4, 5, 7):
        basis = rhythms(length)
        assert torch.allclose(basis @ basis.T, torch.eye(length), atol=1e-5)
    assert rhythms(7)[0].tolist() == pytest.approx([7**-0.5] * 7)


def net(filters: int) -> SimpleNamespace:
    conv = nn.Conv3d(3, filters, (7, 5, 5), bias=False)
    return SimpleNamespace(backbone=SimpleNamespace(conv1=SimpleNamespace(conv=conv)))


def test_a_pair_answers_to_its_rate_and_not_to_what_stands_still() -> None:
    model = net(10)
    start_with_rhythms(model, 0)
    conv = model.backbone.conv1.conv
    t = torch.arange(7) - 3
    strength = {}
    for k in (0, 1, 2, 3):
        for phase in (0.0, 1.0):
            light = torch.cos(2 * math.pi * k * t / 7 + phase)
            answers = conv(light.reshape(1, 1, 7, 1, 1).expand(1, 3, 7, 5, 5)).detach().flatten()
            # Of the first seven: the constant, then the pairs of one, two and three cycles.
            strength[k, phase] = [answers[a:b].norm().item() for a, b in ((0, 1), (1, 3), (3, 5), (5, 7))]
    for (k, _), found in strength.items():
        others = [each for number, each in enumerate(found) if number != k]
        assert found[k] > 0 and max(others) < 1e-4 * found[k]
    for k in (1, 2, 3):
        assert strength[k, 0.0][k] == pytest.approx(strength[k, 1.0][k], rel=1e-3)


def test_seeds_draw_other_patterns_and_a_net_without_such_a_layer_is_refused() -> None:
    one, same, other = net(7), net(7), net(7)
    for model, seed in ((one, 3), (same, 3), (other, 4)):
        start_with_rhythms(model, seed)
    weights = [model.backbone.conv1.conv.weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with pytest.raises(ModelError, match=r"leave training\.rhythms out"):
        start_with_rhythms(SimpleNamespace(), 0)
