"""phar fuse from reports of one's own videos to a profile that another analysis uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from phar.cli import main
from phar.export import WRITERS
from phar.pipeline import analyze
from phar.profile import load_profile
from phar.schema import Report


@pytest.fixture
def reports(
    make_report: Callable[..., Report], make_clip: Callable[..., Path], tmp_path: Path
) -> tuple[Path, Path]:
    """Reports of eight videos, and their truth; the skeleton tells march from wave, RGB does not."""
    rng = np.random.default_rng(2)
    folder = tmp_path / "reports"
    folder.mkdir()
    lines = ["video,start_s,end_s,label,category,source,verdict"]
    for number in range(8):
        video = tmp_path / f"v{number}.mp4"
        video.write_bytes(make_clip(28.0).read_bytes())
        rows = []
        for window in range(4):
            march = bool(rng.integers(2))
            rgb = [0.4, 0.45, 0.1, 0.05] if rng.integers(2) else [0.45, 0.4, 0.1, 0.05]
            sure = 0.8 if march else 0.2
            rows.append({"rgb": rgb, "skeleton": [sure, 1 - sure], "audio": "too quiet"})
            lines.append(f"{video},{7 * window},{7 * window + 7},{'march' if march else 'wave'},,,accept")
        WRITERS["json"].write(make_report(rows, 28.0), folder / f"v{number}.json")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines) + "\n")
    return folder, table


@pytest.fixture
def commented(small_profile: Path) -> Path:
    """A profile in which the skeleton hardly counts."""
    document = yaml.safe_load(small_profile.read_text())
    document["streams"]["skeleton"]["weight"] = 0.01
    small_profile.write_text("# Ours.\n" + yaml.safe_dump(document, sort_keys=False))
    return small_profile


def test_the_fitted_profile_is_better_and_works(
    reports: tuple[Path, Path],
    commented: Path,
    tmp_path: Path,
    fake_streams: Callable[..., None],
    make_clip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, table = reports
    out = tmp_path / "fused" / "better.yaml"
    out.parent.mkdir()
    common = ["--truth", str(table), "--reports", str(folder)]
    figures = tmp_path / "fuse.json"
    code = main.main(
        ["fuse", "--profile", str(commented), *common, "--method", "stacking", "--out", str(out)]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "32 windows of 8 videos" in printed
    assert "| **stacking** | 100.0 % (100.0-100.0) |" in printed
    assert "| rgb + skeleton | 100.0 %" in printed
    text = out.read_text()
    assert text.startswith("# written by phar ")
    assert "stacking, fitted on 32 windows of 8 videos" in text.splitlines()[0]
    assert "# Ours." in text
    profile = load_profile(out)
    assert (profile.name, profile.fusion) == ("better", "stacked")
    # Files beside the first profile are still found.
    assert profile.streams["rgb"].model.config == commented.parent / "net.py"
    assert main.main(["eval", str(commented), str(out), *common, "--out", str(figures)]) == 0
    first, second = json.loads(figures.read_text())["models"]
    assert second["answers"]["fused"]["top1"]["value"] == 1.0
    assert first["answers"]["fused"]["top1"]["value"] < 0.8
    # The pipeline fuses by it too.
    fake_streams(
        rgb=lambda start_s: [0.4, 0.45, 0.1, 0.05] if start_s < 7 else [0.05, 0.85, 0.05, 0.05],
        skeleton=lambda start_s: [0.8, 0.2] if start_s < 7 else "no person",
        audio=lambda start_s: "too quiet",
    )
    report = analyze(make_clip(14.0), profile)
    assert [report.labels[int(p.probs.argmax())] for p in report.predictions] == ["march", "wave"]
    assert set(report.profile["biases"]) == {"rgb", "skeleton", "audio"}


def test_in_place_keeps_comments_and_all_else(reports: tuple[Path, Path], commented: Path) -> None:
    folder, table = reports
    before = load_profile(commented)
    arguments = ["--truth", str(table), "--reports", str(folder), "--method", "grid", "--in-place"]
    assert main.main(["fuse", "--profile", str(commented), *arguments]) == 0
    assert commented.read_text().startswith("# Ours.\n")
    after = load_profile(commented)
    assert after.streams["skeleton"].weight > after.streams["rgb"].weight
    assert (after.name, after.segments, after.persons) == (before.name, before.segments, before.persons)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "p.txt"], "profiles are .yaml files"),
        (["--name", "x"], "--name is for a profile that is written by --out"),
        (["--out", "p.yaml", "--in-place"], "not allowed with"),
        (["--method", "magic"], "invalid choice"),
    ],
)
def test_faults_are_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["fuse", *arguments]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert len(message.splitlines()) == 1


def test_a_profile_of_somebody_is_not_replaced(commented: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["fuse", "--out", str(commented)]) == 2
    assert "was not written by phar" in capsys.readouterr().err
    assert main.main(["fuse", "--profile", str(commented), "--out", str(commented)]) == 2
    assert "is an input" in capsys.readouterr().err
