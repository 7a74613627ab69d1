from fractions import Fraction

import av
import numpy as np
import pytest
from clips import HEIGHT_PX, WIDTH_PX, make_clip, number_in, numbered, steady, tone

from phar.media import MediaReader, at_rate, read_frames, write_video
from phar.schema import OutputError


def hear(path):
    with MediaReader(path, 60, 60, lambda *_: (), 16000) as reader:
        return np.concatenate([media.audio for media in reader])[:, 0]


def assert_alike(found, expected):
    """The same sound but for what AAC loses: no sample far off, 5 % of the amplitude on average."""
    error = found - expected
    assert np.abs(error).max() < 0.1
    assert np.sqrt((error**2).mean() / (expected**2).mean()) < 0.05


def test_pictures_come_back(tmp_path):
    path = tmp_path / "clip.mp4"
    warnings = write_video(path, at_rate((numbered(number) for number in range(40)), 20), 20)
    frames = list(read_frames(path))
    assert [number_in(frame.to_rgb()) for frame in frames] == list(range(40))
    assert [frame.time_s for frame in frames] == pytest.approx(steady(40, 20))
    assert warnings == ()
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_times_are_kept(tmp_path):
    times_s = [0.0, 0.1, 0.9, 1.0, 4.0]
    write_video(tmp_path / "clip.mp4", ((time_s, numbered(7)) for time_s in times_s), 10)
    with MediaReader(tmp_path / "clip.mp4", 10, 10, lambda *_: ()) as reader:
        (media,) = reader
    assert media.frame_times_s.tolist() == pytest.approx(times_s)
    assert reader.video.duration_s == pytest.approx(4.1)


@pytest.mark.parametrize(("width_px", "height_px"), [(129, 48), (128, 49), (129, 49)])
def test_odd_sizes_grow_by_one(tmp_path, width_px, height_px):
    pictures = [numbered(number, width_px, height_px) for number in range(3)]
    write_video(tmp_path / "clip.mp4", at_rate(pictures, 10), 10)
    frames = list(read_frames(tmp_path / "clip.mp4"))
    assert (frames[0].width_px, frames[0].height_px) == (width_px + width_px % 2, height_px + height_px % 2)
    assert [number_in(frame.to_rgb()) for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize("rate_hz", [16000, 44100, 22051])
def test_samples_are_encoded(tmp_path, rate_hz):
    pictures = at_rate([numbered(0)] * 30, 10)
    write_video(tmp_path / "clip.mp4", pictures, 10, (tone(3, rate_hz), rate_hz))
    assert_alike(hear(tmp_path / "clip.mp4")[800:47000], tone(3, 16000)[800:47000])


def test_stereo_samples_stay_apart(tmp_path):
    sound = np.stack([tone(2, 16000, 300), tone(2, 16000, 1000)], axis=1)
    write_video(tmp_path / "clip.mp4", at_rate([numbered(0)] * 20, 10), 10, (sound, 16000))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert_alike(samples[:, 2000:30000], sound.T[:, 2000:30000])


def packets_of(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "aac"), ("mkv", "aac"), ("ts", "aac"), ("avi", "libmp3lame"), ("mkv", "libopus")],
)
def test_original_sound_is_copied_and_stays_in_step(tmp_path, suffix, codec):
    silence = np.zeros(48000, np.float32)
    sound = np.concatenate([silence, tone(1, 48000), silence])
    original = make_clip(
        tmp_path / f"original.{suffix}",
        steady(30, 10),
        codec="mpeg4",
        fps=10,
        sounds=[(0.0, sound, 48000)],
        sound_codec=codec,
        tick=Fraction(1, 10),
    )
    frames = ((frame.time_s, frame.to_rgb()) for frame in read_frames(original))
    warnings = write_video(tmp_path / "copy.mp4", frames, 10, original)
    assert warnings == ()
    copied = set(packets_of(tmp_path / "copy.mp4"))
    if suffix != "ts":
        # In a transport stream each packet carries a header that mp4 drops.
        assert len(copied) > 40
        assert copied <= set(packets_of(original))
    before, after = hear(original), hear(tmp_path / "copy.mp4")
    assert len(before) == pytest.approx(len(after), abs=16)
    assert np.abs(np.diff(np.flatnonzero(np.abs(after) > 0.2)[[0, -1]])) == pytest.approx(16000, abs=600)
    lags = [np.flatnonzero(np.abs(samples) > 0.2)[0] for samples in (before, after)]
    assert lags[0] == pytest.approx(lags[1], abs=16)


def test_sound_is_shifted_with_the_first_picture(tmp_path):
    original = make_clip(
        tmp_path / "original.mkv",
        [1.0 + t for t in steady(30, 10)],
        fps=10,
        sounds=[(2.0, tone(1, 48000), 48000)],
        sound_codec="aac",
    )
    frames = ((frame.time_s, frame.to_rgb()) for frame in read_frames(original))
    write_video(tmp_path / "copy.mp4", frames, 10, original)
    loud = np.flatnonzero(np.abs(hear(tmp_path / "copy.mp4")) > 0.2) / 16000
    assert loud[[0, -1]].tolist() == pytest.approx([1.0, 2.0], abs=0.05)


def test_sound_that_does_not_fit_is_encoded_anew(tmp_path):
    sound = np.stack([tone(3, 22050, 300), tone(3, 22050, 1000)], axis=1)
    original = make_clip(tmp_path / "original.avi", steady(30, 10), fps=10, options={"bf": "0"},
                         tick=Fraction(1, 10), sounds=[(0.0, sound, 22050)])  # fmt: skip
    warnings = write_video(tmp_path / "copy.mp4", at_rate([numbered(0)] * 30, 10), 10, original)
    assert warnings == ("audio: pcm_s16le does not fit the container and was encoded anew as AAC",)
    with av.open(str(tmp_path / "copy.mp4")) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert_alike(samples[:, 2000:60000], sound.T[:, 2000:60000])


def test_a_silent_original_adds_no_track(tmp_path):
    original = make_clip(tmp_path / "original.mp4", steady(10, 10), fps=10)
    write_video(tmp_path / "copy.mp4", at_rate([numbered(0)] * 10, 10), 10, original)
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_an_existing_file_is_replaced_only_by_a_whole_one(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"before")

    def pictures():
        yield 0.0, numbered(0)
        assert path.read_bytes() == b"before"
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        write_video(path, pictures(), 10)
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]
    write_video(path, at_rate([numbered(0)], 10), 10)
    assert len(list(read_frames(path))) == 1


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("nowhere/clip.mp4", 1, "the folder .*nowhere does not exist"),
        ("clip.avi", 1, "change the suffix"),
        ("clip.mp4", 0, "there is no picture to write"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(tmp_path, name, count, message):
    with pytest.raises(OutputError, match=message) as caught:
        write_video(tmp_path / name, at_rate([numbered(0)] * count, 10), 10)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_said_in_one_line(tmp_path):
    (tmp_path / "clip.mp4").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "clip.mp4", at_rate([numbered(0)], 10), 10)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_pictures_of_another_size_are_an_error_of_the_caller(tmp_path):
    pictures = [numbered(0), numbered(0, WIDTH_PX, HEIGHT_PX + 2)]
    with pytest.raises(ValueError, match="has shape"):
        write_video(tmp_path / "clip.mp4", at_rate(pictures, 10), 10)
    assert list(tmp_path.iterdir()) == []
