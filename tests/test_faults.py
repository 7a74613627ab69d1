"""The twelve faults of the original project, none of which may come back.

Each test is named after its fault and runs the whole pipeline where the fault
could only show there, with streams that answer without models.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from phar.cli import demo
from phar.export import WRITERS, to_document
from phar.export.panel import rows
from phar.pipeline import analyze
from phar.profile import load_labels, load_profile, with_overrides
from phar.schema import ProfileError

Clips = Callable[..., Path]
Fakes = Callable[..., None]

QUIET = {"skeleton": lambda _: "no person", "audio": lambda _: "too quiet"}


def test_01_weights_belong_to_streams_by_name(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips
) -> None:
    """Fusion weights were zipped by position while streams were filled in another order."""
    fake_streams(
        rgb=lambda _: [0.25, 0.25, 0.25, 0.25], audio=lambda _: [1.0], skeleton=lambda _: [0.75, 0.25]
    )
    window = analyze(make_clip(3), load_profile(small_profile)).predictions[0]
    assert dict(window.weights) == {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0}
    assert window.probs.tolist() == pytest.approx(
        [(0.125 + 0.45) / 2.1, (0.125 + 0.15) / 2.1, 1.125 / 2.1, 0.125 / 2.1]
    )


def test_02_labels_with_equal_scores_are_all_kept(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips, tmp_path: Path
) -> None:
    """Scores were keys of a dict, so of labels with equal scores one was left."""
    fake_streams(rgb=lambda _: [0.25, 0.25, 0.25, 0.25], **QUIET)
    report = analyze(make_clip(3), load_profile(small_profile))
    labels = {"march", "wave", "ring", "none"}
    assert set(to_document(report)["clips"][0]["scores"]) == labels
    WRITERS["legacy"].write(report, tmp_path / "out.json")
    assert set(json.loads((tmp_path / "out.json").read_text())[0].values()) == labels


def test_03_windows_beyond_the_hundredth_stay_in_order(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips
) -> None:
    """Window files were sorted as strings: 0, 1, 10, 100, 101, 11, ..."""
    fake_streams(rgb=lambda start_s: [1, 0, 0, 0] if start_s < 13 else [0, 1, 0, 0], **QUIET)
    profile = with_overrides(load_profile(small_profile), {"window_s": 0.125})
    report = analyze(make_clip(16.5), profile)
    assert len(report.predictions) == 132
    assert [p.window.start_s for p in report.predictions] == [i / 8 for i in range(132)]
    assert [(s.label, s.start_s, s.end_s) for s in report.timestamps] == [
        ("march", 0, 13),
        ("wave", 13, 16.5),
    ]


def test_04_the_last_window_ends_with_the_video(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips
) -> None:
    """The last window was reported at full length, and short tails were dropped."""
    fake_streams(rgb=lambda _: [1, 0, 0, 0], **QUIET)
    report = analyze(make_clip(15), load_profile(small_profile))
    assert [(p.window.start_s, p.window.end_s) for p in report.predictions] == [(0, 7), (7, 14), (14, 15)]
    assert report.timestamps[-1].end_s == report.video.duration_s == 15


def test_05_a_video_shorter_than_a_window_is_one_window(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips
) -> None:
    """It crashed."""
    fake_streams(rgb=lambda _: [1, 0, 0, 0], **QUIET)
    for duration_s in (3, 0.125):
        report = analyze(make_clip(duration_s), load_profile(small_profile))
        assert [(p.window.start_s, p.window.end_s) for p in report.predictions] == [(0, duration_s)]


def test_06_silence_is_no_zero_and_all_outputs_show_one_number(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips
) -> None:
    """A skipped stream scored zeros, and JSON and video showed different numbers for one window."""
    fake_streams(rgb=lambda _: [0.5, 0.25, 0.125, 0.125], **QUIET)
    report = analyze(make_clip(3), load_profile(small_profile))
    clip = to_document(report)["clips"][0]
    assert clip["streams"]["audio"] == {"silent": "too quiet"}
    assert clip["scores"] == {"march": 0.5, "wave": 0.25, "ring": 0.125, "none": 0.125}
    assert clip["weights"] == {"rgb": 0.5}
    assert [{"label": label, "score": score} for label, score in rows(report, 0)] == clip["topk"]


def test_07_every_label_reaches_the_fusion(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips
) -> None:
    """Only each stream's five best labels reached the fusion."""
    labels = [f"label{i}" for i in range(8)]
    sixth = [0.2, 0.19, 0.18, 0.17, 0.16, 0.1, 0.0, 0.0]
    fake_streams(rgb=lambda _: sixth, skeleton=lambda _: [0.6, 0.4], audio=lambda _: "too quiet")
    profile = with_overrides(
        load_profile(small_profile),
        {"streams": {"rgb": {"labels": labels}, "skeleton": {"labels": ["label5", "label6"]}, "audio": None}},
    )
    report = analyze(make_clip(3), profile)
    # (0.5 * 0.1 + 0.6 * 0.6) / 1.1 against (0.5 * 0.2) / 1.1
    assert report.timestamps[0].label == "label5"
    assert report.predictions[0].probs[5] == pytest.approx(0.41 / 1.1)
    assert len(to_document(report)["clips"][0]["streams"]["rgb"]["scores"]) == 8


