"""Rendered videos of a seed, and what cannot be measured on them."""

from types import SimpleNamespace

import av
import pytest

from phar.cli import main
from phar.evaluate.truth import prepare
from phar.evaluate.world import rendered, world_truth
from phar.synth import load_world


def test_each_video_is_rendered_once_and_comes_with_its_truth(tmp_path):
    world = load_world(1)
    (truth,) = rendered(world, 5, 1, 0, tmp_path)
    assert truth.path.name == "world1-5-clip-0000.mp4"
    clip = world.clip(5, 0)
    assert [(s.label, s.start_s, s.end_s) for s in truth.spans] == [
        (s.label, s.start_s, s.end_s) for s in clip.segments
    ]
    with av.open(str(truth.path)) as container:
        assert container.streams.video[0].width == clip.width_px
    truth.path.write_bytes(b"kept")
    (again,) = rendered(world, 5, 1, 0, tmp_path)
    assert again.path.read_bytes() == b"kept"


def test_several_are_rendered_at_a_time_and_those_that_are_there_stay(tmp_path):
    truths = world_truth(load_world(1), 5, 3, 0, tmp_path)
    truths[1].path.write_bytes(b"kept")
    assert [truth.is_missing for truth in truths] == [True, False, True]
    prepare(truths)
    assert not any(truth.is_missing for truth in truths)
    assert truths[1].path.read_bytes() == b"kept"
    for truth in (truths[0], truths[2]):
        with av.open(str(truth.path)) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.frames) == (truth.clip.width_px, truth.clip.num_frames)


def test_clips_come_before_videos(tmp_path, monkeypatch):
    monkeypatch.setattr("phar.evaluate.world.write_clip", lambda clip, path: None)
    clip = SimpleNamespace(segments=())
    world = SimpleNamespace(version=1, clip=lambda s, i: clip, video=lambda s, i: clip)
    assert [truth.path.name for truth in rendered(world, 7, 2, 1, tmp_path)] == [
        "world1-7-clip-0000.mp4",
        "world1-7-clip-0001.mp4",
        "world1-7-video-0000.mp4",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--clips", "0", "--videos", "0"], "name no video"),
        (["--world", "99"], "world 99 does not exist"),
        (["--profile", "nowhere"], "nowhere"),
        (["demo", "demo"], "two models are called 'demo'; name one of them: OTHER=demo"),
        (["--truth", "nowhere.csv"], "nowhere.csv"),
        (["--truth", "t.csv", "--person-frames", "3"], "leave --truth out"),
        (["--out", "figures.docx"], "figures are written as .json, .md, .html, or into a folder"),
        (["--reports", "nowhere", "--clips", "1", "--videos", "0"], "no such folder of reports"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(arguments, said, capsys):
    code = main.main(["eval", *arguments])
    message = capsys.readouterr().err
    assert code in (2, 4)
    assert said in message
    assert len(message.splitlines()) == 1
