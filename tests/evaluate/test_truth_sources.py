"""What is true of a window, and where truth is read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scored import true_video

from phar.dataset.manifest import Clip, write_manifest
from phar.evaluate.truth import TrueSpan, VideoTruth, read_truth, true_labels, unique_names
from phar.evaluate.world import world_truth
from phar.schema import UsageError, Window
from phar.synth import load_world


def found(truth: VideoTruth, start_s: float, end_s: float) -> tuple[str, float] | None:
    about = truth.of(Window(0, start_s, end_s))
    return about and (about.label, about.purity)


def test_the_label_that_covers_most_is_true_and_bare_time_is_none() -> None:
    truth = true_video("v", ("jog", 0, 10), ("sing", 10, 21))
    assert found(truth, 0, 7) == ("jog", 1.0)
    assert found(truth, 7, 14) == ("sing", pytest.approx(4 / 7))
    assert found(truth, 20, 28) == ("none", pytest.approx(7 / 8))
    assert found(truth, 5, 15) == ("jog", 0.5)


def test_labels_that_cover_half_each_are_both_right() -> None:
    truth = true_video("v", ("jog", 0, 10), ("sing", 4, 10))
    about = truth.of(Window(0, 0, 10))
    assert about is not None
    assert (about.label, about.also) == ("jog", {"jog", "sing"})
    assert truth.of(Window(0, 0, 8)).also == {"jog", "sing"}  # type: ignore[union-attr]
    assert truth.of(Window(0, 0, 7)).also == {"jog"}  # type: ignore[union-attr]


def test_what_nobody_watched_is_unknown() -> None:
    truth = VideoTruth(
        "v", Path("v.mp4"), (TrueSpan("jog", 10, 14),), watched=((30, 60),), unsure=((50, 60),)
    )
    assert truth.of(Window(0, 0, 7)) is None
    assert truth.of(Window(0, 7, 14)) is not None
    assert truth.of(Window(0, 12, 19)) is None
    assert found(truth, 28, 35) == ("none", pytest.approx(5 / 7))
    assert truth.of(Window(0, 50, 57)) is None
    assert truth.known(100.0) == [(10, 14), (30, 50)]


def test_segments_that_touch_are_one() -> None:
    truth = true_video("v", ("jog", 5, 8), ("none", 8, 9), ("sing", 0, 5), ("jog", 7, 8), ("jog", 2, 5))
    assert truth.segments() == [TrueSpan("sing", 0, 5), TrueSpan("jog", 2, 8)]


TABLE = """video,start_s,end_s,label,category,source,verdict
{v},0,4,jog,street,,accept
{v},4,6,sing,,,reject
{v},3,6,jog,gym,,reject
{v},6,7,sing,,,unsure
{v},0,8,,,,complete
{w},1,2,sing,,,accept
"""


@pytest.fixture
def videos(make_clip: Callable[..., Path]) -> tuple[Path, Path]:
    return make_clip(8.0), make_clip(3.0)


def test_annotation_tables(videos: tuple[Path, Path], tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(TABLE.format(v=videos[0], w=videos[1]))
    short, long = read_truth([table], "test")
    assert (short.name, short.path, short.watched) == ("3s_8fps", videos[1], ())
    assert short.spans == (TrueSpan("sing", 1, 2),)
    assert long.watched == ((0, 8),)
    assert long.unsure == ((6, 7),)
    # Rejected spans are none where nothing else is seen.
    assert long.spans == (
        TrueSpan("jog", 0, 4, "street"),
        TrueSpan("none", 4, 6, "gym"),
        TrueSpan("none", 4, 6, "not-sing"),
    )
    assert true_labels([short, long]) == ["jog", "sing", "none"]


def test_one_split_of_a_data_set(tmp_path: Path) -> None:
    def clip(split: str, start_s: float, repeat: int = 0) -> Clip:
        return Clip("id", split, "jog", "gym", tmp_path / f"{split}.mp4", start_s, start_s + 4, 0.0, repeat)

    write_manifest(
        [clip("test", 4), clip("test", 0), clip("test", 0, repeat=1), clip("train", 0)],
        tmp_path / "manifest.csv",
    )
    (video,) = read_truth([tmp_path], "test")
    assert video.spans == (TrueSpan("jog", 0, 4, "gym"), TrueSpan("jog", 4, 8, "gym"))
    assert video.of(Window(0, 6, 13)) is None
    with pytest.raises(UsageError, match="no clips of split 'val'; choose another by --split"):
        read_truth([tmp_path], "val")


def test_names_are_as_long_as_needed() -> None:
    paths = [Path("/a/x/v.mp4"), Path("/a/y/v.mkv"), Path("/a/y/w.mp4")]
    assert list(unique_names(paths).values()) == ["x/v", "y/v", "w"]


def test_the_rendered_world_says_what_its_categories_are(tmp_path: Path) -> None:
    world = load_world(1)
    truths = world_truth(world, 1_000_000, 3, 2, tmp_path)
    assert [truth.name for truth in truths] == [
        *(f"world1-1000000-clip-000{i}" for i in range(3)),
        *(f"world1-1000000-video-000{i}" for i in range(2)),
    ]
    assert truths[0].spans[0].label == world.clip(1_000_000, 0).label
    assert truths[0].duration_s() == world.clip(1_000_000, 0).duration_s
    spans = [span for truth in truths for span in truth.spans]
    assert {span.category for span in spans if span.label != "none"} <= {"alone", "company"}
    kinds = set(world.spec["none_shares"])
    assert {span.category for span in spans if span.label == "none"} <= kinds
    assert list(tmp_path.iterdir()) == []
