"""phar eval from annotation tables, with streams that answer without a net."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from phar.cli import main

RGB = {0: [0.7, 0.1, 0.1, 0.1], 7: [0.1, 0.1, 0.5, 0.3], 14: [0.1, 0.6, 0.1, 0.2]}


@pytest.fixture
def looks(fake_streams: Callable[..., None]) -> list[float]:
    """Fake streams, and the list of windows that RGB has looked at."""
    seen: list[float] = []

    def rgb(start_s: float) -> list[float]:
        seen.append(start_s)
        return RGB[int(start_s)]

    fake_streams(
        rgb=rgb,
        skeleton=lambda start_s: [0.2, 0.8] if start_s == 0 else "no person",
        audio=lambda start_s: [1.0] if start_s == 7 else "too quiet",
    )
    return seen


@pytest.fixture
def truth(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """Two videos of 21 and 14 s: march, ring, nothing | march, wave."""
    rows = [
        (make_clip(21.0), 0, 7, "march", "street", "accept"),
        (make_clip(21.0), 7, 14, "ring", "", "accept"),
        (make_clip(21.0), 0, 21, "", "", "complete"),
        (make_clip(14.0), 0, 7, "march", "gym", "accept"),
        (make_clip(14.0), 7, 14, "wave", "", "accept"),
    ]
    path = tmp_path / "table.csv"
    lines = ["video,start_s,end_s,label,category,source,verdict"]
    lines += [
        f"{video},{start},{end},{label},{kind},,{verdict}" for video, start, end, label, kind, verdict in rows
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def figures(arguments: list[str], tmp_path: Path, code: int = 0) -> dict[str, Any]:
    out = tmp_path / "figures.json"
    assert main.main(["eval", *map(str, arguments), "--out", str(out)]) == code
    return json.loads(out.read_text())


def test_streams_and_fused_of_ones_own_videos(
    looks: list[float], truth: Path, small_profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = figures([small_profile, "--truth", truth], tmp_path)
    assert (document["windows"], document["videos"], document["left_out"]) == (
        5,
        ["14s_8fps", "21s_8fps"],
        [],
    )
    assert document["hours"] == pytest.approx(35 / 3600, abs=1e-5)
    (model,) = document["models"]
    answers = model["answers"]
    assert list(answers) == ["fused", "fused_open", "rgb", "skeleton", "audio"]
    # RGB: march right, ring wrong (wave) | march right, ring right, wave where nothing is.
    assert answers["rgb"]["top1"]["value"] == pytest.approx(3 / 5)
    # The skeleton says wave of both marches, and pulls both fused answers to it.
    assert answers["skeleton"]["top1"]["value"] == 0.0
    assert answers["fused"]["top1"]["value"] == pytest.approx(1 / 5)
    assert answers["audio"]["top1"]["value"] == pytest.approx(1 / 5)
    assert model["spoke"]["audio"]["windows"] == 2
    assert model["spoke"]["audio"]["stream"]["value"] == 0.5
    assert {(row["label"], row["category"]) for row in answers["fused"]["categories"]} == {
        ("march", "gym"),
        ("march", "street"),
        ("none", "beside"),
    }
    printed = capsys.readouterr().out
    assert printed.startswith("5 windows of 2 videos, 1 minutes; a silent stream counts as wrong.")
    assert "| rgb | 60.0 % (" in printed


def test_kept_reports_are_not_made_again(
    looks: list[float], truth: Path, small_profile: Path, tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    keep = tmp_path / "kept"
    arguments = [small_profile, "--truth", truth, "--keep", keep, "--deployed-only"]
    first = figures(arguments, tmp_path)
    assert len(looks) == 5
    assert figures(arguments, tmp_path) == first
    assert len(looks) == 5
    # Another fusion is decided upon the same looks.
    document = yaml.safe_load(small_profile.read_text())
    document |= {"name": "other", "fusion": {"rule": "within_vocabulary", "threshold": 0.3}}
    other = small_profile.with_name("other.yaml")
    other.write_text(yaml.safe_dump(document))
    both = figures([small_profile, other, *arguments[1:]], tmp_path)
    assert len(looks) == 5
    assert [model["name"] for model in both["models"]] == ["small", "other"]
    assert both["models"][0] == first["models"][0]
    (difference,) = both["differences"]
    assert difference["from"] == "small"
    assert difference["top1"]["value"] == pytest.approx(
        both["models"][1]["answers"]["fused"]["top1"]["value"] - 1 / 5
    )
    # So it is from the reports alone, for profiles or as they are.
    (folder,) = (keep / "reports").iterdir()
    again = figures([other, "--truth", truth, "--reports", folder], tmp_path)
    assert again["models"][0]["answers"] == both["models"][1]["answers"]
    assert figures([f"small={folder}", "--truth", truth], tmp_path)["models"] == first["models"]
    assert len(looks) == 5
    # A video that was changed is looked at again.
    os.utime(make_clip(14.0))
    figures(arguments, tmp_path)
    assert len(looks) == 7


def test_another_tool_beside_a_model_and_alone(
    looks: list[float], truth: Path, small_profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "cloud.csv"
    rows.write_text(
        "video,start_s,end_s,label,score\n21s_8fps.mp4,0,7,march,0.9\n14s_8fps,0,7,march,0.8\nelse,0,1,march,1\n"
    )
    document = figures([small_profile, "--truth", truth, "--predictions", rows, "--deployed-only"], tmp_path)
    assert [model["name"] for model in document["models"]] == ["small", "cloud"]
    cloud = document["models"][1]["answers"]["fused"]
    # march, march and the empty end of the longer video are right; ring and wave are not named.
    assert cloud["top1"]["value"] == pytest.approx(3 / 5)
    assert cloud["segments"]["0.7"]["map"]["value"] == pytest.approx(1 / 3)
    captured = capsys.readouterr()
    assert "no such video: else; left out" in captured.err
    assert "### Labels and categories" in captured.out
    alone = figures(["--truth", truth, "--predictions", f"service={rows}"], tmp_path)
    assert [model["name"] for model in alone["models"]] == ["service"]
    assert alone["models"][0]["answers"]["fused"] == cloud


def test_controls(looks: list[float], truth: Path, small_profile: Path, tmp_path: Path) -> None:
    document = figures([small_profile, "--truth", truth, "--controls", "--deployed-only"], tmp_path)
    (model,) = document["models"]
    assert model["controls"]["commonest"]["label"] == "march"
    assert model["controls"]["commonest"]["top1"]["value"] == pytest.approx(2 / 5)
    assert "fused_still" in model["answers"]


def test_a_video_that_cannot_be_read_is_left_out_and_told(
    looks: list[float],
    truth: Path,
    small_profile: Path,
    tmp_path: Path,
    make_clip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = make_clip(14.0).read_bytes()
    first, size = (
        content.index(b"mdat") + 4,
        int.from_bytes(content[(at := content.index(b"mdat") - 4) : at + 4]),
    )
    broken = tmp_path / "broken.mp4"
    # What the container says stays; no picture can be decoded.
    broken.write_bytes(content[:first] + bytes(size - 8) + content[first + size - 8 :])
    truth.write_text(truth.read_text() + f"{broken},0,7,march,,,accept\n")
    document = figures([small_profile, "--truth", truth, "--deployed-only"], tmp_path, code=7)
    assert document["left_out"] == ["broken"]
    assert document["windows"] == 5
    assert "left out: " in capsys.readouterr().err