def test_08_labels_are_spelled_one_way(small_profile: Path, tmp_path: Path) -> None:
    """Labels were spelled with '-' in one file and with '_' in another."""
    spelled = {"streams": {"rgb": {"labels": ["high-wave", "ring", "march", "wave"]}}}
    other = {"streams": {"skeleton": {"labels": ["high_wave", "march"]}}}
    with pytest.raises(ProfileError, match="'high-wave' and 'high_wave' are one label spelled two ways"):
        with_overrides(with_overrides(load_profile(small_profile), spelled), other)
    (tmp_path / "labels.txt").write_text("high-wave\nhigh_wave\n")
    with pytest.raises(ProfileError, match="one label spelled two ways"):
        load_labels(tmp_path / "labels.txt")


def test_09_runs_share_no_temporary_files(
    fake_streams: Fakes,
    small_profile: Path,
    make_clip: Clips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Temporary files lay in the working directory, so two runs there collided."""
    clip, cwd, out = make_clip(16.5), tmp_path / "cwd", tmp_path / "out"
    cwd.mkdir()
    out.mkdir()
    monkeypatch.chdir(cwd)
    seen: list[str] = []
    both_running = threading.Barrier(2, timeout=60)

    def look(start_s: float) -> list[float]:
        if start_s == 0:
            both_running.wait()
        seen.extend(path.name for path in cwd.iterdir())
        return [1, 0, 0, 0]

    fake_streams(rgb=look, **QUIET)
    profile = load_profile(small_profile)

    def run(name: str) -> None:
        WRITERS["json"].write(analyze(clip, profile), out / name)

    threads = [threading.Thread(target=run, args=(f"{i}.json",)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == []
    assert list(cwd.iterdir()) == []
    first, second = (json.loads((out / f"{i}.json").read_text()) for i in range(2))
    assert first["clips"] == second["clips"]
    assert sorted(path.name for path in out.iterdir()) == ["0.json", "1.json"]


def test_10_the_video_is_opened_once_and_not_encoded(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole video was encoded twice before anything was recognized."""
    clip = make_clip(16.5)
    fake_streams(rgb=lambda _: [1, 0, 0, 0], **QUIET)
    modes: list[str] = []
    real = av.open

    def counted(file: object, mode: str = "r", *args: object, **options: object) -> object:
        modes.append(mode)
        return real(file, mode, *args, **options)

    monkeypatch.setattr(av, "open", counted)
    analyze(clip, load_profile(small_profile))
    assert modes == ["r"]


def test_11_a_damaged_input_is_an_error_and_leaves_no_output(
    fake_streams: Fakes,
    small_profile: Path,
    make_clip: Clips,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Failures of ffmpeg were ignored."""
    fake_streams(rgb=lambda _: [1, 0, 0, 0], **QUIET)
    whole = make_clip(16.5).read_bytes()
    damaged, out = tmp_path / "damaged.mp4", tmp_path / "out.json"
    damaged.write_bytes(whole[:40] + bytes(1000))
    assert demo.main([str(damaged), str(out), "--profile", str(small_profile)]) == 3
    said = capsys.readouterr().err
    assert "damaged.mp4" in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_11_a_partly_damaged_input_says_so_in_the_report(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips, tmp_path: Path
) -> None:
    """Failures of ffmpeg were ignored."""
    fake_streams(rgb=lambda _: [1, 0, 0, 0], **QUIET)
    whole = bytearray(make_clip(16.5).read_bytes())
    # With the index first, the picture data starts after the 'mdat' mark.
    start = whole.find(b"mdat") + 2000
    rng = np.random.default_rng(0)
    whole[start : start + 3000] = rng.bytes(3000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(bytes(whole))
    report = analyze(damaged, load_profile(small_profile))
    assert report.warnings
    assert report.video.duration_s == pytest.approx(16.5, abs=0.5)
    for before, after in pairwise(report.predictions):
        assert before.window.end_s == after.window.start_s


@pytest.mark.parametrize("topk", [1, 2, 3, 4])
def test_12_topk_shows_k_labels(
    fake_streams: Fakes, small_profile: Path, make_clip: Clips, tmp_path: Path, topk: int
) -> None:
    """One label too few was shown."""
    fake_streams(rgb=lambda _: [0.4, 0.3, 0.2, 0.1], **QUIET)
    out = tmp_path / "out.json"
    code = demo.main([str(make_clip(3)), str(out), "--profile", str(small_profile), "--topk", str(topk)])
    assert code == 0
    best = [row["label"] for row in json.loads(out.read_text())["clips"][0]["topk"]]
    assert best == ["march", "wave", "ring", "none"][:topk]
