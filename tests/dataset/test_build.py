"""Data sets from annotations and videos: splits, churn, checks, files, statistics and the commands."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pictures import Shot, make_video

from phar.cli.main import main
from phar.dataset.annotation import Annotation
from phar.dataset.build import BuildSettings, Dataset, build
from phar.dataset.folder import changes
from phar.dataset.index import VideoIndex
from phar.dataset.indexing import Indexed
from phar.dataset.manifest import read_manifest
from phar.dataset.ranking import short_hash
from phar.media import probe, read_frames
from phar.schema import MediaError, UsageError

LABELS = ("march", "wave", "jog")


def video(number: int, shots: int = 8, copy_of: int | None = None) -> tuple[Indexed, list[Annotation]]:
    """A video of shots of 4 s; each but the last has a label, categories by the video's number."""
    rng = np.random.default_rng(number if copy_of is None else copy_of)
    hashes = np.repeat(rng.integers(0, 2**63, shots, dtype=np.uint64), 16)
    count = len(hashes)
    path = Path(f"/library/v{number:03}.mp4")
    index = VideoIndex(
        short_hash(number) * 2,
        shots * 4.0,
        25.0,
        True,
        np.arange(1, shots) * 4.0,
        np.zeros(count, np.float32),
        np.full(count, 9, np.float32),
        np.full(count, 50, np.float32),
        np.full(count, -20, np.float32),
        hashes,
    )
    rows = [
        Annotation(
            path, shot * 4.0, shot * 4.0 + 4, LABELS[(number + shot) % 3], ("street", "hall")[number % 2]
        )
        for shot in range(shots - 1)
    ]
    rows.append(Annotation(path, 0.0, shots * 4.0, "", verdict="complete"))
    return Indexed(path, index), rows


def built(videos, **settings) -> Dataset:
    return build(
        [row for _, rows in videos for row in rows], [each for each, _ in videos], BuildSettings(**settings)
    )


def kinds(dataset: Dataset) -> Counter:
    return Counter((problem.kind, problem.outcome) for problem in dataset.problems)


SAMPLES = {"train": 200, "val": 8, "test": 8}


def test_no_video_and_no_group_is_in_two_splits() -> None:
    videos = [video(number) for number in range(40)]
    videos += [video(number, copy_of=number - 40) for number in range(40, 45)]
    dataset = built(videos, drop=())
    assert dataset.num_groups == 40
    splits = {}
    for clip in dataset.clips:
        splits.setdefault(clip.video, set()).add(clip.split)
        splits.setdefault(clip.group, set()).add(clip.split)
    assert {len(each) for each in splits.values()} == {1}
    for number in range(5):
        assert splits[Path(f"/library/v{number:03}.mp4")] == splits[Path(f"/library/v{number + 40:03}.mp4")]
    assert {"leak", "large-group"}.isdisjoint(kind for kind, _ in kinds(dataset))
    # Where duplicates are dropped one video of each pair stays, and every shot is there once.
    dropped = built(videos)
    assert kinds(dropped)["duplicate", "left out"] == 5 * 8
    assert len(dropped.clips) == 40 * 8
    assert Counter(clip.label for clip in dropped.clips)["none"] == 40


def test_clips_do_not_depend_on_order_but_on_the_seed() -> None:
    videos = [video(number) for number in range(30)]
    first = built(videos, num_samples=SAMPLES).clips
    assert built(videos[::-1], num_samples=SAMPLES).clips == first
    assert built(videos, num_samples=SAMPLES, seed=1).clips != first
    assert Counter(clip.split for clip in first) == SAMPLES
    even = Counter((clip.label, clip.category) for clip in first if clip.split == "train")
    assert sum(even[label, "street"] + even[label, "hall"] for label in LABELS) == 150
    assert {even[label, category] for label in LABELS for category in ("street", "hall")} == {25}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("number", [12, 40])
