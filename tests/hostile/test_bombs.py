"""Small files that promise, or would become, much more than they are: time and memory stay bounded."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from boxes import box, box_of, with_box, with_element
from small_videos import FPS, small_video

from phar.media import MediaReader, probe, read_frames
from phar.media.demux import Demuxer
from phar.media.source import Source, Warnings
from phar.schema import MediaError

#: Matroska: nanoseconds a tick, and samples a second.
TIMESTAMP_SCALE, SAMPLING_FREQUENCY, PIXEL_WIDTH = b"\x2a\xd7\xb1", b"\xb5", b"\xb0"


def read(path: Path, audio_hz: int | None = None, window_s: float = 7, **options) -> tuple[list, MediaReader]:
    with MediaReader(path, window_s, window_s, lambda n, *_: {0, n - 1}, audio_hz, **options) as reader:
        return list(reader), reader


def test_a_container_that_claims_huge_pictures(tmp_path: Path) -> None:
    path = small_video(tmp_path / "huge.mkv", size_px=(256, 256))
    data = with_element(path.read_bytes(), PIXEL_WIDTH, struct.pack(">H", 60000))
    path.write_bytes(with_element(data, b"\xba", struct.pack(">H", 60000)))
    # What the coded pictures say counts.
    windows, _ = read(path)
    assert windows[0].frames[0].stored.width == 256
    assert windows[0].num_bytes < 1 << 20
    path.write_bytes(with_element(data, b"\x86", b"V_UNCOMPRESSED\0"))
    with pytest.raises(MediaError, match=r"no picture could be decoded|is larger than"):
        read(path)


@pytest.mark.parametrize("side_px", [100_000, 20_000])
def test_pictures_that_are_huge_only_when_they_are_decoded(tmp_path: Path, side_px: int) -> None:
    """The container says 64x48, the coded pictures say 100,000 x 100,000."""
    path = small_video(tmp_path / "huge.mov", codec="png")
    data = bytearray(path.read_bytes())
    at = data.find(b"IHDR")
    while at >= 0:
        struct.pack_into(">II", data, at + 4, side_px, side_px)
        struct.pack_into(">I", data, at + 17, zlib.crc32(data[at : at + 17]))
        at = data.find(b"IHDR", at + 4)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"no picture could be decoded|is larger than"):
        read(path)
    assert probe(path).width_px in (64, side_px)


def test_pictures_that_grow_in_the_middle_are_kept_small(tmp_path: Path) -> None:
    path = tmp_path / "growing.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for index in range(20):
            size = (48, 64) if index < 5 else (960, 1280)
            encoder = av.CodecContext.create("png", "w")
            encoder.width, encoder.height, encoder.pix_fmt = size[1], size[0], "rgb24"
            encoder.time_base = Fraction(1, FPS)
            picture = av.VideoFrame.from_ndarray(np.full((*size, 3), 9 * index, np.uint8), "rgb24")
            for packet in (*encoder.encode(picture), *encoder.encode(None)):
                packet.stream, packet.pts, packet.dts = stream, index * 40, index * 40
                packet.time_base = Fraction(1, 1000)
                container.mux(packet)
    limit = 20 * 64 * 48 * 3
    with MediaReader(path, 7, 7, lambda n, *_: range(n), window_bytes=limit) as reader:
        (media,) = reader
    assert sorted(media.frames) == list(range(20))
    assert media.num_bytes <= 1.2 * limit
    assert [int(media.frames[index].to_rgb().mean().round()) for index in (2, 4, 6, 19)] == [18, 36, 54, 171]


def test_a_thousand_million_frames_a_second(tmp_path: Path) -> None:
    path = small_video(tmp_path / "fast.mkv", 200)
    path.write_bytes(with_element(path.read_bytes(), TIMESTAMP_SCALE, (1).to_bytes(3, "big")))
    windows, reader = read(path)
    assert len(windows) == 1
    # The frames lie 40 ns apart; how long the last is shown nobody can believe.
    assert 0 < reader.video.duration_s <= 1 / FPS + 1e-3
    assert len(list(read_frames(path))) >= 1


def test_packets_beyond_number_are_not_all_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window may promise millions of pictures of a few bytes each."""
    path = small_video(tmp_path / "fast.mkv", 300)
    path.write_bytes(with_element(path.read_bytes(), TIMESTAMP_SCALE, (1).to_bytes(3, "big")))
    monkeypatch.setattr("phar.media.demux.MAX_AHEAD_BYTES", 20_000)
    source = Source(path)
    demuxer = Demuxer(source, False, Warnings())
    demuxer.expected(-(1 << 40), 1 << 40)
    assert 5 < len(demuxer.video_packets) <= 20
    source.close()
    windows, _ = read(path)
    assert len(windows) == 1


