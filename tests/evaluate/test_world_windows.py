"""Rendered videos of a seed, and a profile measured on them."""

from types import SimpleNamespace

import av
import pytest

from phar.cli import main
from phar.evaluate.world import rendered
from phar.synth import load_world


def test_each_video_is_rendered_once_and_comes_with_its_truth(tmp_path):
    world = load_world(1)
    ((path, clip),) = rendered(world, 5, 1, 0, tmp_path)
    assert path.name == "world1-5-clip-0000.mp4"
    assert clip.segments == world.clip(5, 0).segments
    with av.open(str(path)) as container:
        assert container.streams.video[0].width == clip.width_px
    path.write_bytes(b"kept")
    ((again, _),) = rendered(world, 5, 1, 0, tmp_path)
    assert again.read_bytes() == b"kept"


def test_clips_come_before_videos(tmp_path, monkeypatch):
    monkeypatch.setattr("phar.evaluate.world.write_clip", lambda clip, path: None)
    world = SimpleNamespace(version=1, clip=lambda s, i: ("clip", i), video=lambda s, i: ("video", i))
    found = [(path.name, clip) for path, clip in rendered(world, 7, 2, 1, tmp_path)]
    assert found == [
        ("world1-7-clip-0000.mp4", ("clip", 0)),
        ("world1-7-clip-0001.mp4", ("clip", 1)),
        ("world1-7-video-0000.mp4", ("video", 0)),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--clips", "0", "--videos", "0"], "name no video"),
        (["--world", "99"], "world 99 does not exist"),
        (["--profile", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(arguments, said, capsys):
    code = main.main(["eval", *arguments])
    message = capsys.readouterr().err
    assert code in (2, 4)
    assert said in message
    assert len(message.splitlines()) == 1
