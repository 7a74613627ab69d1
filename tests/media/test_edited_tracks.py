"""What goes with the pictures through an edit: sound tracks, subtitles, chapters, covers, names."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from clips import make_clip, steady, tone
from edited import FPS, RATE_HZ, SECONDS, beeps, edited, ffmpeg, left_of, numbers, timed_clip, worst_sync_s
from PIL import Image

CUTS = [(3.3, 7.1), (11.0, 14.5), (20.0, 21.0)]

#: What is cut, grown to whole pictures.
GROWN = [(3.28, 7.12), (11.0, 14.52), (20.0, 21.0)]


def moved(time_s: float) -> float:
    """Where a time of the source comes to lie."""
    return time_s - sum(max(0.0, min(time_s, end) - start) for start, end in GROWN)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sound tracks, two subtitle tracks, chapters, a title and an attached picture, as .mkv."""
    folder = tmp_path_factory.mktemp("film")
    clip = timed_clip(folder / "clip.mp4")
    cues = [f"{n + 1}\n00:00:{2 * n:02},500 --> 00:00:{2 * n + 1:02},500\nis <i>{n}</i>\n" for n in range(12)]
    (folder / "cues.srt").write_text("\n".join(cues))
    chapters = [
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={4000 * n}\nEND={4000 * n + 4000}\ntitle=part {n}"
        for n in range(6)
    ]
    (folder / "chapters.txt").write_text("\n".join([";FFMETADATA1", "title=a film", *chapters]) + "\n")
    Image.new("RGB", (40, 30), (200, 30, 30)).save(folder / "cover.png")
    ffmpeg(
        "-i", clip, "-i", folder / "cues.srt", "-i", folder / "chapters.txt",
        "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "1", "-map", "1",
        "-map_metadata", "2", "-map_chapters", "2", "-c", "copy", "-c:a:1", "flac",
        "-c:s:0", "srt", "-c:s:1", "ass",
        "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=eng",
        "-attach", folder / "cover.png", "-metadata:s:t", "mimetype=image/png", folder / "film.mkv",
    )  # fmt: skip
    return folder / "film.mkv"


def cues_of(path: Path, track: int) -> list[tuple[float, float, str]]:
    """Subtitles as the ffmpeg binary reads them: start, end, text without markup."""
    text = ffmpeg("-i", path, "-map", f"0:s:{track}", "-f", "srt", "-").decode()
    found = []
    for block in text.strip().split("\n\n"):
        _, times, *lines = block.splitlines()
        start, end = (
            sum(
                float(part) * 60**place
                for place, part in enumerate(reversed(time.replace(",", ".").split(":")))
            )
            for time in times.split(" --> ")
        )
        found.append((start, end, re.sub(r"<[^>]*>|\{[^}]*\}", "", " ".join(lines)).strip()))
    return found


def expected_cues() -> list[tuple[float, float, str]]:
    cues = [(moved(2 * n + 0.5), moved(2 * n + 1.5), f"is {n}") for n in range(12)]
    return [(start, end, text) for start, end, text in cues if end - start > 0.01]


@pytest.mark.parametrize(("first", "second"), [("mkv", "mp4"), ("mp4", "mkv")])
def test_everything_is_carried_and_moved(film: Path, tmp_path: Path, first: str, second: str) -> None:
    """From Matroska and, by way of mp4, from there: text subtitles are turned into what the target holds."""
    source = film
    if first == "mp4":
        source = tmp_path / "film.mp4"
        edited(film, source, [])
        assert cues_of(source, 0) == cues_of(film, 0)
    target = tmp_path / f"out.{second}"
    edited(source, target, CUTS)
    assert numbers(target) == left_of(CUTS)
    for track in range(2):
        assert worst_sync_s(target, track) < 0.02
        found = cues_of(target, track)
        assert [text for *_, text in found] == [text for *_, text in expected_cues()]
        times = [time for cue in found for time in cue[:2]]
        shift = 0.021 if second == "mkv" else 0.0
        # Where sound begins before the pictures, Matroska moves everything by that.
        assert times == pytest.approx(
            [time for cue in expected_cues() for time in cue[:2]], abs=shift + 0.011
        )
    with av.open(str(target)) as container:
        starts = [float(chapter["start"] * chapter["time_base"]) for chapter in container.chapters()]
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
        assert container.metadata["title"] == "a film"
        languages = [stream.language for stream in container.streams if stream.type in ("audio", "subtitle")]
    # The fourth part, from 12 to 16 s, begins in what was cut.
    assert titles == [f"part {n}" for n in range(6)]
    assert starts == pytest.approx([moved(4.0 * n) for n in range(6)], abs=0.002)
    assert [language or "und" for language in languages] == ["und", "deu", "eng", "und"]


