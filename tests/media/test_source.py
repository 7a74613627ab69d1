import os
import subprocess
import sys

import numpy as np
import pytest
from clips import make_clip, steady, tone

from phar.media import MediaReader, at_rate, probe, write_video
from phar.schema import MediaError


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / "good.mp4", steady(10, 10), fps=10)


def refusal(path):
    with pytest.raises(MediaError) as caught:
        probe(path)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 3
    return message


def test_missing(tmp_path):
    assert refusal(tmp_path / "none.mp4").endswith("none.mp4: no such file")


def test_folder(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_empty(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert "the file is empty" in refusal(tmp_path / "empty.mp4")


def test_text(tmp_path):
    (tmp_path / "notes.mp4").write_text("these are notes, not a video\n" * 50)
    assert "not a media file" in refusal(tmp_path / "notes.mp4")


def test_cut_before_the_index(tmp_path, clip):
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.index(b"moov") - 4])
    assert "index (moov) is missing" in refusal(tmp_path / "cut.mp4")


def test_sound_alone(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000)
        stream.codec_context.layout = "mono"
        samples = (tone(1, 16000) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    assert refusal(tmp_path / "sound.wav").endswith("no video track, only audio")


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile good.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>\n',
    "smil": "<smil><body><video src='good.mp4'/></body></smil>",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "txt", "ffconcat"])
def test_playlists_do_not_open_other_files(tmp_path, clip, kind, suffix):
    path = tmp_path / f"list.{suffix}"
    path.write_text(PLAYLISTS[kind])
    assert "playlist" in refusal(path)


@pytest.mark.parametrize("name", ["concat:good.mp4|good.mp4", "file:good.mp4", "http://127.0.0.1:9/good.mp4"])
def test_names_are_paths_and_nothing_else(tmp_path, clip, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no such file" in refusal(name)


def test_a_picture_is_not_a_video(tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "picture.png")
    assert "not a media file" in refusal(tmp_path / "picture.png")


def test_odd_names_open(tmp_path, clip):
    for name in ("with space.mp4", "quote's.mp4", "a:b|c.mp4", "ümläut.mp4", "%d.mp4", "-dash.mp4"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        assert probe(tmp_path / name).duration_s == 1.0


def test_unreadable(tmp_path, clip):
    clip.chmod(0)
    if os.access(clip, os.R_OK):
        pytest.skip("this user may read everything")
    assert "permission denied" in refusal(clip)


def test_oversized_picture_is_refused(tmp_path, monkeypatch):
    write_video(tmp_path / "clip.mp4", at_rate([np.zeros((64, 64, 3), np.uint8)], 5), 5)
    monkeypatch.setattr("phar.media.source.MAX_PIXELS", 1000)
    assert "64x64 is larger than" in refusal(tmp_path / "clip.mp4")


def test_nothing_is_printed_about_damage(tmp_path):
    path = make_clip(tmp_path / "clip.mkv", steady(100, 10), fps=10, sounds=[(0.0, tone(10, 16000), 16000)])
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    for at in rng.integers(2000, len(data), 200):
        data[at] ^= 0xFF
    path.write_bytes(data)
    code = (
        "import sys; from phar.media import MediaReader\n"
        "with MediaReader(sys.argv[1], 2, 2, lambda n, *_: range(n), 16000) as reader:\n"
        "    print(sum(1 for _ in reader), len(reader.warnings) > 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    num_windows, warned = done.stdout.split()
    assert int(num_windows) >= 1
    assert warned == "True"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_random_damage_ends_in_windows_or_one_line(tmp_path, suffix):
    path = make_clip(
        tmp_path / f"clip.{suffix}",
        steady(60, 10),
        codec="mpeg4",
        fps=10,
        sounds=[(0.0, tone(6, 16000), 16000)],
        sound_codec="libmp3lame",
    )
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 60)):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data[: rng.integers(len(data) // 3, len(data) + 1)])
        try:
            with MediaReader(path, 2, 2, lambda n, *_: {0, n - 1}, 16000) as reader:
                windows = list(reader)
        except MediaError as error:
            assert "\n" not in str(error)
            continue
        assert [media.window.index for media in windows] == list(range(len(windows)))
        assert windows[-1].window.end_s == pytest.approx(reader.video.duration_s)
        for media in windows:
            assert set(media.frames) == {0, media.num_frames - 1}
            assert media.audio is None or np.isfinite(media.audio).all()
