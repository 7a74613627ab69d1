"""Several processes do together what one does with the whole batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from own_data import AUDIO, make_sounds
from torch import nn

from phar.cli.main import main
from phar.openmmlab import loading
from phar.openmmlab.training import parallel, read_log
from phar.schema import ModelError

OPTIONS = ("--workers", "0", "--threads", "1", "--precision", "fp32", "--patience", "0")


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    data = make_sounds(tmp_path / "sounds", train=4, val=3)
    config = tmp_path / "net.py"
    # Plain gradient descent: each step is the gradient itself. Batch normalization couples all samples.
    config.write_text(
        AUDIO.partition("training =")[0].replace("dropout_ratio=0.2", "dropout_ratio=0.")
        + "training = dict(iterations=3, batch_size=8, warmup=1, clip_norm=1e6, ema_momentum=0.9,"
        " optimizer=dict(type='SGD', lr=0.5))\n"
    )
    arguments = ["train", "audio", "--data", str(data), "--config", str(config), *OPTIONS]
    assert main([*arguments, "--out", str(tmp_path / "one")]) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, "-m", "phar.cli.main", *arguments, "--out", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (
        loading.load_checkpoint(tmp_path / name / "iter_3.pth")["state_dict"] for name in ("one", "two")
    )
    start = loading.load_checkpoint(tmp_path / "one" / "iter_2.pth")["state_dict"]
    moved = max(float((one[name] - start[name]).abs().max()) for name in one if one[name].is_floating_point())
    assert moved > 1e-4
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=2e-4, atol=2e-5, msg=name)
    logs = [read_log(tmp_path / name) for name in ("one", "two")]
    assert [row["iteration"] for row in logs[1]] == [row["iteration"] for row in logs[0]]
    losses = [[row["loss"] for row in log if "loss" in row] for log in logs]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    # One process reports.
    assert done.stdout.count("see card.md") == 1


def test_shares_of_a_batch_are_all_of_it(monkeypatch) -> None:
    shares = []
    for number in range(3):
        monkeypatch.setenv("WORLD_SIZE", "3")
        monkeypatch.setenv("RANK", str(number))
        order = parallel.InOrder(20, 6)
        order.start = 1
        shares.append(list(order))
        assert len(order) == 4
    assert shares == [[6, 7, 12, 13], [8, 9, 14, 15], [10, 11, 16, 17]]
    with pytest.raises(ModelError, match="a batch of 7 cannot be shared by 3 processes"):
        parallel.join(7)


def test_every_kind_of_batch_normalization_is_shared() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.SyncBatchNorm(4)), nn.BatchNorm1d(4)
    )
    before = [name for name, _ in net.named_parameters()], net[1].weight
    parallel.share_statistics(net)
    kinds = [type(module).__name__ for module in net.modules()]
    assert kinds.count("WholeBatchNorm") == 3
    assert ([name for name, _ in net.named_parameters()], net[1].weight) == before
    # Alone and out of training it is what it was.
    net.eval()
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(net[1](x), nn.BatchNorm2d(4).eval()(x))
