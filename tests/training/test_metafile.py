"""The list of bundled checkpoints."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from phar.training.metafile import record_checkpoint


def test_a_checkpoint_is_recorded_with_size_and_hash(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(b"weights")
    record_checkpoint(tmp_path / "metafile.yml", "net", {"checkpoint": "net.bin", "iterations": 5})
    entry = yaml.safe_load((tmp_path / "metafile.yml").read_text())["models"]["net"]
    assert entry == {
        "checkpoint": "net.bin",
        "iterations": 5,
        "size_bytes": 7,
        "sha256": hashlib.sha256(b"weights").hexdigest(),
    }


def test_metrics_stay_with_the_weights_they_were_measured_on(tmp_path: Path) -> None:
    metafile, weights = tmp_path / "metafile.yml", tmp_path / "net.bin"
    weights.write_bytes(b"one")
    for name in ("net", "other"):
        record_checkpoint(metafile, name, {"checkpoint": "net.bin"})
    document = yaml.safe_load(metafile.read_text())
    document["models"]["net"]["metrics"] = {"top1": 0.5}
    metafile.write_text(yaml.safe_dump(document))

    record_checkpoint(metafile, "net", {"checkpoint": "net.bin"})
    assert yaml.safe_load(metafile.read_text())["models"]["net"]["metrics"] == {"top1": 0.5}

    weights.write_bytes(b"two")
    record_checkpoint(metafile, "net", {"checkpoint": "net.bin"})
    models = yaml.safe_load(metafile.read_text())["models"]
    assert "metrics" not in models["net"]
    assert models["other"]["sha256"] == hashlib.sha256(b"one").hexdigest()


def test_trainings_that_end_at_once_are_all_recorded(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(b"weights")
    names = [f"net{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda name: record_checkpoint(tmp_path / "metafile.yml", name, {"checkpoint": "net.bin"}),
                names,
            )
        )
    assert sorted(yaml.safe_load((tmp_path / "metafile.yml").read_text())["models"]) == sorted(names)
