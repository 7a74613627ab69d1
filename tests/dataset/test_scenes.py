"""Shots and looks of real files: made ones, rendered ones and, where they are here, ordinary clips."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import Shot, make_video

from phar.dataset.detectors import DetectorSettings, make_detector
from phar.dataset.index import SILENCE_DB, content_hash, index_video
from phar.dataset.indexing import index_all
from phar.schema import MediaError, ModelError, UsageError
from phar.synth import load_world, write_clip

SHOTS = [
    Shot(1, 3),
    Shot(2, 2.5, "frozen", loud=False),
    Shot(3, 4),
    Shot(0, 2, "black"),
    Shot(5, 3),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make_video(tmp_path_factory.mktemp("made") / "a.mp4", SHOTS)


@pytest.mark.parametrize("name", ["adaptive", "content"])
def test_shots_of_a_video_with_hard_cuts(made: Path, tmp_path: Path, name: str) -> None:
    index, cached = index_video(made, DetectorSettings(name), tmp_path)
    assert not cached
    assert index.duration_s == 14.5
    assert index.shots() == [
        (0.0, 3.0),
        (3.0, 5.5),
        (5.5, 9.5),
        (9.5, 11.5),
        (11.5, 14.5),
    ]


def test_what_a_look_holds(made: Path, tmp_path: Path) -> None:
    index, _ = index_video(made, DetectorSettings(), tmp_path)
    assert {len(index.dark), len(index.hashes), len(index.level_db)} == {58}
    black, frozen, moving = index.looks(9.5, 11.5), index.looks(3.0, 5.5), index.looks(0.0, 3.0)
    assert index.dark[black].min() == 1.0
    assert index.dark[moving].max() < 0.1
    assert index.change[frozen][1:].max() < 0.1 < index.change[moving][1:].min()
    assert index.contrast[black].max() == 0.0
    # A sine of amplitude 0.3 has an RMS of 0.3 / sqrt(2), -13.5 dB.
    assert index.level_db[moving] == pytest.approx(-13.5, abs=0.3)
    assert np.median(index.level_db[frozen]) == SILENCE_DB
    same = [
        bin(int(a) ^ int(b)).count("1") for a, b in zip(index.hashes[13:21], index.hashes[14:22], strict=True)
    ]
    assert max(same) <= 2
    assert bin(int(index.hashes[4]) ^ int(index.hashes[16])).count("1") > 16


def test_an_index_is_kept_by_content_and_settings(made: Path, tmp_path: Path) -> None:
    settings, cache = DetectorSettings(), tmp_path / "cache"
    first, _ = index_video(made, settings, cache)
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(made.read_bytes())
    second, cached = index_video(copy, settings, cache)
    assert cached
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(second, name))
        assert type(value) is type(getattr(second, name))
    assert not index_video(copy, DetectorSettings(min_shot_s=3.0), cache)[1]
    assert index_video(copy, DetectorSettings(min_shot_s=3.0), cache)[0].shots()[0] == (0.0, 3.0)
    # A damaged file is made anew.
    for kept in cache.glob("*.npz"):
        kept.write_bytes(b"PK damaged")
    assert not index_video(copy, settings, cache)[1]
    assert index_video(copy, settings, cache)[1]
    # Other bytes under the same name are another video.
    before = content_hash(copy, cache)
    copy.write_bytes(copy.read_bytes() + b"\0")
    assert content_hash(copy, cache) != before


def test_shots_of_a_rendered_video(tmp_path: Path) -> None:
    clip = load_world(1).sequence(77, 1, [("march", 4.0), ("paint", 6.0), ("none", 3.0)])
    path = write_clip(clip, tmp_path / "clip.mp4", truth=False)
    # A shot begins with the first frame at or after the moment of the cut.
    truth = [
        np.ceil((segment.start_s + shot.start_s) * clip.fps - 1e-6) / float(clip.fps)
        for number, segment in enumerate(clip.segments)
        for shot in clip.scene(number).shots
    ]
    index, _ = index_video(path, DetectorSettings(), tmp_path / "cache")
    assert len(truth) >= 3
    assert [start for start, _ in index.shots()] == pytest.approx(truth, abs=1e-3)


def test_shots_of_an_ordinary_clip(shared_media: Path, tmp_path: Path) -> None:
    folder = shared_media / "people"
    cuts = index_video(
        folder / "ageitgey+face_recognition/examples/short_hamilton_clip.mp4", DetectorSettings(), tmp_path
    )[0]
    found = [start for start, _ in cuts.shots()]
    # By eye there are cuts at 0.67, 2.74 and 7.04 s; at 2.0 s a hand comes into a dark picture.
    assert found == pytest.approx([0, 0.67, 2.0, 2.74, 7.04], abs=0.02)
    steady = folder / "open-mmlab+mmskeleton/resource/data_example/skateboarding.mp4"
    assert len(index_video(steady, DetectorSettings(), tmp_path)[0].shots()) == 1


def test_a_video_that_cannot_be_read_stops_no_other(made: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    told = {}
    for jobs in (1, 2):
        done = {
            each.video: each
            for each in index_all([broken, made], DetectorSettings(), tmp_path / "c", jobs, told.__setitem__)
        }
        assert done[broken].index is None
        assert "not a media file" in done[broken].error
        assert len(done[made].index.shots()) == 5
    assert told == {made: 14.5}
    with pytest.raises(MediaError):
        index_video(tmp_path / "none.mp4", DetectorSettings(), tmp_path / "c")


def white_net(path: Path) -> Path:
    """An ONNX file with TransNetV2's input whose score of a frame is its mean brightness less 200.

    Written by hand, message by message, after the protocol buffers of ONNX (onnx.proto): no package needed.
    """

    def varint(value: int) -> bytes:
        out = bytearray()
        while True:
            value, low = value >> 7, value & 0x7F
            out.append(low | (0x80 if value else 0))
            if not value:
                return bytes(out)

    def number(field: int, value: int) -> bytes:
        return varint(field << 3) + varint(value)

    def block(field: int, data: bytes | str) -> bytes:
        data = data.encode() if isinstance(data, str) else data
        return varint(field << 3 | 2) + varint(len(data)) + data

    def tensor_type(name: str, sides: tuple[int, ...]) -> bytes:
        shape = b"".join(block(1, number(1, side)) for side in sides)
        return block(1, name) + block(2, block(1, number(1, 1) + block(2, shape)))

    axes = block(1, "axes") + b"".join(number(8, axis) for axis in (2, 3, 4)) + number(20, 7)
    keep = block(1, "keepdims") + number(3, 0) + number(20, 2)
    mean = block(1, "frames") + block(2, "mean") + block(4, "ReduceMean") + block(5, axes) + block(5, keep)
    less = block(1, "mean") + block(1, "level") + block(2, "scores") + block(4, "Sub")
    level = number(1, 1) + number(2, 1) + block(8, "level") + block(9, np.float32(200).tobytes())
    graph = (
        block(1, mean)
        + block(1, less)
        + block(2, "white")
        + block(5, level)
        + block(11, tensor_type("frames", (1, 100, 27, 48, 3)))
        + block(12, tensor_type("scores", (1, 100)))
    )
    path.write_bytes(number(1, 8) + block(7, graph) + block(8, number(2, 13)))
    return path


@pytest.mark.parametrize("count", [90, 100, 240])
def test_transnet_sees_shots_begin_after_transitions(tmp_path: Path, count: int) -> None:
    settings = DetectorSettings("transnetv2", weights=white_net(tmp_path / "white.onnx"))
    detector = make_detector(settings, 25)
    white = {30, 31, 32, 74, 75, 149, 150, 199}
    for number in range(count):
        level = 255 if number in white else 20
        detector.take(np.full((27, 48, 3), level, np.uint8), number / 25)
    expected = [start / 25 for start in (33, 76, 151, 200) if start < count]
    assert detector.cuts_s() == expected


def test_detectors_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="needs its weights, none were given; name an"):
        DetectorSettings("transnetv2")
    with pytest.raises(ModelError, match="onnx does not exist"):
        DetectorSettings("transnetv2", weights=tmp_path / "none.onnx")
    with pytest.raises(UsageError, match="detector 'magic' is unknown; use one of adaptive, content"):
        DetectorSettings("magic")
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a net")
    with pytest.raises(ModelError, match="is no TransNetV2"):
        make_detector(DetectorSettings("transnetv2", weights=wrong), 25)


def test_the_detector_brings_no_second_opencv() -> None:
    code = (
        "import scenedetect.detectors, importlib.metadata as m;"
        "print([d.name for d in m.distributions() if d.name.startswith('opencv')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "['opencv-python-headless']\n"