def test_sound_without_end_before_the_first_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small_video(tmp_path / "sound.mkv", 100, num_sounds=1)
    with MediaReader(path, 7, 7, lambda n, *_: {0}, 8000) as reader:
        (whole,) = reader
    assert np.abs(whole.audio).max() > 0.1
    monkeypatch.setattr("phar.media.demux.MAX_AHEAD_BYTES", 30_000)
    windows, reader = read(path, 8000)
    assert len(windows) == 1
    assert any(line.startswith("audio: sound too far from its pictures") for line in reader.warnings)


def test_a_sample_rate_of_one_a_second_fills_no_memory(tmp_path: Path) -> None:
    path = small_video(tmp_path / "slow.mkv", 50, num_sounds=1)
    slow = with_element(path.read_bytes(), SAMPLING_FREQUENCY, struct.pack(">d", 1.0))
    path.write_bytes(slow)
    windows, reader = read(path, 16000)
    assert windows[0].audio is None or not windows[0].audio.any()
    assert any("a sample rate of 1 Hz makes no sense" in line for line in reader.warnings)


def test_hours_of_one_frame(tmp_path: Path) -> None:
    """Two pictures, the second three hours after the first: the gap is closed, nobody looks at it."""
    windows, reader = read(small_video(tmp_path / "held.mkv", 2, every=3 * 3600 * FPS))
    assert len(windows) <= 2
    assert "video: the clock jumped and was straightened" in reader.warnings


def test_a_video_of_years_ends_after_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture is held for less than is too long for a picture; there is no end of them."""
    monkeypatch.setattr("phar.media.assembly._LONGEST_S", 3600.0)
    windows, reader = read(small_video(tmp_path / "held.mkv", 100, every=100 * FPS))
    assert reader.video.duration_s == pytest.approx(3600, abs=101)
    assert len(windows) == pytest.approx(3600 / 7, abs=15)
    assert reader.warnings == ("video: what follows the first 1 hours was left out",)


@pytest.mark.parametrize("offset", [0x7FFFFFFF, -0x7FFFFFFF])
def test_absurd_times_of_showing(tmp_path: Path, offset: int) -> None:
    path = small_video(tmp_path / "clip.mp4", 50)
    data = path.read_bytes()
    counts = struct.pack(">IIIi", 0x01000000, 2, 25, 0) + struct.pack(">Ii", 25, offset)
    data = with_box(data, b"stts", box_of(data, b"stts") + box(b"ctts", counts))
    path.write_bytes(data)
    windows, reader = read(path)
    assert len(windows) <= 2
    assert reader.video.duration_s == pytest.approx(2.0, abs=1.1)


@pytest.mark.parametrize("timescale", [1, 0x7FFFFFFF])
def test_absurd_clocks(tmp_path: Path, timescale: int) -> None:
    path = small_video(tmp_path / "clip.mp4", 50)
    data = path.read_bytes()
    head = bytearray(box_of(data, b"mdhd"))
    struct.pack_into(">I", head, 20, timescale)
    path.write_bytes(with_box(data, b"mdhd", bytes(head)))
    windows, reader = read(path)
    assert 1 <= len(windows) <= 50 * 512 / 7 + 1
    assert windows[-1].window.end_s == reader.video.duration_s


def test_one_frame_of_a_nanosecond(tmp_path: Path) -> None:
    path = small_video(tmp_path / "short.mkv", 1)
    path.write_bytes(with_element(path.read_bytes(), TIMESTAMP_SCALE, (1).to_bytes(3, "big")))
    windows, reader = read(path)
    assert [media.window.index for media in windows] == [0]
    assert 0 < reader.video.duration_s <= 1 / FPS + 1e-3


def test_64_sound_tracks(tmp_path: Path) -> None:
    path = small_video(tmp_path / "many.mkv", 25, num_sounds=64)
    windows, reader = read(path, 8000)
    assert len(windows) == 1
    assert windows[0].audio.shape == (8000, 1)
    assert np.abs(windows[0].audio).max() > 0.1
    assert reader.warnings == ()


def test_the_batch_gets_windows_or_one_line_of_every_cut(tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv", "avi"):
        path = small_video(tmp_path / f"clip.{suffix}", 25)
        whole = path.read_bytes()
        for length in (0, 1, 7, 8, 16, 40, 100, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            try:
                windows, reader = read(path)
            except MediaError as error:
                assert "\n" not in str(error)
                continue
            assert windows[-1].window.end_s == reader.video.duration_s