def test_the_attached_picture_stays(film: Path, tmp_path: Path) -> None:
    for suffix in ("mkv", "mp4"):
        _, warnings = edited(film, tmp_path / f"out.{suffix}", CUTS)
        assert warnings == ()
        command = ("-map", "0:v:1", "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
        picture = np.frombuffer(ffmpeg("-i", tmp_path / f"out.{suffix}", *command), np.uint8).reshape(
            30, 40, 3
        )
        assert (picture == (200, 30, 30)).all()


def samples_of(path: Path) -> np.ndarray:
    """The first sound track at 48 kHz, mono, placed by its timestamps from the first picture on."""
    placed = ("-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "48000")
    return np.frombuffer(ffmpeg("-i", path, "-map", "0:a:0", *placed, "-f", "f32le", "-"), np.float32)


@pytest.mark.parametrize(
    ("codec", "name", "suffix", "copied"),
    [
        ("aac", "aac", "mp4", True),
        ("ac3", "ac3", "mkv", True),
        ("mp2", "mp2", "mkv", True),
        ("libopus", "opus", "mkv", False),
        ("libmp3lame", "mp3", "mp4", False),
    ],
)
def test_muted_spans_are_silent_and_all_else_is_as_it_was(
    tmp_path: Path, codec: str, name: str, suffix: str, copied: bool
) -> None:
    source = make_clip(
        tmp_path / f"source.{suffix}", steady(12 * FPS, FPS), fps=FPS, options={"g": "50"},
        sounds=[(0.0, np.stack([tone(12, RATE_HZ), tone(12, RATE_HZ)], 1), RATE_HZ)], sound_codec=codec,
    )  # fmt: skip
    plan, warnings = edited(source, tmp_path / f"out.{suffix}", [(2.0, 3.5), (8.0, 9.0)], "mute")
    assert (warnings, plan.encoded_s) == ((), 0)
    before, after = samples_of(source), samples_of(tmp_path / f"out.{suffix}")
    at = np.arange(min(len(before), len(after))) / 48000
    inside = ((at > 2.0) & (at < 3.5)) | ((at > 8.0) & (at < 9.0))
    near = ((at > 1.9) & (at < 3.6)) | ((at > 7.9) & (at < 9.1))
    assert np.abs(after[: len(at)][inside]).max() < 2e-3
    difference = np.abs(after[: len(at)] - before[: len(at)])[~near & (at > 0.1) & (at < 11.8)]
    assert difference.max() < (1e-4 if copied else 0.1)
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == name


def test_hiding_pictures_copies_the_sound(tmp_path: Path) -> None:
    source = timed_clip(tmp_path / "source.mp4", 8, sounds=[(0.0, beeps(8, 22050), 22050)])
    edited(source, tmp_path / "out.mp4", [(2.0, 3.0)], "black")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(tmp_path / "out.mp4") == packets(source)


def test_sound_of_long_packets_is_encoded_to_stay_in_step(tmp_path: Path) -> None:
    # At 16 kHz a packet of AAC lasts 64 ms.
    source = timed_clip(tmp_path / "source.mp4", sounds=[(0.0, beeps(SECONDS, 16000), 16000)])
    _, warnings = edited(source, tmp_path / "out.mp4", CUTS)
    assert warnings == ()
    assert worst_sync_s(tmp_path / "out.mp4") < 0.005


def test_sound_that_begins_late_and_ends_early_stays_in_place(tmp_path: Path) -> None:
    source = timed_clip(tmp_path / "source.mkv", sounds=[(5.0, beeps(9), RATE_HZ)])
    for suffix in ("mkv", "mp4"):
        edited(source, tmp_path / f"out.{suffix}", [(1.0, 2.0), (9.3, 10.1)])
        heard = np.flatnonzero(np.abs(samples_of(tmp_path / f"out.{suffix}")) > 0.2) / 48000
        begins = heard[np.diff(heard, prepend=-1.0) > 0.1]
        # Beeps of the seconds 5 to 13; a second is cut before them, and 9.28 to 10.12 s.
        expected = [4.0, 5.0, 6.0, 7.0, 8.0, 9.16, 10.16, 11.16]
        found = [begin for begin in begins if np.abs(begin - np.array(expected)).min() < 0.1]
        assert found == pytest.approx(expected, abs=0.025)
