"""MMEngine's Runner around records: one function trains any of the nets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler

from phar.openmmlab import imports, loading
from phar.openmmlab.training import dense
from phar.openmmlab.training.datasets import CONVERSIONS, RecordDataset, Samples
from phar.openmmlab.training.weights import start_from
from phar.schema import ModelError

#: Kinds of nets that can be trained.
KINDS = tuple(CONVERSIONS)

_METRICS: Mapping[str, Mapping[str, Any]] = {
    "rgb": {"type": "AccMetric", "metric_list": ("top_k_accuracy",)},
    "skeleton": {"type": "AccMetric", "metric_list": ("top_k_accuracy",)},
    "features": {"type": "AccMetric", "metric_list": ("top_k_accuracy",)},
    "scene": {"type": "AccMetric", "metric_list": ("top_k_accuracy",)},
    "audio": {"type": "AccMetric", "metric_list": ("top_k_accuracy",)},
    "person": {"type": "mmdet.CocoMetric", "ann_file": None, "metric": "bbox", "classwise": False},
    "pose": {"type": "mmpose.PCKAccuracy", "thr": 0.1, "norm_item": "bbox"},
}


class _InOrder(Sampler[int]):
    """Positions one after another from a start: samples are drawn at random already."""

    def __init__(self, dataset: Any, start: int = 0) -> None:
        self._size = len(dataset)
        self.start = start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self._size))

    def __len__(self) -> int:
        return self._size - self.start


def train(
    kind: str,
    config: str | Path,
    train_samples: Samples,
    val_samples: Samples,
    work_dir: str | Path,
    *,
    seed: int = 0,
    num_classes: int | None = None,
    resume: bool = False,
    init_from: str | Path | None = None,
    val_interval: int = 0,
    checkpoint_interval: int = 0,
    num_workers: int = 1,
    max_minutes: float | None = None,
) -> dict[str, float]:
    """Train the net of `config`; gives the last validation's metrics.

    `train_samples` has one record for each sample that training will see: iterations times batch size of
    the config's `training` block. Log, metrics and checkpoints go to `work_dir`; with `resume` training
    goes on from its latest checkpoint and sees the samples it has not yet seen. `init_from` starts from
    what fits of a checkpoint or of a training folder's latest one. Intervals count iterations; 0 means eight
    validations and as many checkpoints. `max_minutes` ends a run early with a checkpoint, to be resumed. The
    same seed, records and thread count give the same weights. Raises ModelError.
    """
    if kind not in KINDS:
        raise ModelError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    loaded = loading.load_config(config)
    if "training" not in loaded:
        raise ModelError(f"config {config} has no `training` block; add iterations, batch_size and optimizer")
    plan = loaded["training"]
    iterations = len(train_samples) // int(plan["batch_size"])
    if iterations < 1:
        raise ModelError(f"{len(train_samples)} samples are less than one batch of {plan['batch_size']}")
    work_dir = Path(work_dir)
    scope = CONVERSIONS[kind][1]
    with imports.scope(scope):
        import mmengine.hooks

        runner = _build(
            kind,
            scope,
            loaded,
            plan,
            iterations,
            train_samples,
            val_samples,
            work_dir,
            seed,
            num_classes,
            val_interval or max(1, iterations // 8),
            checkpoint_interval or max(1, iterations // 8),
            num_workers,
        )
        if init_from is not None and not resume:
            # The Runner would draw the weights anew when it starts.
            runner._init_model_weights()
            runner._init_model_weights = lambda: None
            start_from(runner.model, init_from)
        latest = work_dir / "last_checkpoint"
        if resume and latest.is_file():
            runner.load_checkpoint = _loads_safely(runner)
            runner._load_from = str(work_dir / Path(latest.read_text().strip()).name)
            runner._resume = True
        if max_minutes is not None:
            runner.register_hook(_time_limit(mmengine.hooks.Hook, max_minutes))
        if plan.get("channels_last"):
            runner.model.to(memory_format=torch.channels_last_3d)
        runner.train()
        metrics = runner.message_hub.log_scalars
        return {
            name.removeprefix("val/"): float(metrics[name].current())
            for name in metrics
            if name.startswith("val/") and "time" not in name
        }


def _build(
    kind: str,
    scope: str,
    loaded: Any,
    plan: Mapping[str, Any],
    iterations: int,
    train_samples: Samples,
    val_samples: Samples,
    work_dir: Path,
    seed: int,
    num_classes: int | None,
    val_interval: int,
    checkpoint_interval: int,
    num_workers: int,
) -> Any:
    from mmengine.runner import Runner

    _import_metric(kind)
    _register_loop()
    model = deepcopy(dict(loaded["model"]))
    if kind == "scene":
        dense.register()
    if num_classes is not None and "cls_head" in model:
        model["cls_head"]["num_classes"] = num_classes
        if num_classes < 5:
            model["cls_head"]["topk"] = (1,)
    if kind == "features":
        # They are past the stem, so there are no colours to normalise.
        model["data_preprocessor"] = {"type": "ActionDataPreprocessor", "format_shape": "NCTHW"}
    net: Any = model
    metric: Any = dict(_METRICS[kind])
    if scope == "mmpose":
        # MMPose's own hooks need torchvision, so its Runner looks names up in MMEngine alone.
        from mmengine.registry import METRICS, MODELS

        torch.manual_seed(seed)
        net, metric, scope = MODELS.build(model), METRICS.build(metric), "mmengine"
    metainfo = {"classes": ("person",), "dataset_name": kind}
    batch_size = int(plan["batch_size"])

    def loader(samples: Samples, pipeline: Any, workers: int, order: Any, base: int) -> dict[str, Any]:
        return {
            "dataset": RecordDataset(samples, pipeline, kind, base, metainfo),
            "batch_size": batch_size,
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "sampler": order,
            "collate_fn": {"type": "pseudo_collate"},
        }

    # Stem features and scenes come as the net takes them.
    training = loaded.get("train_pipeline", [])
    validating = _validation_pipeline(kind, loaded)
    if kind == "features":
        training = validating = []
    train_loader = loader(train_samples, training, num_workers, None, seed)
    dataset = train_loader.pop("dataset")
    warmup = min(int(plan.get("warmup", 100)), max(1, iterations // 4))
    lr = float(plan["optimizer"]["lr"])
    return Runner(
        model=net,
        work_dir=str(work_dir),
        train_dataloader={**train_loader, "dataset": dataset, "sampler": _InOrder(dataset)},
        val_dataloader=loader(
            val_samples, validating, 0, {"type": "DefaultSampler", "shuffle": False}, seed + 1
        ),
        train_cfg={"type": "RecordTrainLoop", "max_iters": iterations, "val_interval": val_interval},
        val_cfg={"type": "ValLoop"},
        val_evaluator=[metric],
        optim_wrapper={
            "type": "OptimWrapper",
            "optimizer": dict(plan["optimizer"]),
            "paramwise_cfg": dict(plan.get("paramwise", {})),
            "clip_grad": {"max_norm": float(plan.get("clip_norm", 10.0))},
        },
        param_scheduler=[
            {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": warmup},
            {
                "type": "CosineAnnealingLR",
                "eta_min": lr * 0.01,
                "by_epoch": False,
                "begin": warmup,
                "end": iterations,
                "T_max": iterations - warmup,
            },
        ],
        default_hooks={
            "timer": {"type": "IterTimerHook"},
            "logger": {"type": "LoggerHook", "interval": 25, "log_metric_by_epoch": False},
            "param_scheduler": {"type": "ParamSchedulerHook"},
            "checkpoint": {
                "type": "CheckpointHook",
                "interval": checkpoint_interval,
                "by_epoch": False,
                "max_keep_ckpts": 2,
            },
            "runtime_info": {"type": "RuntimeInfoHook"},
            "sampler_seed": None,
        },
        custom_hooks=[
            {
                "type": "EMAHook",
                "ema_type": "MomentumAnnealingEMA",
                "momentum": float(plan.get("ema_momentum", 0.002)),
                "gamma": 30,
                "update_buffers": True,
                "priority": 49,
            }
        ],
        log_processor={"type": "LogProcessor", "by_epoch": False, "window_size": 20},
        visualizer={"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]},
        randomness={"seed": seed},
        env_cfg={"cudnn_benchmark": False, "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 1}},
        default_scope=scope,
        experiment_name=f"{kind}_{work_dir.name}_{int(time.time())}",
    )


def _validation_pipeline(kind: str, loaded: Any) -> list[dict[str, Any]]:
    pipeline = [dict(step) for step in loaded.get("val_pipeline") or loaded.get("test_pipeline", [])]
    # Records are decoded and their frames picked; only sound is sampled by the pipeline itself.
    skipped = {
        "PoseDecode",
        "LoadAudioFeature",
        "LoadImageFromFile",
        "LoadImage",
        "UniformSampleFrames",
        "UniformSample",
    }
    steps = [step for step in pipeline if step["type"] not in skipped]
    if kind == "person":
        meta = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")
        steps[-1] = {"type": "PackDetInputs", "meta_keys": meta}
    return steps


def _import_metric(kind: str) -> None:
    if kind == "person":
        import mmdet.evaluation  # noqa: F401
    elif kind == "pose":
        import mmpose.evaluation  # noqa: F401
    else:
        import mmaction.evaluation  # noqa: F401


def _loads_safely(runner: Any) -> Any:
    """A `load_checkpoint` for the runner that never unpickles code; the log history starts anew."""

    def load_checkpoint(filename: str, *_: Any, **__: Any) -> dict[str, Any]:
        content = loading.load_training_state(filename)
        content["message_hub"] = runner.message_hub.state_dict()
        runner.call_hook("after_load_checkpoint", checkpoint=content)
        runner.model.load_state_dict(content["state_dict"])
        return content

    return load_checkpoint


def _register_loop() -> None:
    from mmengine.registry import LOOPS
    from mmengine.runner import IterBasedTrainLoop

    if "RecordTrainLoop" in LOOPS.module_dict:
        return

    class RecordTrainLoop(IterBasedTrainLoop):
        """A loop that goes on after the samples it has seen, without drawing them again."""

        def run(self) -> Any:
            batches = type(self.dataloader_iterator)
            self.dataloader.sampler.start = self._iter * self.dataloader.batch_sampler.batch_size
            self.dataloader_iterator = _Skipping(batches(self.dataloader), self._iter)
            return super().run()

    LOOPS.register_module(module=RecordTrainLoop)


class _Skipping:
    """Batches of which the first few are asked for and thrown away, so they need not be made."""

    def __init__(self, batches: Any, skipped: int) -> None:
        self._batches = batches
        self._skipped = skipped

    def __next__(self) -> Any:
        if self._skipped > 0:
            self._skipped -= 1
            return None
        return next(self._batches)


def _time_limit(base: type, minutes: float) -> Any:
    class TimeLimit(base):  # type: ignore[misc]
        """Ends training after a while, with a checkpoint."""

        def __init__(self) -> None:
            self._end = time.monotonic() + minutes * 60

        def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            if time.monotonic() > self._end:
                runner.train_loop.stop_training = True

    return TimeLimit()
