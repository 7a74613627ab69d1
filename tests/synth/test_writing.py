import json

import av
import cv2
import numpy as np
import pytest

from phar.schema import OutputError
from phar.synth import load_world, write_clip
from phar.synth.clip import Clip, TrueSegment


def short(label: str, seed: int, **changes) -> Clip:
    """A clip of one second at 320x240 and 15 fps."""
    picture = {
        "size": [320, 240],
        "fps": 15,
        "has_audio": True,
        "audio_hz": 44100,
        "channels": 2,
        "background": "pink",
    }
    return Clip(load_world(1), seed, 0, "clip", (TrueSegment(label, 0.0, 1.0),), picture | changes)


def test_the_file_holds_the_pictures_and_the_sound(tmp_path):
    clip = short("talk", 51)
    path = write_clip(clip, tmp_path / "new" / "talk.mp4")
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.codec_context.name == "h264"
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 44100, 2)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
    assert len(frames) == clip.num_frames == 15
    for number in (0, 7, 14):
        # Compression smooths the grain away, so blocks of 8 by 8 pixels are compared.
        drawn, read = (
            cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA).astype(int)
            for picture in (clip.frame(number / 15), frames[number])
        )
        assert np.abs(read - drawn).mean() < 3
    with av.open(str(path)) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], 1)
    made = clip.audio(0, 1, 44100)
    middle = slice(8000, 36000)
    assert np.corrcoef(heard[0, middle], made[middle])[0, 1] > 0.9


def test_the_truth_lies_beside_it(tmp_path):
    write_clip(short("jog", 52), tmp_path / "jog.mp4")
    truth = json.loads((tmp_path / "jog.json").read_text())
    assert truth["world"] == 1
    assert truth["seed"] == 52
    assert truth["segments"] == [{"label": "jog", "start_s": 0.0, "end_s": 1.0}]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["jog.json", "jog.mp4"]


def test_a_clip_without_sound_gets_no_track(tmp_path):
    path = write_clip(short("jog", 52, has_audio=False), tmp_path / "jog.mp4", truth=False)
    with av.open(str(path)) as container:
        assert not container.streams.audio
    assert [p.name for p in tmp_path.iterdir()] == ["jog.mp4"]


def test_a_target_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_clip(short("jog", 52), tmp_path / "file" / "jog.mp4")
