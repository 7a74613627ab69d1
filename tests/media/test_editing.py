"""Edited videos, decoded and measured: every picture that should be left, and sound in step with it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import HEIGHT_PX, WIDTH_PX, make_clip, number_in
from edited import (
    FPS,
    RATE_HZ,
    SECONDS,
    beeps,
    edited,
    ffmpeg,
    heard_at,
    left_of,
    numbers,
    shown_at,
    timed_clip,
    worst_sync_s,
)

from phar.media import probe, read_frames
from phar.media.comment import read_comment
from phar.media.editing import Edit, edit_video, plan_edit
from phar.schema import MediaError, OutputError, UsageError

CUTS = [(3.3, 7.1), (11.0, 14.5), (20.0, 21.0)]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return timed_clip(tmp_path_factory.mktemp("edited") / "source.mp4")


@pytest.fixture
def quiet_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """SVT-AV1 writes to stderr."""
    monkeypatch.setenv("SVT_LOG", "0")


def packets_of(path: Path) -> list[bytes]:
    """What the pictures are made of, without what lies around it in the packet."""
    with av.open(str(path)) as container:
        return [bytes(packet)[-24:] for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_exact_cuts_leave_the_pictures_asked_for(source: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out.{suffix}"
    plan, warnings = edited(source, target, CUTS)
    assert warnings == ()
    assert numbers(target) == left_of(CUTS)
    assert np.diff(shown_at(target)) == pytest.approx(1 / FPS, abs=0.0011)
    assert worst_sync_s(target) < 0.02
    assert [(float(a), float(b)) for a, b in plan.spans] == [(3.28, 7.12), (11.0, 14.52), (20.0, 21.0)]
    # Groups of two seconds begin at 8, 16 and 22 s: up to there is encoded, and a few pictures before
    # each cut that need later ones; all else is copied.
    after_cuts_s = (8 - 7.12) + (16 - 14.52) + (22 - 21.0)
    assert after_cuts_s - 1e-6 <= float(plan.encoded_s) <= after_cuts_s + 3 * 4 / FPS
    assert [entry.name for entry in tmp_path.iterdir()] == [target.name]


def test_packets_of_untouched_groups_are_copied(source: Path, tmp_path: Path) -> None:
    edited(source, tmp_path / "out.mp4", CUTS)
    kept = set(packets_of(source))
    copied = [packet in kept for packet in packets_of(tmp_path / "out.mp4")]
    assert len(copied) == len(left_of(CUTS))
    # The rest of the group after each cut is encoded, and before each cut what needs later pictures.
    assert copied.count(False) == pytest.approx(22 + 37 + 25, abs=9)


def test_fast_cuts_encode_nothing_and_take_more_than_asked(source: Path, tmp_path: Path) -> None:
    plan, warnings = edited(source, tmp_path / "out.mp4", CUTS, exact=False)
    assert warnings == ()
    left = numbers(tmp_path / "out.mp4")
    assert set(left) <= set(left_of(CUTS))
    # It goes on at the next key picture, and stops where the packets before need none after.
    for (start, end), resumed in zip(CUTS, (8, 16, 22), strict=True):
        assert resumed * FPS in left
        assert not any(start * FPS - 1 < number < resumed * FPS for number in left)
        assert any(start * FPS - 6 < number < start * FPS for number in left), end
    assert set(packets_of(tmp_path / "out.mp4")) <= set(packets_of(source))
    assert worst_sync_s(tmp_path / "out.mp4") < 0.02
    assert plan.encoded_s == 0


def test_many_cuts_do_not_add_up(source: Path, tmp_path: Path) -> None:
    cuts = [(second + 0.41, second + 0.67) for second in range(SECONDS)]
    for exact in (True, False):
        target = tmp_path / f"{exact}.mkv"
        edited(source, target, cuts[:: 1 if exact else 4], exact=exact)
        assert numbers(target) == left_of(cuts) if exact else len(numbers(target)) > 200
        assert worst_sync_s(target) < 0.02


@pytest.mark.parametrize(
    ("codec", "options", "suffix", "copies"),
    [
        ("libx264", {"x264-params": "open-gop=1:keyint=50:min-keyint=50:bframes=3:scenecut=0"}, "mkv", False),
        ("libx264", {"x264-params": "keyint=50:bframes=5:b-pyramid=normal:ref=4:weightp=2"}, "mp4", True),
        # Open groups are the default of this encoder.
        (
            "libx265",
            {"preset": "ultrafast", "x265-params": "keyint=50:min-keyint=50:log-level=none"},
            "mp4",
            True,
        ),
        (
            "libx265",
            {"preset": "ultrafast", "x265-params": "keyint=50:open-gop=0:log-level=none"},
            "mkv",
            True,
        ),
        ("libvpx-vp9", {"g": "50", "cpu-used": "8", "deadline": "realtime"}, "webm", True),
        ("libsvtav1", {"g": "50", "preset": "12"}, "mp4", True),
    ],
)
def test_other_codecs_are_cut_exactly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    codec: str,
    options: dict[str, str],
    suffix: str,
    copies: bool,
) -> None:
    monkeypatch.setenv("SVT_LOG", "0")
    sound = "libopus" if suffix == "webm" else "aac"
    source = timed_clip(tmp_path / f"source.{suffix}", codec=codec, options=options, sound_codec=sound)
    plan, warnings = edited(source, tmp_path / f"out.{suffix}", CUTS)
    assert warnings == ()
    assert numbers(tmp_path / f"out.{suffix}") == left_of(CUTS)
    assert worst_sync_s(tmp_path / f"out.{suffix}") < 0.02
    # Open groups of H.264 hold no place where copying can begin anew.
    assert (plan.encoded_s < 5) is copies


def test_a_transport_stream_is_cut_exactly(source: Path, tmp_path: Path) -> None:
    ffmpeg("-i", source, "-c", "copy", tmp_path / "source.ts")
    for suffix in ("mp4", "mkv"):
        plan, warnings = edited(tmp_path / "source.ts", tmp_path / f"out.{suffix}", CUTS)
        assert (warnings, plan.encoded_s < 4) == ((), True)
        assert numbers(tmp_path / f"out.{suffix}") == left_of(CUTS)
        assert worst_sync_s(tmp_path / f"out.{suffix}") < 0.02


def test_what_cannot_be_copied_is_encoded_whole_and_said(tmp_path: Path) -> None:
    source = timed_clip(tmp_path / "source.mp4", codec="mpeg4", options={"g": "50"}, tick=Fraction(1, FPS))
    _, warnings = edited(source, tmp_path / "out.mp4", CUTS)
    assert warnings == (
        "the whole video is encoded anew, because parts of mpeg4 video cannot be encoded to fit the rest",
    )
    assert numbers(tmp_path / "out.mp4") == left_of(CUTS)
    assert worst_sync_s(tmp_path / "out.mp4") < 0.02


def test_a_join_that_does_not_decode_is_found_out(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phar.media.editing.bitstream import H264

    # With the number of the source's own, the new parameter sets lie in the way of the old ones.
    monkeypatch.setattr(H264, "free_number", lambda self: 0)
    monkeypatch.setattr(H264, "with_sets_of", lambda self, nals: self)
    _, warnings = edited(source, tmp_path / "out.mp4", CUTS)
    assert warnings == ("the whole video is encoded anew, because its pieces do not decode as one video",)
    assert numbers(tmp_path / "out.mp4") == left_of(CUTS)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_times_of_their_own_are_kept(tmp_path: Path, suffix: str) -> None:
    # Pictures are shown for 20 to 500 ms, and the file's clock begins at 3.7 s.
    steps = np.random.default_rng(3).choice([0.02, 0.04, 0.1, 0.5], 200, p=[0.4, 0.4, 0.15, 0.05])
    times = 3.7 + np.concatenate([[0], np.cumsum(steps)[:-1]])
    length = float(steps.sum())
    source = make_clip(
        tmp_path / "source.mkv", times.round(3).tolist(), fps=25, options={"g": "40", "bf": "3"},
        sounds=[(3.7, beeps(length), RATE_HZ)], sound_codec="aac", last_s=float(steps[-1]),
    )  # fmt: skip
    spans = [(1.0, 2.05), (4.33, 5.9)]
    plan = plan_edit(source, Edit(spans), length, Fraction(25))
    assert edit_video(plan, tmp_path / f"out.{suffix}", "phar") == ()
    begins, ends = times - 3.7, times - 3.7 + steps
    left = [i for i in range(200) if not any(ends[i] > a + 1e-3 and begins[i] < b - 1e-3 for a, b in spans)]
    assert numbers(tmp_path / f"out.{suffix}") == left
    expected = np.concatenate([[0], np.cumsum(steps[left])[:-1]])
    assert shown_at(tmp_path / f"out.{suffix}") == pytest.approx(expected, abs=0.002)
    # A beep belongs to the picture on show when it begins.
    heard, checked = heard_at(tmp_path / f"out.{suffix}"), 0
    for second in range(1, int(length)):
        number = int(np.searchsorted(begins, second, side="right")) - 1
        if set(range(number - 2, number + 3)) <= set(left):
            at = expected[left.index(number)] + second - begins[number]
            assert np.abs(heard - at).min() < 0.02
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize(("rotation", "mirrored"), [(90, False), (180, False), (270, True)])
def test_pictures_stay_upright(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    options = {"rotation": rotation, "mirrored": mirrored, "pixel_aspect": Fraction(2, 1), "sounds": ()}
    source = timed_clip(tmp_path / "source.mp4", 8, **options)
    mpeg4 = timed_clip(tmp_path / "mpeg4.mp4", 8, codec="mpeg4", tick=Fraction(1, FPS), **options)
    for name, path in (("copied", source), ("whole", mpeg4)):
        target = tmp_path / f"{name}.mkv"
        edited(path, target, [(1.3, 2.5)])
        before, after = next(read_frames(source)).to_rgb(), next(read_frames(target)).to_rgb()
        assert after.shape == before.shape
        assert np.abs(after.astype(int) - before).mean() < 12


def pictures(path: Path) -> np.ndarray:
    raw = ffmpeg(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT_PX, WIDTH_PX).astype(int)


@pytest.mark.parametrize("action", ["blur", "pixelate", "black"])
def test_pictures_of_spans_are_hidden_and_no_others(source: Path, tmp_path: Path, action: str) -> None:
    plan, warnings = edited(source, tmp_path / "out.mp4", [(3.3, 7.1)], action)
    assert warnings == ()
    assert [(float(a), float(b)) for a, b in plan.spans] == [(3.28, 7.12)]
    before, after = pictures(source), pictures(tmp_path / "out.mp4")
    assert before.shape == after.shape
    hidden, seen = np.arange(82, 178), np.r_[0:82, 178:600]
    assert np.abs(after[seen] - before[seen]).mean(axis=(1, 2)).max() < 4
    # Blocks of 16 pixels spell the number: what is left of them is less than a fifth of the contrast.
    if action == "black":
        assert after[hidden].max() <= 18
    else:
        edges = [np.abs(np.diff(stack[hidden], axis=2)).max(axis=(1, 2)) for stack in (before, after)]
        assert (edges[0] > 150).all()
        assert np.abs(after[hidden] - before[hidden]).mean() > 3
    # Only groups with hidden pictures are encoded anew: 2 to 8 s, from the first hidden one.
    assert float(plan.encoded_s) == pytest.approx(8 - 3.28, abs=0.2)
    assert worst_sync_s_of_sound_alone(tmp_path / "out.mp4") < 0.002


def worst_sync_s_of_sound_alone(path: Path) -> float:
    return float(np.abs(heard_at(path) - np.arange(SECONDS)).max())


def test_hidden_pictures_keep_nothing_fine(tmp_path: Path) -> None:
    # Stripes of 2 pixels, as fine as a face's features in a wide shot.
    noise = np.random.default_rng(1).integers(0, 2, (240, 320)).repeat(1, 0) * 200 + 20
    frame = av.VideoFrame.from_ndarray(np.repeat(noise[..., None], 3, 2).astype(np.uint8), "rgb24")
    from phar.media.editing.pictures import EFFECTS

    frame = frame.reformat(format="yuv420p")
    for action in ("blur", "pixelate"):
        hidden = EFFECTS[action](frame).to_ndarray(format="gray").astype(int)
        assert np.abs(hidden - 120).mean() < 12
    assert (EFFECTS["black"](frame).to_ndarray(format="rgb24") == 0).all()


def test_nothing_to_do_copies_everything(source: Path, tmp_path: Path) -> None:
    plan, warnings = edited(source, tmp_path / "out.mp4", [])
    assert (plan.spans, plan.encoded_s, warnings) == ((), 0, ())
    assert packets_of(tmp_path / "out.mp4") == packets_of(source)
    assert read_comment(tmp_path / "out.mp4") == "phar test"
    assert probe(tmp_path / "out.mp4").duration_s == pytest.approx(SECONDS)


def test_nothing_left_is_refused(source: Path) -> None:
    with pytest.raises(UsageError, match="nothing of the video would be left"):
        plan_edit(source, Edit([(0, SECONDS)]), SECONDS, Fraction(FPS))


@pytest.mark.parametrize("name", ["-out.mp4", 'it\'s "it".mp4', "two\nlines.mp4", "a:b|c.mp4"])
def test_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    timed_clip(tmp_path / "plain.mp4", 4).rename(name)
    (tmp_path / "out").mkdir()
    edited(Path(name), Path("out") / name, [(1.0, 2.0)])
    assert len(list(read_frames(Path("out") / name))) == 75
    assert number_in(next(read_frames(Path("out") / name)).to_rgb()) == 0


def test_a_failure_leaves_what_was_there(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"before")
    plan = plan_edit(source, Edit(CUTS), SECONDS, Fraction(FPS))

    def stop(done_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_video(plan, target, "phar", stop)
    assert target.read_bytes() == b"before"
    with pytest.raises(OutputError, match="cannot be written"):
        edit_video(plan, tmp_path / "no" / "out.mp4", "phar")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(MediaError, match="playlist"):
        plan_edit(tmp_path / "text.mp4", Edit([(0, 1)]), 4, Fraction(25))