def test_another_build_changes_only_what_a_video_brings(number: int, seed: int) -> None:
    videos = [video(each) for each in range(number + 1)]
    settings = {"num_samples": SAMPLES, "seed": seed}
    less = built(videos[:-1], **settings)
    more = built(videos, **settings, remembered={clip.content: clip.split for clip in less.clips})
    own = sum(clip.video == videos[-1][0].video for clip in more.clips)
    assert own > 0
    kept, came, went = changes(less.clips, more.clips)
    assert (kept + came, came) == (len(more.clips), own)
    assert went <= own
    # And back: all that was there before is there again.
    again = built(videos[:-1], **settings, remembered={clip.content: clip.split for clip in more.clips})
    assert changes(less.clips, again.clips)[1:] == (0, 0)


def test_without_an_earlier_build_a_video_more_changes_little() -> None:
    shares = []
    for seed in range(10):
        videos = [video(each) for each in range(61)]
        settings = {"num_samples": SAMPLES, "seed": seed}
        kept, came, _ = changes(built(videos[:-1], **settings).clips, built(videos, **settings).clips)
        shares.append(kept / (kept + came))
    assert np.mean(shares) > 0.95
    assert min(shares) > 0.85


def test_an_earlier_test_video_that_looks_like_training_trains() -> None:
    videos = [video(number) for number in range(12)]
    contents = [each.index.content for each, _ in videos]
    earlier = dict.fromkeys(contents, "train") | {contents[1]: "test", contents[2]: "val"}
    # The newcomer joins shots of the videos 0 and 1.
    bridge, rows = video(99)
    bridge.index.hashes[:64] = videos[0][0].index.hashes[:64]
    bridge.index.hashes[64:] = videos[1][0].index.hashes[64:]
    dataset = built([*videos, (bridge, rows)], remembered=earlier)
    splits = {clip.content: clip.split for clip in dataset.clips}
    assert [splits[content] for content in contents[:3]] == ["train", "train", "val"]


def test_every_clip_once_is_stable_under_growth() -> None:
    videos = [video(number) for number in range(60)]
    small, large = built(videos[:50]), built(videos)
    kept, came, went = changes(small.clips, large.clips)
    assert (kept, came, went) == (400, 80, 0)


def test_pinned_videos_go_where_a_person_says() -> None:
    videos = [video(number) for number in range(20)]
    pins = {videos[number][0].video: "test" for number in range(3)}
    dataset = built(videos, pinned=pins)
    for path in pins:
        assert {clip.split for clip in dataset.clips if clip.video == path} == {"test"}
    copies = [video(0), video(1, copy_of=0), *(video(number) for number in range(2, 9))]
    pins = {copies[0][0].video: "test", copies[1][0].video: "train"}
    dataset = built(copies, pinned=pins)
    assert kinds(dataset)["pinned-apart", "changed"] == 1


def test_what_cannot_be_used_is_listed() -> None:
    (good, rows), (_, other) = video(0), video(1)
    late = Annotation(good.video, 40.0, 44.0, "march")
    broken = Indexed(other[0].video, None, error="v001.mp4: is damaged")
    same = Indexed(Path("/library/zz.mp4"), good.index)
    extra = Annotation(same.video, 28.0, 32.0, "march")
    dataset = build([*rows, late, extra, *other], [broken, good, same], BuildSettings())
    assert kinds(dataset)["unreadable-video", "left out"] == 1
    assert kinds(dataset)["out-of-range", "left out"] == 1
    assert kinds(dataset)["same-file", "changed"] == 1
    # The copy's row labels the last shot, so nothing is left unlabelled.
    assert Counter(clip.label for clip in dataset.clips) == {"march": 4, "wave": 2, "jog": 2}
    with pytest.raises(MediaError, match="none of the 1 videos can be read, such as v001"):
        build(other, [broken], BuildSettings())
    with pytest.raises(UsageError, match="hold no row"):
        build([], [], BuildSettings())


