"""Training on one's own data: what is written, going on after a kill, extending the labels, exporting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from own_data import AUDIO, GRAPH, LABELS, make_poses, make_sounds

from phar.cli.main import main
from phar.openmmlab import Recognizer, loading
from phar.openmmlab.training import latest_checkpoint, read_log
from phar.profile import load_profile

OPTIONS = ("--workers", "0", "--threads", "1", "--precision", "fp32", "--patience", "0")


def run(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


def files_of(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sounds(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="module")
def trained(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training folder, and a profile made of it: `out` and `mine.yaml`."""
    folder = tmp_path_factory.mktemp("trained")
    config = files_of(folder, "net.py", AUDIO)
    code = run(
        *("audio", "--data", sounds, "--config", config, "--out", folder / "out"),
        *("--export", folder / "mine.yaml", *OPTIONS),
    )
    assert code == 0
    return folder


def test_a_training_leaves_log_card_and_picture(trained: Path) -> None:
    out = trained / "out"
    record = json.loads((out / "run.json").read_text())
    assert record["labels"] == list(LABELS)
    assert record["clips"] == {"train": {"low": 36, "high": 12}, "val": {"low": 4, "high": 4}}
    rows = read_log(out)
    assert [row["iteration"] for row in rows if "acc/mean1" in row] == list(range(3, 61, 3))
    assert rows[-1]["acc/mean1"] == 1.0
    losses = {row["iteration"]: row["loss"] for row in rows if "loss" in row}
    assert list(losses) == [25, 50, 60]
    # Two classes start at ln 2.
    assert 0.7 > losses[25] > 2 * losses[50] > 0
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    card = (out / "card.md").read_text()
    model = loading.build(loading.load_config(trained / "net.py")["model"], "mmaction", 0)
    assert f"{sum(p.numel() for p in model.parameters()):,}" in card
    assert "| low | 36 | 4 | 1.00 |" in card
    assert "seconds per iteration" in card and "GFLOPs" in card


def test_the_exported_profile_listens_as_the_net_does(trained: Path, sounds: Path) -> None:
    profile = load_profile(trained / "mine.yaml")
    # Streams of the profile it is made of know other labels.
    assert list(profile.streams) == ["audio"]
    assert profile.labels == LABELS
    # So what the fusion of that profile was fitted to is gone.
    assert (profile.fusion, profile.streams["audio"].temperature) == ("within_vocabulary", 1.0)
    assert not profile.streams["audio"].label_weights and not profile.streams["audio"].bias
    spec = profile.streams["audio"]
    recognizer = Recognizer.load(spec.model.config, spec.model.checkpoint, len(spec.labels), backend="torch")
    shown = [np.load(sounds / "features" / f"val-{label}-000.npy") for label in LABELS]
    assert recognizer.predict(shown).argmax(1).tolist() == [0, 1]
    state = loading.load_checkpoint(spec.model.checkpoint)
    assert json.loads(state["meta"]["phar"])["labels"] == list(LABELS)
    assert {path.suffix for path in (trained / "mine").iterdir()} == {
        ".safetensors",
        ".py",
        ".txt",
        ".md",
        ".png",
    }
    assert "](audio.png)" in (trained / "mine" / "audio.md").read_text()


def test_a_folder_holds_one_training(trained: Path, sounds: Path, capsys) -> None:
    arguments = (
        "audio",
        "--data",
        sounds,
        "--config",
        trained / "net.py",
        "--out",
        trained / "out",
        *OPTIONS,
    )
    assert run(*arguments) == 2
    assert "holds a training already; go on with --resume" in capsys.readouterr().err
    # One that is over has nothing left to do.
    before = (trained / "out" / "log.csv").read_text()
    assert run(*arguments, "--resume") == 0
    assert (trained / "out" / "log.csv").read_text() == before


