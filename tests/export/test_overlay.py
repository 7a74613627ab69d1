"""The annotated video: same frames, same sound, the report's numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from phar.export import WRITERS, check_target, to_document
from phar.export.overlay import DRAWN, annotated
from phar.export.panel import Line, label_colours, lines, panel, rows, text_px
from phar.export.skeletons import Skeletons
from phar.export.strip import Strip
from phar.media import at_rate, probe, read_frames, write_video
from phar.media.comment import read_comment
from phar.schema import COCO_KEYPOINTS, MediaError, Poses, Report, UsageError


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
    # One panel per window: 0 to 7 s, 7 to 14 s, and the tail; the strip moves on below them.
    pictures = [picture[:200] for picture in pictures]
    assert np.abs(pictures[0].astype(int) - pictures[27]).max() <= 4
    assert np.abs(pictures[27].astype(int) - pictures[28]).max() > 100
    assert np.abs(pictures[55].astype(int) - pictures[56]).max() > 100
    assert np.abs(pictures[56].astype(int) - pictures[65]).max() <= 4
    # Beside the panel and above the strip the picture is the source's.
    assert np.abs(pictures[0][:, 200:].astype(int) - 120).max() <= 6


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


COLOURS = {"x": (64, 132, 255)}


@pytest.mark.parametrize(("width", "height"), [(16, 16), (64, 2000), (4000, 48), (1920, 1080)])
def test_the_panel_fits_any_picture(width: int, height: int) -> None:
    said = [
        Line("a label of some length", 1.0),
        Line("b", 0.0),
        Line("a reason of some length", stream="audio"),
    ]
    colour, opacity = panel(said, COLOURS, width, height)
    assert colour.shape[0] <= height
    assert colour.shape[1] <= width
    assert opacity.shape == (*colour.shape[:2], 1)


def filled(colour: np.ndarray) -> int:
    return int((colour == COLOURS["x"]).all(axis=2).sum())


def test_bars_grow_with_the_score() -> None:
    quarter, half, full = (
        filled(panel([Line("x", score, "x")], COLOURS, 400, 300)[0]) for score in (0.25, 0.5, 1.0)
    )
    assert half == pytest.approx(2 * quarter, rel=0.1)
    assert full == pytest.approx(2 * half, rel=0.1)
    assert filled(panel([Line("x", 0.0, "x")], COLOURS, 400, 300)[0]) == 0


def test_every_stream_says_its_best_labels_or_why_it_is_silent(report: Report) -> None:
    said = [(line.stream, line.text, line.score) for line in lines(report, 1) if line.stream]
    assert said == [
        ("rgb", "ring", 0.5),
        ("rgb", "none", 0.3),
        ("skeleton", "no person", None),
        ("audio", "ring", 1.0),
    ]


def test_text_stays_legible_and_what_has_no_room_gives_way(report: Report) -> None:
    # At least 9 pixels, about a thirtieth of the short side.
    assert [text_px(*size) for size in ((284, 160), (640, 360), (1080, 1920), (3840, 2160))] == [
        9,
        14,
        35,
        68,
    ]
    colours = label_colours(report.labels)
    tall = panel(lines(report, 0), colours, 640, 360)[0]
    small = panel(lines(report, 0), colours, 160, 90)[0]
    assert tall.shape[0] < 0.7 * 360
    assert small.shape[0] <= 0.7 * 90
    # The best label is the last to go.
    first = panel(lines(report, 0)[:1], colours, 160, 20)[0]
    assert (first == colours[lines(report, 0)[0].label]).all(axis=2).any()


def test_labels_of_other_scripts_are_drawn() -> None:
    def ink(text: str) -> np.ndarray:
        return panel([Line(text, 0.5, "x")], COLOURS, 640, 360)[0]

    empty = ink("\ufffe\ufffe\ufffe")
    for text in ("прыжок", "χορός", "مشي", "הליכה", "kıß"):
        drawn = ink(text)
        assert drawn.shape != empty.shape or (drawn != empty).any()
        assert (drawn[:, : drawn.shape[1] // 3] > 200).all(axis=2).sum() > 20


def test_label_colours_are_told_apart() -> None:
    colours = np.array(list(label_colours([f"label {n}" for n in range(17)]).values()), int)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 999 * np.eye(len(colours), dtype=int)
    assert len(colours) == 18
    assert apart.min() >= 24


@pytest.mark.parametrize("size", [(284, 160), (1280, 720), (96, 400)])
def test_the_strip_shows_all_segments_and_the_playhead(report: Report, size: tuple[int, int]) -> None:
    width, height = size
    colours = label_colours(report.labels)
    strip = Strip(report, colours, width, height)
    # march 0 to 7 s, ring 7 to 14 s, none to 16.5 s: the middle of each.
    for time_s, label, other in ((3.5, "march", "ring"), (10.5, "ring", "march")):
        picture = np.full((height, width, 3), 120, np.uint8)
        strip.draw(picture, 12.0)
        column = round(time_s / 16.5 * width)
        assert tuple(picture[-1, column]) == colours[label]
        assert tuple(picture[-1, column]) != colours[other]
    assert tuple(picture[-1, round(15.5 / 16.5 * width)]) == (60, 64, 72)
    assert strip.playhead_px(12.0) == int(12 / 16.5 * width)
    assert tuple(picture[-1, strip.playhead_px(12.0)]) == (255, 255, 255)
    assert (picture[: height // 2] == 120).all()


@pytest.fixture
def walker() -> Poses:
    """One person that moves right by 40 pixels in 0.2 s, and is not seen after."""
    joints = np.zeros((17, 3), np.float32)
    joints[:, :2] = np.stack([100 + 2 * np.arange(17), 60 + 8 * np.arange(17)], 1)
    joints[:, 2] = 0.9
    moved = joints + np.array([40, 0, 0], np.float32)
    boxes = np.array([[90, 50, 150, 200, 0.9], [130, 50, 190, 200, 0.9]], np.float32)
    return Poses(np.array([1.0, 1.2]), np.array([0, 1]), boxes, np.stack([joints, moved]))


def test_persons_move_between_the_frames_that_were_seen(walker: Poses) -> None:
    found = Skeletons(walker)
    for time_s, x in ((0.9, 90), (1.0, 90), (1.05, 100), (1.15, 120), (1.3, 130)):
        boxes, joints = found.at(time_s)
        assert boxes[:, 0] == pytest.approx([x])
        assert joints[0, 0, :2] == pytest.approx([x + 10, 60])
    for time_s in (0.5, 2.0):
        assert len(found.at(time_s)[0]) == 0


def test_skeletons_are_drawn_where_the_joints_are(walker: Poses) -> None:
    picture = np.full((240, 320, 3), 120, np.uint8)
    Skeletons(walker).draw(picture, 1.0)
    changed = (picture != 120).any(axis=2)
    for name in ("left_wrist", "nose", "right_ankle"):
        x, y = walker.keypoints[0, COCO_KEYPOINTS.index(name), :2].astype(int)
        assert changed[y, x]
    rows_px, columns_px = np.nonzero(changed)
    assert (columns_px.min(), columns_px.max()) == pytest.approx((90, 150), abs=3)
    assert (rows_px.min(), rows_px.max()) == pytest.approx((50, 200), abs=3)


def test_persons_are_drawn_only_if_asked(report_of_clip: Report, walker: Poses) -> None:
    from phar.cli import drawing

    assert drawing.DRAWN == DRAWN
    with_poses = dataclasses.replace(report_of_clip, poses=walker)
    plain = [picture for _, picture in annotated(with_poses)]
    drawn = [picture for _, picture in annotated(with_poses, ["skeleton"])]
    differs = [bool((a != b).any()) for a, b in zip(plain, drawn, strict=True)]
    # Pictures at 0.75, 1.0 and 1.25 s.
    assert [number for number, differ in enumerate(differs) if differ] == [3, 4, 5]
    with pytest.raises(UsageError, match="no poses to draw"):
        annotated(report_of_clip, ["skeleton"])
