"""MMEngine's Runner around records: one function trains any of the nets."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from phar.openmmlab import imports, loading
from phar.openmmlab.training import dense, loop, parallel, rhythm
from phar.openmmlab.training.datasets import CONVERSIONS, RecordDataset, Samples
from phar.openmmlab.training.export import has_checkpoint, latest_checkpoint
from phar.openmmlab.training.log import read_log
from phar.openmmlab.training.measures import MEASURES, import_metric
from phar.openmmlab.training.pipelines import training_steps, validation_steps
from phar.openmmlab.training.plan import Plan, read_plan
from phar.openmmlab.training.precision import optim_wrapper, pick_precision, widen_head
from phar.openmmlab.training.weights import start_from
from phar.schema import ModelError

#: Kinds of nets that can be trained.
KINDS = tuple(CONVERSIONS)


@dataclass(frozen=True)
class Settings:
    """What is asked of one training beside its config."""

    seed: int = 0
    labels: tuple[str, ...] = ()
    """What a recognizer tells apart, in the order of its outputs; empty for as many as the config says."""
    init_from: str | Path | None = None
    """Checkpoint or training folder to start from; what fits is taken."""
    init_labels: tuple[str, ...] | None = None
    """Labels of that checkpoint, None for those it states itself."""
    resume: bool = False
    """Go on from the latest checkpoint of the training folder, if there is one."""
    val_interval: int = 0
    """Iterations between validations; 0 for eight of them in all."""
    checkpoint_interval: int = 0
    """Iterations between checkpoints; 0 for twenty of them in all."""
    num_workers: int = 1
    """Processes that make samples; 0 for none beside the trainer."""
    max_minutes: float | None = None
    """End early with a checkpoint, to be resumed."""
    precision: str = "auto"
    """One of `PRECISIONS`."""
    patience: int | None = None
    """Stop after so many validations in a row that bring nothing new; None: never."""
    tensorboard: bool = False
    """Also log for TensorBoard."""


def train(
    kind: str,
    config: str | Path,
    train_samples: Samples,
    val_samples: Samples | None,
    work_dir: str | Path,
    settings: Settings | None = None,
    plan: Plan | None = None,
) -> dict[str, float]:
    """Train the net of `config`; gives the last validation's metrics.

    `train_samples` has one record for each sample that training will see: iterations times batch size of
    `plan`, which is the config's own where None. Log, metrics and checkpoints go to `work_dir`. A run that is
    resumed sees the samples it has not yet seen. Without `val_samples` nothing is validated. The same seed,
    records and thread count give the same weights. Raises ModelError.
    """
    settings = settings or Settings()
    if kind not in KINDS:
        raise ModelError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    loaded = loading.load_config(config)
    plan = plan or read_plan(loaded, config)
    iterations = len(train_samples) // plan.batch_size
    if iterations < 1:
        raise ModelError(f"{len(train_samples)} samples are less than one batch of {plan.batch_size}")
    work_dir = Path(work_dir)
    with imports.scope(CONVERSIONS[kind][1]):
        runner = _Building(kind, loaded, replace(plan, iterations=iterations), settings, work_dir).runner(
            train_samples, val_samples
        )
        if settings.resume and has_checkpoint(work_dir):
            runner.load_checkpoint = _loads_safely(runner, MEASURES[kind].best)
            runner._load_from = str(latest_checkpoint(work_dir))
            runner._resume = True
        runner.train()
        metrics = runner.message_hub.log_scalars
        return {
            name.removeprefix("val/"): float(metrics[name].current())
            for name in metrics
            if name.startswith("val/") and "time" not in name
        }


@dataclass(frozen=True)
class _Building:
    """All that a Runner is made of."""

    kind: str
    config: Any
    plan: Plan
    settings: Settings
    work_dir: Path

    def runner(self, train_samples: Samples, val_samples: Samples | None) -> Any:
        from mmengine.runner import Runner

        plan, settings = self.plan, self.settings
        iterations = plan.iterations or 1
        processes = parallel.join(plan.batch_size)
        import_metric(self.kind)
        loop.register()
        order = parallel.InOrder(len(train_samples), plan.batch_size)
        train_steps = partial(training_steps, self.kind, self.config)
        val_interval = settings.val_interval or max(1, iterations // 8)
        validation: dict[str, Any] = {}
        if val_samples is not None:
            steps = partial(validation_steps, self.kind, self.config)
            shuffled = {"type": "DefaultSampler", "shuffle": False}
            validation = {
                "val_dataloader": self._loader(val_samples, steps, 0, shuffled, settings.seed + 1),
                "val_cfg": {"type": "ValLoop"},
                "val_evaluator": [self._metric()],
            }
        model = self._model()
        # Names are looked up in MMPose no more: its own hooks need torchvision.
        scope = CONVERSIONS[self.kind][1]
        runner = Runner(
            # What matters of its log is told by CsvLog.
            log_level="ERROR",
            model=model,
            work_dir=str(self.work_dir),
            train_dataloader=self._loader(
                train_samples, train_steps, settings.num_workers, order, settings.seed
            ),
            train_cfg={
                "type": "RecordTrainLoop",
                "max_iters": iterations,
                "val_interval": val_interval if validation else iterations + 1,
            },
            **validation,
            optim_wrapper=self._optim_wrapper(),
            param_scheduler=self._schedule(iterations),
            default_hooks=self._default_hooks(iterations, bool(validation)),
            custom_hooks=self._hooks(),
            log_processor={"type": "LogProcessor", "by_epoch": False, "window_size": 20},
            visualizer=self._visualizer(),
            randomness={"seed": settings.seed},
            env_cfg={
                "cudnn_benchmark": False,
                "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 1},
            },
            default_scope="mmengine" if scope == "mmpose" else scope,
            # Trainings of one name, in one process, would share what MMEngine logs.
            experiment_name=f"{self.kind}_{self.work_dir.name}_{time.monotonic_ns()}",
            **processes,
        )
        # The Runner would draw the weights anew when it starts.
        runner._init_model_weights = lambda: None
        return runner

    def _model(self) -> Any:
        """The net with its first weights."""
        from mmengine.logging import MMLogger
        from mmengine.registry import MODELS

        if not MMLogger.check_instance_created("phar_weights"):
            MMLogger.get_instance("phar_weights", log_level="ERROR")
        description = describe(self.kind, self.config, self.settings.labels)
        if self.kind == "scene":
            dense.register()
        torch.manual_seed(self.settings.seed)
        model = MODELS.build(loading.without_downloads(description))
        model.init_weights()
        if self.plan.rhythms:
            rhythm.start_with_rhythms(model, self.settings.seed)
        if self.settings.init_from and not (self.settings.resume and has_checkpoint(self.work_dir)):
            start_from(model, self.settings.init_from, self.settings.labels, self.settings.init_labels)
        if parallel.num_processes() > 1 and not torch.cuda.is_available():
            parallel.share_statistics(model)
        if pick_precision(self.settings.precision) == "bf16":
            widen_head(model)
        if self.plan.channels_last:
            model.to(memory_format=torch.channels_last_3d)
        return model

    def _metric(self) -> Any:
        from mmengine.registry import METRICS

        return METRICS.build(dict(MEASURES[self.kind].metric))

    def _loader(
        self, samples: Samples, steps: Any, num_workers: int, sampler: Any, seed: int
    ) -> dict[str, Any]:
        metainfo = {"classes": ("person",), "dataset_name": self.kind}
        return {
            "dataset": RecordDataset(samples, steps, self.kind, seed, metainfo),
            "batch_size": self.plan.batch_size // parallel.num_processes(),
            "num_workers": num_workers,
            "persistent_workers": num_workers > 0,
            "sampler": sampler,
            "collate_fn": {"type": "pseudo_collate"},
        }

    def _optim_wrapper(self) -> dict[str, Any]:
        return optim_wrapper(
            pick_precision(self.settings.precision),
            {
                "optimizer": dict(self.plan.optimizer),
                "paramwise_cfg": dict(self.plan.paramwise),
                "clip_grad": {"max_norm": self.plan.clip_norm},
            },
        )

    def _schedule(self, iterations: int) -> list[dict[str, Any]]:
        # A schedule spans one iteration at least.
        warmup = min(self.plan.warmup, max(1, iterations // 4))
        iterations = max(iterations, warmup + 1)
        lr = float(self.plan.optimizer["lr"])
        return [
            {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": warmup},
            {
                "type": "CosineAnnealingLR",
                "eta_min": lr * 0.01,
                "by_epoch": False,
                "begin": warmup,
                "end": iterations,
                "T_max": iterations - warmup,
            },
        ]

    def _default_hooks(self, iterations: int, validates: bool) -> dict[str, Any]:
        best = {"save_best": MEASURES[self.kind].best, "rule": "greater"} if validates else {}
        return {
            "timer": {"type": "IterTimerHook"},
            "logger": {"type": "LoggerHook", "interval": 25, "log_metric_by_epoch": False},
            "param_scheduler": {"type": "ParamSchedulerHook"},
            "checkpoint": {
                "type": "CheckpointHook",
                "interval": self.settings.checkpoint_interval or max(1, iterations // 20),
                "by_epoch": False,
                "max_keep_ckpts": 2,
                **best,
            },
            "runtime_info": {"type": "RuntimeInfoHook"},
            "sampler_seed": None,
        }

    def _hooks(self) -> list[Any]:
        from phar.openmmlab.training import hooks

        settings, measure = self.settings, MEASURES[self.kind]
        used: list[Any] = [
            {
                "type": "EMAHook",
                "ema_type": "MomentumAnnealingEMA",
                "momentum": self.plan.ema_momentum,
                "gamma": 30,
                "update_buffers": True,
                "priority": 49,
            },
            hooks.OwnRandomness(settings.seed),
            hooks.CsvLog(self.work_dir, measure.columns),
        ]
        if settings.patience is not None:
            used.append(hooks.EarlyStopping(self.work_dir, measure.best, settings.patience))
        if settings.max_minutes is not None:
            used.append(hooks.TimeLimit(settings.max_minutes))
        # The last of those with its priority: it runs a whole validation.
        used.append(hooks.MissedValidation(self.work_dir, measure.best))
        return used

    def _visualizer(self) -> dict[str, Any]:
        backends = [{"type": "LocalVisBackend"}]
        if self.settings.tensorboard:
            backends.append({"type": "TensorboardVisBackend"})
        return {"type": "Visualizer", "vis_backends": backends}


def describe(kind: str, config: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """Return the description of a config's net, with as many outputs as there are labels."""
    model = deepcopy(dict(config["model"]))
    if labels and "cls_head" in model:
        model["cls_head"]["num_classes"] = len(labels)
        if len(labels) < 5:
            model["cls_head"]["topk"] = (1,)
    if labels and "blending" in (preprocessor := model.get("data_preprocessor") or {}):
        preprocessor["blending"]["num_classes"] = len(labels)
    if labels and "bbox_head" in model:
        model["bbox_head"]["num_classes"] = len(labels)
    if kind == "features":
        # They are past the stem, so there are no colours to normalise.
        model["data_preprocessor"] = {"type": "ActionDataPreprocessor", "format_shape": "NCTHW"}
    return model


def _loads_safely(runner: Any, best: str) -> Any:
    """A `load_checkpoint` for the runner that never unpickles code.

    The log history starts anew; which checkpoint was best the training folder tells.
    """
    from mmengine.model import is_model_wrapper

    def load_checkpoint(filename: str, *_: Any, **__: Any) -> dict[str, Any]:
        content = loading.load_training_state(filename)
        content["message_hub"] = runner.message_hub.state_dict()
        runner.call_hook("after_load_checkpoint", checkpoint=content)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.load_state_dict(content["state_dict"])
        folder = Path(filename).parent
        # Those that a run before has left, so that no more than are kept stay.
        numbers = (path.stem.partition("_")[2] for path in folder.glob("iter_*.pth"))
        runner.message_hub.update_info("keep_ckpt_ids", sorted(int(n) for n in numbers if n.isdecimal()))
        reached = int(content["meta"]["iter"])
        scores = [row[best] for row in read_log(folder) if best in row and row["iteration"] <= reached]
        kept = sorted(folder.glob("best_*.pth"))
        if scores and kept:
            runner.message_hub.update_info("best_score", max(scores))
            runner.message_hub.update_info("best_ckpt", str(kept[-1]))
        return content

    return load_checkpoint
