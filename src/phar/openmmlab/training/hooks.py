"""What is done beside the steps of a training: its log, its end, and its random numbers."""

from __future__ import annotations

import csv
import logging
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook

from phar.openmmlab.training.log import COLUMNS, LOG, read_log
from phar.openmmlab.training.parallel import num_processes, process_number

#: Iterations that one row of the log sums up.
_INTERVAL = 25
_FORM = "%.6g"

#: Told how a training goes, a line for each row of its log.
TOLD = logging.getLogger("phar.training")


class CsvLog(Hook):
    """Writes a row every few iterations, and one for each validation.

    A run that goes on forgets the rows after the checkpoint it goes on from.
    """

    priority = "LOW"

    def __init__(self, folder: Path, metrics: Sequence[str]) -> None:
        self._path = folder / LOG
        self._columns = (*COLUMNS, *metrics)
        self._sums: dict[str, float] = {}
        self._count = 0
        self._since_s = 0.0

    def before_train(self, runner: Any) -> None:
        """Cut the log off where the run goes on."""
        rows = [row for row in read_log(self._path.parent) if row["iteration"] <= runner.iter]
        self._since_s = time.monotonic()
        if process_number():
            return
        with self._path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows([{name: _FORM % value for name, value in row.items()} for row in rows])

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add the iteration to the row that is being filled."""
        names = {"loss": "loss", "top1_acc": "train_top1"}
        found = {
            names[name]: float(torch.as_tensor(value).detach())
            for name, value in (outputs or {}).items()
            if name in names
        }
        norm = runner.message_hub.log_scalars.get("train/grad_norm")
        if norm is not None:
            found["grad_norm"] = float(norm.current())
        for name, value in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        done = runner.iter + 1
        if done % _INTERVAL == 0 or done == runner.max_iters:
            self._write_row(runner, done)

    def before_val(self, runner: Any) -> None:
        """Leave the validation's time out."""
        self._since_s -= time.monotonic()

    def after_val(self, runner: Any) -> None:
        """Count the time of training again."""
        self._since_s += time.monotonic()

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Write the validation's row."""
        self._append({"iteration": runner.iter, **(metrics or {})})
        shown = [f"{name} {value:.4f}" for name, value in (metrics or {}).items() if name in self._columns]
        self._tell(runner, runner.iter, "validation: " + ", ".join(shown))

    def _write_row(self, runner: Any, done: int) -> None:
        row = {name: value / self._count for name, value in self._sums.items()}
        if num_processes() > 1:
            # Each process knows the loss of its share only.
            shares = torch.tensor([row.get(name, math.nan) for name in ("loss", "train_top1")])
            shares = shares.to("cuda" if torch.cuda.is_available() else "cpu")
            torch.distributed.all_reduce(shares)
            means = (shares / num_processes()).tolist()
            row |= {
                name: mean for name, mean in zip(("loss", "train_top1"), means, strict=True) if name in row
            }
        now_s = time.monotonic()
        pace_s = (now_s - self._since_s) / self._count
        lr = runner.optim_wrapper.get_lr()["lr"][0]
        self._append({"iteration": done, **row, "lr": lr, "seconds_per_iteration": pace_s})
        minutes = (runner.max_iters - done) * pace_s / 60
        shown = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
        self._tell(runner, done, f"{shown}, lr {lr:.3g}, {pace_s:.3g} s each, {minutes:.0f} min left")
        self._sums, self._count, self._since_s = {}, 0, now_s

    def _tell(self, runner: Any, done: int, text: str) -> None:
        if not process_number():
            TOLD.info("%d/%d  %s", done, runner.max_iters, text)

    def _append(self, row: Mapping[str, float]) -> None:
        if process_number():
            return
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self._columns, extrasaction="ignore")
            writer.writerow({name: _FORM % float(value) for name, value in row.items()})


class OwnRandomness(Hook):
    """Draws random numbers (dropout) from an iteration's number, so that a run that goes on repeats them."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the generators."""
        torch.manual_seed((self._seed * 1_000_003 + runner.iter) * 1009 + process_number())


class TimeLimit(Hook):
    """Ends a run after a while with a checkpoint, to be resumed."""

    priority = "NORMAL"

    def __init__(self, minutes: float) -> None:
        self._end_s = time.monotonic() + minutes * 60

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop once the time is over, every process after the same iteration."""
        over = torch.tensor(float(time.monotonic() > self._end_s))
        if num_processes() > 1:
            over = over.to("cuda" if torch.cuda.is_available() else "cpu")
            torch.distributed.all_reduce(over, torch.distributed.ReduceOp.MAX)
        if over:
            for hook in runner.hooks:
                if isinstance(hook, CheckpointHook):
                    # Its turn comes after this one's, in this iteration still.
                    hook.interval = 1
            runner.train_loop.stop_training = True


class MissedValidation(Hook):
    """Validates first where a run was stopped between a checkpoint and the validation that was to follow."""

    priority = "LOWEST"

    def __init__(self, folder: Path, column: str) -> None:
        self._folder = folder
        self._column = column

    def before_train(self, runner: Any) -> None:
        """Look whether the log has the validation of the checkpoint."""
        due = (
            runner.val_loop is not None and runner.iter and runner.iter % runner.train_loop.val_interval == 0
        )
        if due and not any(
            self._column in row and row["iteration"] == runner.iter for row in read_log(self._folder)
        ):
            runner.val_loop.run()


class EarlyStopping(EarlyStoppingHook):
    """Stops once validations bring nothing new; a run that goes on remembers those before it."""

    def __init__(self, folder: Path, column: str, patience: int) -> None:
        super().__init__(column, rule="greater", min_delta=0.001, patience=patience)
        self._folder = folder

    def before_train(self, runner: Any) -> None:
        """Look at the log again, as far as the run goes on from."""
        for row in read_log(self._folder):
            if self.monitor in row and row["iteration"] <= runner.iter:
                self._check_stop_condition(row[self.monitor])
