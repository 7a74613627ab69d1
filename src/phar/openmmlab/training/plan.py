"""How long and how a net is trained: the config's `training` block, or what MMAction2's configs say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phar.schema import ModelError

#: What MMAction2's training loops are given where a config says nothing.
_BATCH_SIZE = 16


@dataclass(frozen=True)
class Plan:
    """Numbers of one training."""

    iterations: int | None
    """Steps of the optimizer; None: as many as `epochs` need."""
    epochs: float | None
    """Samples to see for each one there is, where `iterations` is None."""
    batch_size: int
    """Samples of one step, those of all processes together."""
    optimizer: Mapping[str, Any]
    paramwise: Mapping[str, Any] = field(default_factory=dict)
    """MMEngine's `paramwise_cfg`."""
    warmup: int = 100
    """Iterations until the full learning rate; at most a quarter of all."""
    ema_momentum: float = 0.002
    """How much of the weights goes into their running average each iteration."""
    clip_norm: float = 10.0
    """Gradients longer than this are shortened to it."""
    channels_last: bool = False
    clips: int | None = None
    """Clips whose stem features are computed once, for nets behind a fixed stem."""
    observed_clips: int | None = None
    """Rendered clips whose joints are found once, for the skeleton net."""
    drawn_clips: int | None = None
    """Rendered clips that are drawn once, for the moderation net."""
    rhythms: bool = False
    """Whether a 3D net's first layer begins with rhythms; see `phar.openmmlab.training.rhythm`."""

    def steps(self, num_examples: int) -> int:
        """Return the iterations for so many training examples."""
        if self.iterations is not None:
            return self.iterations
        return max(1, round((self.epochs or 0) * num_examples / self.batch_size))


def read_plan(config: Mapping[str, Any], where: object) -> Plan:
    """Read the plan of a config.

    phar's own configs have a `training` block. Of others the optimizer, the clipping, the batch size and the
    epochs are taken from `optim_wrapper`, `train_dataloader` and `train_cfg`. Raises ModelError where neither
    is there, or no length is stated.
    """
    block = config.get("training")
    if block is not None:
        known = {name: block[name] for name in Plan.__dataclass_fields__ if name in block}
        unknown = sorted(set(block) - set(known))
        if unknown:
            raise ModelError(f"config {where}: training.{unknown[0]} is unknown; remove it")
        for name in ("batch_size", "optimizer"):
            if name not in known:
                raise ModelError(f"config {where}: its `training` block has no {name}; add it")
        plan = Plan(**{"iterations": None, "epochs": None, **known})
    elif "optim_wrapper" in config:
        plan = _of_mmaction(config)
    else:
        raise ModelError(
            f"config {where} has no `training` block; add iterations (or epochs), batch_size and optimizer"
        )
    if plan.iterations is None and plan.epochs is None:
        raise ModelError(f"config {where} states no length of training; add training.iterations")
    return plan


def _of_mmaction(config: Mapping[str, Any]) -> Plan:
    wrapper = config["optim_wrapper"]
    loop = config.get("train_cfg") or {}
    clip = wrapper.get("clip_grad") or {}
    by_epoch = "max_epochs" in loop
    return Plan(
        iterations=None if by_epoch else loop.get("max_iters"),
        epochs=loop["max_epochs"] if by_epoch else None,
        batch_size=int((config.get("train_dataloader") or {}).get("batch_size", _BATCH_SIZE)),
        optimizer=wrapper["optimizer"],
        paramwise=wrapper.get("paramwise_cfg") or {},
        clip_norm=float(clip.get("max_norm", 40.0)),
    )