def test_a_killed_training_goes_on_to_the_same_curve(trained: Path, sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["train", "audio", "--data", sounds, "--config", trained / "net.py", "--out", out, *OPTIONS]
    command = [sys.executable, "-m", "phar.cli.main", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 250
    while not (out / "iter_9.pth").is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    reached = int(latest_checkpoint(out).stem.rpartition("_")[2])
    assert 1 <= reached < 60, "killed too late to prove anything"
    assert main(list(map(str, [*arguments, "--resume"]))) == 0
    whole, parts = ([row for row in read_log(each) if "acc/mean1" in row] for each in (trained / "out", out))
    assert parts == whole
    weights = [loading.load_checkpoint(each / "iter_60.pth")["state_dict"] for each in (trained / "out", out)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, msg=name)


def test_labels_are_extended_by_name(trained: Path, tmp_path: Path, capsys) -> None:
    from phar.openmmlab.training import export_weights
    from phar.openmmlab.training.weights import start_from

    more = ("middle", "high", "low")
    config = loading.load_config(trained / "net.py")
    (best,) = (trained / "out").glob("best_*.pth")
    before = loading.load_checkpoint(best)["state_dict"]["cls_head.fc_cls.weight"]

    def fresh() -> torch.nn.Module:
        description = {**config["model"], "cls_head": {**config["model"]["cls_head"], "num_classes": 3}}
        return loading.build(description, "mmaction", 5)

    own = fresh().state_dict()["cls_head.fc_cls.weight"][0].clone()
    plain = tmp_path / "plain.safetensors"
    export_weights(trained / "out", plain, {"model": "audio"})
    for source, known in (
        (trained / "out", None),
        (trained / "mine" / "audio.safetensors", None),
        (plain, LABELS),
    ):
        model = fresh()
        assert start_from(model, source, more, known) == ("high", "low")
        rows = model.state_dict()["cls_head.fc_cls.weight"]
        torch.testing.assert_close(rows[1], before[1], rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(rows[2], before[0], rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(rows[0], own)
    data = make_sounds(tmp_path / "more", more, train=2, val=1)
    arguments = ("audio", "--data", data, "--config", trained / "net.py", "--out", tmp_path / "o", *OPTIONS)
    assert run(*arguments, "--from", plain) == 4
    assert (
        "does not say which labels it knows; name its label file by --from-labels" in capsys.readouterr().err
    )
    known = files_of(tmp_path, "known.txt", "low\nhigh\n")
    assert run(*arguments, "--from", plain, "--from-labels", known, "--iterations", 1) == 0
    assert "started from | " in (tmp_path / "o" / "card.md").read_text()


def test_training_stops_when_nothing_comes_of_it(sounds: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("audio", "--data", sounds, "--config", trained / "net.py", "--out", out, *OPTIONS[:-2])
    # With a step of nothing no validation is better than the first.
    assert run(*arguments, "--patience", 3, "--lr", 1e-12) == 0
    assert [row["iteration"] for row in read_log(out) if "acc/mean1" in row] == [3, 6, 9, 12]


def test_skeletons_are_trained_and_predicted(tmp_path: Path, capsys) -> None:
    data = make_poses(tmp_path / "poses")
    config = files_of(tmp_path, "net.py", GRAPH)
    out = tmp_path / "out"
    arguments = ("skeleton", "--data", data, "--config", config, "--out", out, *OPTIONS)
    assert run(*arguments, "--export", tmp_path / "mine.yaml") == 0
    assert max(row.get("acc/mean1", 0) for row in read_log(out)) == 1.0
    said = capsys.readouterr().out
    assert "left out stream rgb, which knows none of the labels" in said
    profile = load_profile(tmp_path / "mine.yaml")
    assert list(profile.streams) == ["skeleton"] and profile.persons is not None
    assert profile.streams["skeleton"].rgb_topk is None
    assert main(["predict", "skeleton", "--profile", str(tmp_path / "mine.yaml"), "--data", str(data),
                 "--split", "val", "--out", str(tmp_path / "p.csv")]) == 0  # fmt: skip
    assert "top-1 1.0000, mean over classes 1.0000 (8 clips)" in capsys.readouterr().out
    rows = (tmp_path / "p.csv").read_text().splitlines()
    assert rows[0] == "id,video,start_s,end_s,label,low,high" and len(rows) == 9


def test_a_final_training_takes_val_as_well(sounds: Path, trained: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    arguments = ("audio", "--data", sounds, "--config", trained / "net.py", "--out", out, *OPTIONS)
    assert run(*arguments, "--with-val", "--iterations", 2, "--export", tmp_path / "final.yaml") == 0
    assert "2 iterations, not validated" in capsys.readouterr().out
    record = json.loads((out / "run.json").read_text())
    assert record["clips"] == {"train": {"low": 40, "high": 16}, "val": {}}
    assert not list(out.glob("best_*"))
    assert "None: every clip trained." in (out / "card.md").read_text()
    assert load_profile(tmp_path / "final.yaml").streams["audio"].labels == LABELS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("skeleton", "--data", "{sounds}"), "is a folder of audio examples"),
        (("stem", "--data", "{sounds}"), "only the rendered world tells"),
        (("audio", "--labels", "{sounds}/labels.txt"), "--labels is about one's own data"),
        (("moderation-still", "--data", "{sounds}"), "moderation-still is a control on the rendered world"),
        (("audio", "--data", "{sounds}", "--export"), "--export needs the name of the profile"),
        (("audio", "--data", "{sounds}", "--export", "mine.json"), "a profile is a .yaml file"),
        (
            ("audio", "--data", "{sounds}", "--profile", "demo", "--export", "{other}"),
            "was not written by phar train",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: tuple[str, ...], message: str, sounds: Path, tmp_path: Path, capsys
) -> None:
    other = files_of(tmp_path, "other.yaml", "name: other\n")
    given = [each.format(sounds=sounds, other=other) for each in arguments]
    assert run(*given, "--out", tmp_path / "out", *OPTIONS) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
