"""phar-demo: flags, files, and what it refuses before any work."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from phar.cli import demo, overrides
from phar.export.poses import load_poses
from phar.export.report import SCHEMA_PATH
from phar.media import probe
from phar.profile import load_profile
from phar.schema import Report


@pytest.fixture
def clip(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(make_clip(16.5), tmp_path / "clip.mp4"))


@pytest.fixture
def run(
    fake_streams: Callable[..., None], small_profile: Path, clip: Path, tmp_path: Path
) -> Callable[..., int]:
    """Run phar-demo on the clip with fakes: march, then ring which is heard, then nobody is sure."""
    fake_streams(
        rgb=lambda start_s: {0: [0.7, 0.1, 0.1, 0.1], 7: [0.1, 0.1, 0.5, 0.3]}.get(start_s, [0.25] * 4),
        skeleton=lambda start_s: [0.75, 0.25] if start_s == 0 else "no person",
        audio=lambda start_s: [1.0] if start_s == 7 else "too quiet",
    )

    def call(*flags: str, out: str = "out.json") -> int:
        return demo.main([str(clip), str(tmp_path / out), "--profile", str(small_profile), *flags])

    return call


def document(tmp_path: Path, name: str = "out.json") -> Any:
    return json.loads((tmp_path / name).read_text())


def made(tmp_path: Path) -> set[str]:
    """Names in the folder, hidden ones too, beyond what the fixtures put there."""
    return {path.name for path in tmp_path.iterdir()} - {"clip.mp4", "profile"}


def test_a_report_is_written_and_said(run, tmp_path: Path, capsys) -> None:
    assert run() == 0
    report = document(tmp_path)
    jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))
    assert [(row["label"], row["start_s"], row["end_s"]) for row in report["timestamps"]] == [
        ("march", 0, 7),
        ("ring", 7, 14),
        ("none", 14, 16.5),
    ]
    assert [row["label"] for row in report["tags"]] == ["march", "ring", "none"]
    assert report["profile"]["chosen"] == "asked for"
    assert made(tmp_path) == {"out.json"}
    said = capsys.readouterr()
    assert "3 windows" in said.out
    assert said.err == ""


def test_a_report_is_replaced(run, tmp_path: Path) -> None:
    assert run() == 0
    assert run("--topk", "1") == 0
    assert len(document(tmp_path)["clips"][0]["topk"]) == 1


def test_timestamps_and_poses_lie_beside_the_report(run, tmp_path: Path) -> None:
    assert run("--timestamps", "--save-poses") == 0
    assert made(tmp_path) == {"out.json", "out_ts.json", "out.poses.npz"}
    assert document(tmp_path, "out_ts.json") == {"0:7": "march", "7:14": "ring", "14:16.5": "none"}
    assert document(tmp_path)["poses"] == "out.poses.npz"
    assert load_poses(tmp_path / "out.poses.npz").boxes.shape == (3, 5)


def test_without_poses_the_report_names_none(run, tmp_path: Path) -> None:
    assert run() == 0
    assert document(tmp_path)["poses"] is None


def test_legacy(run, tmp_path: Path) -> None:
    assert run("--format", "legacy") == 0
    clips = document(tmp_path)
    assert [next(iter(clip.values())) for clip in clips] == ["march", "ring", "march"]


def test_mp4(run, tmp_path: Path) -> None:
    assert run(out="out.mp4") == 0
    assert probe(tmp_path / "out.mp4").has_audio
    assert made(tmp_path) == {"out.mp4"}
    assert run(out="out.mp4") == 0


def test_truth_is_printed_beside(run, tmp_path: Path, capsys) -> None:
    truth = tmp_path / "truth.json"
    segments = [
        {"label": "march", "start_s": 0, "end_s": 8},
        {"label": "ring", "start_s": 8, "end_s": 14},
        {"label": "wave", "start_s": 14, "end_s": 16.5},
    ]
    truth.write_text(json.dumps({"segments": segments}))
    assert run("--truth", str(truth)) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split() for line in lines[1:-1]] == [
        ["0.0-", "7.0", "march", "march", "0.73"],
        ["7.0-", "8.0", "march", "ring", "0.83", "differs"],
        ["8.0-", "14.0", "ring", "ring", "0.83"],
        ["14.0-", "16.5", "wave", "none", "0.25", "differs"],
    ]
    # 7 s of march and 6 s of ring of 16.5 s.
    assert lines[-1] == "recognized as in truth: 79% of 16.5 s"


def test_switching_streams_off(run, tmp_path: Path) -> None:
    assert run("--audio-checkpoint", "", "--skeleton-checkpoint", "") == 0
    report = document(tmp_path)
    assert report["profile"]["coefficients"] == {"rgb": 0.5}
    assert all(list(clip["streams"]) == ["rgb"] for clip in report["clips"])


@pytest.mark.parametrize(
    ("flags", "weights"),
    [
        (["--coefficients", "1", "2", "3"], {"rgb": 1, "skeleton": 2, "audio": 3}),
        (["--coefficients", "1", "2", "3", "--audio-checkpoint", ""], {"rgb": 1, "skeleton": 2}),
        (["--coefficients", "1", "3", "--skeleton-checkpoint", ""], {"rgb": 1, "audio": 3}),
        (["--coefficients", "1", "2", "3", "--skeleton-checkpoint", ""], {"rgb": 1, "audio": 3}),
    ],
)
def test_coefficients_are_bound_by_name(run, tmp_path: Path, flags, weights) -> None:
    assert run(*flags) == 0
    assert document(tmp_path)["profile"]["coefficients"] == weights


def test_label_maps_replace_all_labels(run, tmp_path: Path) -> None:
    maps = []
    for name, labels in (("a", "box row sing none"), ("b", "box row"), ("c", "sing")):
        path = tmp_path / "profile" / f"{name}.txt"
        path.write_text("\n".join(labels.split()))
        maps.append(str(path))
    assert run("--label-maps", *maps) == 0
    report = document(tmp_path)
    assert report["labels"] == ["box", "row", "sing", "none"]
    assert report["timestamps"][0]["label"] == "box"


def test_window_and_stride(run, tmp_path: Path) -> None:
    assert run("--subclip-len", "5") == 0
    assert [(c["start_s"], c["end_s"]) for c in document(tmp_path)["clips"]] == [
        (0, 5),
        (5, 10),
        (10, 15),
        (15, 16.5),
    ]
    assert run("--stride", "3.5") == 0
    assert [c["start_s"] for c in document(tmp_path)["clips"]] == [0, 3.5, 7, 10.5]


def test_the_pipeline_gets_what_the_flags_say(
    monkeypatch: pytest.MonkeyPatch, report: Report, small_profile: Path, clip: Path, tmp_path: Path
) -> None:
    got: dict[str, Any] = {}

    def analyze(video, profile, **options):
        got.update(video=video, profile=profile, **options)
        return dataclasses.replace(report, poses=None)

    monkeypatch.setattr("phar.pipeline.analyze", analyze)
    net = tmp_path / "profile" / "other.py"
    net.write_text("model = dict()\n")
    weights = tmp_path / "profile" / "w.safetensors"
    weights.write_bytes(b"")
    table = tmp_path / "profile" / "loud.json"
    table.write_text('{"ring": -44.5, "march": -50}')
    flags = []
    for name in ("rgb", "skeleton", "audio", "det", "pose"):
        flags += [f"--{name}-config", str(net), f"--{name}-checkpoint", str(weights)]
    flags += ["--det-score-thr", "0.6", "--pose-score-thr", "0.3"]
    flags += ["--correct-rate", "0.2", "--short-side", "320"]
    flags += f"--device cuda:1 --backend torch --num-processes 3 --loudness-weights {table}".split()
    out = str(tmp_path / "out.json")
    assert demo.main([str(clip), out, "--profile", str(small_profile), *flags]) == 0

    assert (got["device"], got["backend"], got["num_threads"], got["topk"]) == ("cuda:1", "torch", 3, 5)
    profile = got["profile"]
    assert {spec.config for spec in profile.models().values()} == {net}
    assert {spec.checkpoint for spec in profile.models().values()} == {weights}
    persons = profile.persons
    assert (persons.det_score_thr, persons.pose_score_thr, persons.correct_rate) == (0.6, 0.3, 0.2)
    assert persons.short_side_px == 320
    assert profile.streams["audio"].loudness.rule == "mean"
    assert profile.streams["audio"].loudness.thresholds_lufs == {"ring": -44.5, "march": -50.0}


@pytest.mark.parametrize(
    ("flags", "out", "code", "said"),
    [
        (["--topk", "0"], "out.json", 2, "--topk: '0' is not a whole number of at least 1"),
        (["--det-score-thr", "2"], "out.json", 2, "--det-score-thr: '2' is not a number from 0 to 1"),
        (["--subclip-len", "nan"], "out.json", 2, "is not a number of seconds above 0"),
        (["--device", "tpu"], "out.json", 2, "'tpu' is no device; use auto, cpu, cuda or cuda:0"),
        (["--format", "xml"], "out.json", 2, "invalid choice: 'xml'"),
        (["--nonsense"], "out.json", 2, "--nonsense"),
        ([], "out.txt", 2, "suffix '.txt' picks no format"),
        (
            ["--coefficients", "1", "2"],
            "out.json",
            2,
            "--coefficients got 2 values for the streams rgb, skeleton",
        ),
        (["--rgb-checkpoint", ""], "out.json", 2, "the RGB stream cannot be switched off"),
        (
            ["--save-poses", "--skeleton-checkpoint", ""],
            "out.json",
            2,
            "no poses without the skeleton stream",
        ),
        (["--truth", "gone.json"], "out.json", 2, "truth gone.json cannot be read"),
        (["--loudness-weights", "gone.json"], "out.json", 4, "gone.json cannot be read"),
        (["--rgb-config", "gone.py"], "out.json", 4, "gone.py does not exist"),
        (["--rgb-checkpoint", "gone.pth"], "out.json", 4, "gone.pth is missing"),
        (["--label-maps", "a.txt", "b.txt", "c.txt"], "out.json", 4, "a.txt cannot be read"),
        (["--stride", "8"], "out.json", 4, "stride_s 8 is longer than window_s 7"),
        (["--preset", "fast"], "out.json", 4, "has no preset 'fast'"),
        ([], "gone/out.json", 5, "does not exist; create it first"),
    ],
)
def test_faults_are_one_line_before_any_work(run, tmp_path, capsys, flags, out, code, said) -> None:
    assert run(*flags, out=out) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("phar-demo: ")
    assert err.count("\n") == 1
    assert made(tmp_path) == set()


def test_out_is_never_the_input_or_a_strangers_file(run, clip: Path, tmp_path: Path, capsys) -> None:
    before = clip.read_bytes()
    assert run(out="clip.mp4") == 2
    assert "is an input" in capsys.readouterr().err
    assert clip.read_bytes() == before
    notes = tmp_path / "notes.json"
    notes.write_text('{"mine": 1}')
    assert run(out="notes.json") == 2
    assert notes.read_text() == '{"mine": 1}'
    (tmp_path / "out_ts.json").write_text("mine")
    assert run("--timestamps") == 2
    assert "out_ts.json exists and was not written by phar" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_a_missing_video(small_profile: Path, tmp_path: Path, capsys) -> None:
    code = demo.main([str(tmp_path / "gone.mp4"), str(tmp_path / "o.json"), "--profile", str(small_profile)])
    assert code == 3
    assert "gone.mp4 does not exist; check the path" in capsys.readouterr().err


def test_an_unexpected_fault_is_one_line_and_verbose_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, run, tmp_path: Path, capsys
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("phar.pipeline.analyze", broken)
    assert run() == 1
    err = capsys.readouterr().err
    assert err.startswith(
        "phar-demo: unexpected ZeroDivisionError: division by zero; run again with --verbose"
    )
    assert err.count("\n") == 1
    assert run("--verbose") == 1
    assert "Traceback" in capsys.readouterr().err
    assert made(tmp_path) == set()


def test_file_names_need_not_be_text(
    run, clip: Path, small_profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = clip.rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    out = tmp_path / os.fsdecode(b"caf\xe9.json")
    assert demo.main([str(named), str(out), "--profile", str(small_profile)]) == 0
    assert json.loads(out.read_bytes())["video"]["path"].endswith("caf\ufffd.mp4")


def test_a_trace_is_written_and_its_file_replaced(run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    for _ in range(2):
        assert run("--trace", str(trace)) == 0
    events = json.loads(trace.read_text())["traceEvents"]
    threads = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    spans = {(event["name"], threads[event["tid"]]) for event in events if event["ph"] == "X"}
    assert {("decode", "phar-decode"), ("fusion", "MainThread"), ("load", "MainThread")} <= spans


def test_ungated_opens_every_gate() -> None:
    parser = argparse.ArgumentParser()
    overrides.add_arguments(parser)
    args = parser.parse_args(["--ungated", "--correct-rate", "0.5"])
    args.preset = None
    profile = overrides.apply(args, load_profile("demo"))
    gates = [(s.rgb_topk, s.min_keypoint_share, s.loudness) for s in profile.streams.values()]
    assert gates == [(None, None, None)] * 3


def test_weights_given_by_hand_count_where_the_fusion_was_fitted_by_label() -> None:
    parser = argparse.ArgumentParser()
    overrides.add_arguments(parser)
    demo_profile = load_profile("demo")
    assert demo_profile.fusion == "stacked" and demo_profile.streams["audio"].bias
    args = parser.parse_args(["--coefficients", "0.5", "0.6", "1"])
    args.preset = None
    profile = overrides.apply(args, demo_profile)
    assert profile.fusion == "within_vocabulary"
    assert [s.weight for s in profile.streams.values()] == [0.5, 0.6, 1.0]
    assert not any(s.label_weights or s.bias for s in profile.streams.values())
    args = parser.parse_args([])
    args.preset = None
    assert overrides.apply(args, demo_profile).fusion == "stacked"


def test_other_labels_end_a_fusion_that_was_fitted_by_label(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    overrides.add_arguments(parser)
    demo_profile = load_profile("demo")
    files = []
    for name, stream in demo_profile.streams.items():
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text("".join(f"other-{label}\n" for label in stream.labels))
    args = parser.parse_args(["--label-maps", *map(str, files)])
    args.preset = None
    profile = overrides.apply(args, demo_profile)
    assert profile.streams["audio"].labels[0].startswith("other-")
    assert profile.fusion == "within_vocabulary"


def test_skim_without_a_net_for_it_is_refused_before_any_work(run, tmp_path: Path, capsys) -> None:
    assert run("--skim") == 2
    assert "--skim: profile small names no net to skim with" in capsys.readouterr().err
    assert made(tmp_path) == set()