def test_copies_with_other_labels_are_told() -> None:
    (one, rows), (copy, _) = video(0), video(3, copy_of=0)
    swapped = [
        Annotation(copy.video, row.start_s, row.end_s, {"march": "wave"}.get(row.label, row.label))
        for row in rows
        if row.label
    ]
    dataset = build([*rows, *swapped], [one, copy], BuildSettings())
    # march is shots 0, 3 and 6 of video 0.
    assert kinds(dataset)["copy-clash", "kept"] == 3


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> None:
    """One cache for all tests of this file, and not the user's."""
    monkeypatch.setenv("PHAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """Six videos with one title in common, one of them with a black shot, and annotations."""
    folder = tmp_path_factory.mktemp("library")
    table = ["video,start,end,label,category"]
    for number in range(6):
        title = Shot(999, 2.5)
        shots = [title, Shot(100 + number, 3.0), Shot(200 + number, 2.6), Shot(300 + number, 1.2)]
        if number == 0:
            shots.append(Shot(0, 3.0, "black", loud=False))
        make_video(folder / "videos" / f"v{number}.mp4", shots)
        table.append(f"v{number}.mp4,2.5,5.5,march,{('street', 'hall')[number % 2]}")
        table.append(f"v{number}.mp4,5.5,9.3,wave,")
    (folder / "annotations.csv").write_text("\n".join(table) + "\n")
    return folder


def run(*arguments: object) -> int:
    return main(["dataset", *map(str, arguments)])


def test_from_annotations_to_files(library: Path, tmp_path: Path, capsys) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "set"
    videos = library / "videos"
    assert run("import", library / "annotations.csv", "--videos", videos, "--complete", "--out", table) == 0
    assert capsys.readouterr().out == f"{table}: 18 rows, 2 labels, 6 videos\n"
    assert (tmp_path / "table.problems.csv").read_text() == "file,where,kind,what,mend,outcome\n"

    shots = tmp_path / "shots.csv"
    assert run("scenes", table, "--jobs", 2, "--out", shots) == 0
    said = capsys.readouterr().out
    assert f"{videos / 'v0.mp4'}: 5 shots in 12.3 s" in said
    assert shots.read_text().splitlines()[:2] == [
        "video,shot,start_s,end_s",
        f"{videos / 'v0.mp4'},0,0.0,2.5",
    ]

    command = ["build", table, "--out", out, "--num-samples", "train=20", "val=3", "test=3"]
    assert run(*command, "--materialize") == 0
    said = capsys.readouterr().out
    clips = read_manifest(out)
    assert Counter(clip.split for clip in clips)["train"] == 20
    spans = {(clip.label, clip.start_s, clip.end_s) for clip in clips}
    # The last 1.2 s of wave are short; the title stays in one video only.
    assert spans <= {("march", 2.5, 5.5), ("wave", 5.5, 8.1), ("none", 0.0, 2.5), ("none", 9.3, 12.3)}
    assert len({clip.video for clip in clips if clip.start_s == 0}) == 1
    assert {clip.flags for clip in clips if clip.start_s == 9.3} <= {("black", "frozen", "silent")}
    assert (out / "labels.txt").read_text() == "march\nwave\nnone\n"
    assert "| train | 20 | 20 |" in said
    assert "5 duplicate (left out)" in said
    assert "6 short (left out)" in said
    assert (
        "6 repeated" in re.sub(r"\d repeated \(kept\).*\n.*5 repeated", "6 repeated", said)
        or "repeated" in said
    )

    files = read_manifest(out / "clips")
    assert [(clip.id, clip.split, clip.label) for clip in files] == [
        (clip.id, clip.split, clip.label) for clip in clips
    ]
    one = next(clip for clip in files if clip.label == "march")
    assert one.video == out / "clips" / one.split / "march" / one.category / f"{one.id}.mp4"
    assert len(list(read_frames(one.video))) == 30
    assert probe(one.video).has_audio

    # Again, without a video: what is there stays, what is gone goes.
    kept = {path: path.stat().st_mtime_ns for path in out.glob("clips/*/*/*/*.mp4")}
    table.write_text("".join(line for line in table.open() if "v5.mp4" not in line))
    assert run(*command, "--materialize") == 0
    said = capsys.readouterr().out
    assert re.search(r"Since the last build \d+ clips stayed, \d+ came and \d+ went\.", said)
    left = {path: path.stat().st_mtime_ns for path in out.glob("clips/*/*/*/*.mp4")}
    assert left.keys() == {clip.video for clip in read_manifest(out / "clips")}
    assert all(kept[path] == time for path, time in left.items() if path in kept)
    assert not any(clip.video.name == "v5.mp4" for clip in read_manifest(out))


def test_statistics_are_pictures_and_tables(library: Path, tmp_path: Path, capsys) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "set"
    run("import", library / "annotations.csv", "--videos", library / "videos", "--out", table)
    assert run("build", table, "--out", out, "--drop", "none", "--min-clip", 0) == 0
    capsys.readouterr()
    assert run("stats", out, "--out", tmp_path / "stats") == 0
    said = capsys.readouterr().out
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("|")
    ]
    row = dict(zip(cells[0], next(line for line in cells if line[0] == "all"), strict=True))
    assert sum(int(row[f"{split} clips"]) for split in ("train", "val", "test")) == 18
    # 6 x (3.0 + 2.6 + 1.2) s are 0.68 minutes.
    assert sum(float(row[f"{split} min"]) for split in ("train", "val", "test")) == pytest.approx(
        0.7, abs=0.11
    )
    names = {"stats.md", "classes.png", "classes.svg", "categories.png", "categories.svg"}
    assert {path.name for path in (tmp_path / "stats").iterdir()} == names
    assert (tmp_path / "stats/classes.png").read_bytes().startswith(b"\x89PNG")
    assert ">march / hall<" not in said
    before = (tmp_path / "stats/classes.svg").read_text()
    assert "<svg" in before


def test_commands_that_fail_say_why(library: Path, tmp_path: Path, capsys) -> None:
    table = tmp_path / "table.csv"

    def fails(code: int, message: str, *arguments: object) -> None:
        assert run(*arguments) == code
        said = capsys.readouterr().err
        assert message in said, said
        assert said.count("\n") == 1

    source = library / "annotations.csv"
    fails(
        2,
        "3 problems, listed in",
        "import",
        _with(source, tmp_path, "v9.mp4,1,2,x,\n" * 3),
        "--videos",
        library / "videos",
        "--out",
        table,
        "--strict",
    )
    assert not table.exists()
    assert len((tmp_path / "table.problems.csv").read_text().splitlines()) == 4
    fails(2, "tables are written as .csv or .parquet", "import", source, "--out", tmp_path / "x.json")
    table.write_text("somebody's own")
    fails(2, "was not written by phar", "import", source, "--out", table)
    fails(2, "is an input", "import", source, "--out", source)
    fails(3, "cannot be read (No such file", "scenes", tmp_path / "none.mp4")
    fails(4, "transnetv2 needs its weights", "scenes", library / "videos", "--detector", "transnetv2")
    fails(
        2,
        "--num-samples 'train' is not like train=800",
        "build",
        source,
        "--out",
        tmp_path / "s",
        "--num-samples",
        "train",
    )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    fails(2, "holds other things than a data set", "build", source, "--out", tmp_path / "full")
    fails(2, "video 'v0.mp4' is not beneath", "build", tmp_path / "more.csv", "--out", tmp_path / "s")
    fails(2, "cannot be read as a manifest", "stats", tmp_path / "none")
    (tmp_path / "broken.mp4").write_text("no video")
    assert run("scenes", tmp_path / "broken.mp4", library / "videos/v1.mp4") == 7
    assert "broken.mp4: is not a media file" in capsys.readouterr().err


def _with(source: Path, folder: Path, more: str) -> Path:
    path = folder / "more.csv"
    path.write_text(source.read_text() + more)
    return path


def test_settings_are_written_down(library: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "set"
    run("import", library / "annotations.csv", "--videos", library / "videos", "--out", table)
    pins = tmp_path / "splits.csv"
    pins.write_text(f"video,split\n{library / 'videos/v3.mp4'},test\n")
    run("build", table, "--out", out, "--seed", 4, "--splits", pins)
    settings = json.loads((out / "settings.json").read_text())
    assert (settings["phar_dataset"], settings["seed"], settings["shares"]["train"]) == (1, 4, 0.8)
    assert {clip.split for clip in read_manifest(out) if clip.video.name == "v3.mp4"} == {"test"}
