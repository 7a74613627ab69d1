"""Chapters in FFmpeg's metadata file and in videos, read by libavformat."""

from __future__ import annotations

import dataclasses
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_reports import assert_read_back, exclusive, with_segments

from phar.export import WRITERS, check_target, ffmetadata
from phar.export.wording import one_line
from phar.media import at_rate, probe, read_frames, write_video
from phar.media.comment import read_comment
from phar.schema import MediaError, OutputError, Report, Segment, UsageError

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def chapters(path: Path, form: str | None = None) -> list[tuple[str, float, float]]:
    with av.open(str(path), format=form) as container:
        return [
            (
                c["metadata"].get("title", ""),
                float(c["start"] * c["time_base"]),
                float(c["end"] * c["time_base"]),
            )
            for c in container.chapters()
        ]


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds with sound and a comment of its user."""
    path = tmp_path / "clip.mp4"
    tone = np.sin(np.arange(4 * 16000) * 0.1).astype(np.float32) * 0.2
    pictures = (np.full((48, 64, 3), 9 * i, np.uint8) for i in range(20))
    write_video(path, at_rate(pictures, 5), 5, (tone, 16000), comment="from the attic")
    return path


def report_of(video: Path, *rows: tuple[str, float, float]) -> Report:
    found = tuple(Segment(*row, 0.5) for row in rows)
    report = with_segments()
    return dataclasses.replace(
        report, video=dataclasses.replace(probe(video), duration_s=4.0), timestamps=found
    )


def test_spans_without_a_label_are_chapters_too(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.ffmetadata"
    WRITERS["ffmetadata"].write(report, path)
    assert chapters(path, "ffmetadata") == [("march", 0, 7), ("ring", 7, 14), ("none", 14, 16.5)]


@quick
@given(report=exclusive())
def test_the_file_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.ffmetadata"
    ffmetadata.write(report, path)
    found = chapters(path, "ffmetadata")
    assert all(before[2] == after[1] for before, after in pairwise(found)), "no gaps"
    found = [(title.rstrip(), *times) for title, *times in found]
    wanted = [(one_line(s.label), s.start_s, s.end_s) for s in report.timestamps if s.label != "none"]
    assert_read_back([row for row in found if row[0] != "none"], wanted, 0.0005)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_are_put_into_a_copy_of_the_video(clip: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    report = report_of(clip, ("wave = jog; #1", 0.5, 1.25), ("ring", 1.25, 3.0), ("wave = jog; #1", 3.5, 4))
    ffmetadata.mux(report, out)
    assert chapters(out) == [
        ("none", 0, 0.5),
        ("wave = jog; #1", 0.5, 1.25),
        ("ring", 1.25, 3.0),
        ("none", 3.0, 3.5),
        ("wave = jog; #1", 3.5, 4.0),
    ]
    assert packets(out) == packets(clip), "streams are copied as they are"
    assert read_comment(out) == "phar 0.1.0; from the attic"
    check_target(out)
    ffmetadata.mux(report_of(out, ("ring", 0, 4)), tmp_path / f"again{suffix}")
    assert chapters(tmp_path / f"again{suffix}") == [("ring", 0, 4)], "chapters of the source are replaced"
    assert read_comment(tmp_path / f"again{suffix}") == "phar 0.1.0; from the attic"
    assert not list(tmp_path.glob(".*"))


def packets(path: Path) -> list[tuple[str, bytes]]:
    with av.open(str(path)) as container:
        streams = [*container.streams.video, *container.streams.audio]
        return [
            (packet.stream.type, bytes(packet)) for s in streams for packet in stream_packets(path, s.index)
        ]


def stream_packets(path: Path, index: int):
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                yield packet


@pytest.mark.parametrize(("source", "suffix"), [(".mkv", ".mp4"), (".mp4", ".mkv"), (".mkv", ".mkv")])
def test_subtitles_go_along_into_either_container(
    clip: Path, tmp_path: Path, source: str, suffix: str
) -> None:
    (tmp_path / "words.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    both = tmp_path / f"both{source}"
    kind = "mov_text" if source == ".mp4" else "srt"
    ffmpeg(
        "-i", clip, "-i", tmp_path / "words.srt", "-map", "0", "-map", "1", "-c", "copy", "-c:s", kind, both
    )
    out = tmp_path / f"out{suffix}"
    ffmetadata.mux(report_of(both, ("ring", 0, 2)), out)
    with av.open(str(out)) as container:
        kinds = [stream.codec_context.name for stream in container.streams.subtitles]
    assert kinds[0] == ("mov_text" if suffix == ".mp4" else "srt")
    words = tmp_path / "again.srt"
    ffmpeg("-i", out, "-map", "0:s:0", words)
    assert "00:00:01,000 --> 00:00:02,000\nhello" in words.read_text()


def test_chapters_count_from_the_first_picture(clip: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    ffmpeg("-i", clip, "-itsoffset", "1.5", "-i", clip, "-map", "1:v", "-map", "0:a", "-c", "copy", late)
    out = tmp_path / "out.mkv"
    ffmetadata.mux(report_of(late, ("ring", 1, 2)), out)
    with av.open(str(out)) as container:
        first = next(container.decode(video=0)).time - container.start_time / 1e6
    assert first == pytest.approx(1.5, abs=0.03)
    assert [start - first for title, start, _ in chapters(out) if title == "ring"] == pytest.approx(
        [1], abs=0.002
    )


def test_a_real_clip_that_starts_late(shared_media: Path, tmp_path: Path) -> None:
    clip = shared_media / "hard/meta-pytorch+torchcodec/test/resources/test_non_zero_start.mp4"
    out = tmp_path / "out.mp4"
    ffmetadata.mux(report_of(clip, ("ring", 1, 2)), out)
    with av.open(str(out)) as container:
        first = next(container.decode(video=0)).time
    assert [start - first for title, start, _ in chapters(out) if title == "ring"] == pytest.approx(
        [1], abs=0.002
    )
    assert sum(1 for _ in read_frames(out)) == sum(1 for _ in read_frames(clip))


def test_what_cannot_be_muxed(clip: Path, tmp_path: Path) -> None:
    report = report_of(clip, ("ring", 1, 2))
    with pytest.raises(UsageError, match=r"out.avi: chapters are put into .mp4, .m4v, .mov, .mkv; change"):
        ffmetadata.mux(report, tmp_path / "out.avi")
    odd = tmp_path / "odd.mkv"
    ffmpeg("-i", clip, "-c:v", "huffyuv", "-an", odd)
    with pytest.raises(OutputError, match=r"odd\.mkv cannot be copied into \.mp4 \(.*huffyuv.*\); try \.mkv"):
        ffmetadata.mux(report_of(odd, ("ring", 1, 2)), tmp_path / "out.mp4")
    clip.unlink()
    with pytest.raises(MediaError, match="no such file"):
        ffmetadata.mux(report, tmp_path / "out.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.mkv"]
