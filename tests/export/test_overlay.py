"""The annotated video: same frames, same sound, the report's numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from phar.export import WRITERS, check_target, to_document
from phar.export.overlay import annotated, panel, rows
from phar.media import at_rate, probe, read_frames, write_video
from phar.media.comment import read_comment
from phar.schema import MediaError, Report, UsageError


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Sixteen and a half seconds of grey at 4 fps with a tone."""
    path = tmp_path / "clip.mp4"
    tone = np.sin(np.arange(int(16.5 * 16000)) * 0.1).astype(np.float32) * 0.2
    write_video(
        path, at_rate((np.full((240, 320, 3), 120, np.uint8) for _ in range(66)), 4), 4, (tone, 16000)
    )
    return path


@pytest.fixture
def report_of_clip(report: Report, clip: Path) -> Report:
    return dataclasses.replace(report, video=dataclasses.replace(probe(clip), duration_s=16.5))


def test_every_frame_is_there_with_its_windows_labels(report_of_clip: Report) -> None:
    shown = list(annotated(report_of_clip))
    assert [time_s for time_s, _ in shown] == pytest.approx([i / 4 for i in range(66)])
    pictures = [picture for _, picture in shown]
    assert all(picture.shape == (240, 320, 3) for picture in pictures)
    # One panel per window: 0 to 7 s, 7 to 14 s, and the tail.
    assert np.abs(pictures[0].astype(int) - pictures[27]).max() <= 4
    assert np.abs(pictures[27].astype(int) - pictures[28]).max() > 100
    assert np.abs(pictures[55].astype(int) - pictures[56]).max() > 100
    assert np.abs(pictures[56].astype(int) - pictures[65]).max() <= 4
    # Outside the corner the picture is the source's.
    assert np.abs(pictures[0][200:].astype(int) - 120).max() <= 6


def test_the_numbers_drawn_are_those_of_the_json(report: Report) -> None:
    document = to_document(report)
    for index, clip in enumerate(document["clips"]):
        assert [{"label": label, "score": score} for label, score in rows(report, index)] == clip["topk"]


def test_the_written_video_has_the_sound_and_is_known_as_phars(
    report_of_clip: Report, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    WRITERS["mp4"].write(report_of_clip, out)
    assert probe(out).has_audio
    assert probe(out).duration_s == pytest.approx(16.5, abs=0.1)
    assert sum(1 for _ in read_frames(out)) == 66
    assert read_comment(out) == "phar 0.1.0"
    check_target(out)
    with pytest.raises(UsageError, match="is an input"):
        check_target(out, [out])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_a_video_phar_did_not_write_is_left_alone(clip: Path) -> None:
    with pytest.raises(UsageError, match="was not written by phar"):
        check_target(clip)


def test_a_source_that_has_moved_is_said(report: Report, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"clip.mp4: no such file"):
        WRITERS["mp4"].write(report, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("width", "height"), [(16, 16), (64, 2000), (4000, 48), (1920, 1080)])
def test_the_panel_fits_any_picture(width: int, height: int) -> None:
    colour, opacity = panel([("a label of some length", 1.0), ("b", 0.0)], width, height)
    assert colour.shape[0] <= height
    assert colour.shape[1] <= width
    assert opacity.shape == (*colour.shape[:2], 1)


def test_bars_grow_with_the_score() -> None:
    def blue(score: float) -> int:
        colour, _ = panel([("x", score)], 400, 300)
        return int((colour == (64, 132, 255)).all(axis=2).sum())

    assert blue(0.25) < blue(0.5) < blue(1.0)
