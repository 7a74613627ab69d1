"""The catalogue answers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import polars
import pytest

from phar.batch.catalogue import Catalogue, Failure, Seen
from phar.batch.parquet import export
from phar.batch.search import Query, Search, Span
from phar.batch.sources import Found, Stamp
from phar.schema import Segment, Tag, UsageError, Video

#: Seconds and score of each label in each video of 100 s.
SEEN: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "/lib/a.mp4": {"wave": (40, 0.9), "ring": (10, 0.5), "none": (50, 0.8)},
    "/lib/b.mp4": {"wave": (20, 0.95)},
    "/lib/sub/c.mp4": {"wave": (35, 0.6), "march": (60, 0.7)},
    "/library/d.mp4": {"ring": (30, 0.4), "none": (70, 0.9)},
    "/lib/e.mp4": {"none": (100, 0.9)},
}


def seen(labels: Mapping[str, tuple[float, float]]) -> Seen:
    segments, start = [], 0.0
    for label, (seconds, score) in labels.items():
        segments.append(Segment(label, start, start + seconds, score))
        start += seconds
    return Seen(
        video=Video("", 100.0, Fraction(25), 64, 48, True),
        tags=tuple(Tag(label, s, s / 100, score, 3) for label, (s, score) in labels.items()),
        segments=tuple(segments),
        timing={"total_s": 50.0},
        warnings=("odd",),
        created="2024-05-31T12:00:00+00:00",
        has_poses=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    paths = [*SEEN, "/lib/=f\udcff.mp4", "/lib/p.mp4"]
    with Catalogue(tmp_path) as catalogue:
        catalogue.enrol([Found(path, path.lstrip("/"), None) for path in paths])
        catalogue.name_labels(["march", "wave"])
        for path, labels in SEEN.items():
            row = catalogue.row(path)
            assert row is not None
            catalogue.looked(row.id, path, Stamp(2_000_000_000, 1))
            catalogue.done(row.id, seen(labels), path, "analysis", "settings")
        row = catalogue.row("/lib/=f\udcff.mp4")
        assert row is not None
        catalogue.failed(row.id, Failure(3, "=cmd"), None, "analysis")
    return tmp_path


@pytest.fixture
def search(folder: Path) -> Search:
    return Search(folder)


def names(search: Search, **query: object) -> str:
    return "".join(Path(hit.path).stem for hit in search.find(Query(**query)))  # type: ignore[arg-type]


def test_labels_and_limits(search: Search) -> None:
    assert names(search) == "abecd"
    assert names(search, labels=("wave",), sort="score") == "bac"
    assert names(search, labels=("wave",), sort="seconds") == "acb"
    assert names(search, labels=("wave",), min_seconds=30, sort="score") == "ac"
    assert names(search, labels=("wave",), min_score=0.9) == "ab"
    assert names(search, labels=("ring",), min_share=0.2) == "d"
    assert names(search, labels=("wave", "ring")) == "a"
    assert names(search, labels=("wave", "ring"), min_seconds=30) == ""
    assert names(search, labels=("wave",), without=("ring",)) == "bc"
    assert names(search, without=("wave", "ring")) == "e"
    assert names(search, under="/lib") == "abec"
    assert names(search, labels=("wave",), sort="score", limit=1) == "b"


def test_several_labels_are_summed_and_the_weakest_scores(search: Search, folder: Path) -> None:
    (hit,) = search.find(Query(labels=("wave", "march")))
    assert hit == (b"/lib/sub/c.mp4", b"lib/sub/c.mp4", 100.0, 95.0, 0.95, 0.6, None)
    assert search.report(hit) == str(folder / "reports/lib/sub/c.mp4.json")


def test_unknown_labels_are_named(search: Search) -> None:
    with pytest.raises(UsageError, match=r"label 'dance' is in no video; .* march, none, ring, wave"):
        search.find(Query(labels=("dance",)))


def test_spans(search: Search) -> None:
    assert search.spans("/lib/a.mp4") == [Span("wave", 0, 40, 0.9), Span("ring", 40, 50, 0.5)]
    assert search.spans("/lib/a.mp4", ["ring"]) == [Span("ring", 40, 50, 0.5)]


def test_nearest_by_cosine(search: Search) -> None:
    # Shares of (wave, ring, march): a (4, 1, 0), b (2, 0, 0), c (3.5, 0, 6), d (0, 3, 0).
    hits = search.like("/lib/a.mp4", Query())
    assert [(hit.path, hit.likeness) for hit in hits] == [
        ("/lib/b.mp4", pytest.approx(4 / 17**0.5)),
        ("/lib/sub/c.mp4", pytest.approx(4 * 3.5 / (17 * (3.5**2 + 36)) ** 0.5)),
        ("/library/d.mp4", pytest.approx(1 / 17**0.5)),
    ]
    assert [hit.path for hit in search.like("/lib/a.mp4", Query(labels=("ring",)))] == ["/library/d.mp4"]
    assert len(search.like("/lib/a.mp4", Query(limit=1))) == 1
    with pytest.raises(UsageError, match="no labels of this video"):
        search.like("/lib/e.mp4", Query())


def test_statistics(search: Search) -> None:
    found = search.statistics()
    assert (found.videos, found.done, found.failed, found.pending) == (7, 5, 1, 1)
    assert (found.hours, found.gigabytes, found.analysis_hours) == (500 / 3600, 10.0, 250 / 3600)
    assert [(each.label, each.videos, each.seconds) for each in found.labels] == [
        ("none", 3, 220),
        ("wave", 3, 95),
        ("march", 1, 60),
        ("ring", 2, 40),
    ]
    assert found.labels[3].share == pytest.approx(40 / 500)
    assert found.labels[3].score == pytest.approx((10 * 0.5 + 30 * 0.4) / 40)
    part = search.statistics("/library")
    assert (part.videos, part.done, [each.label for each in part.labels]) == (1, 1, ["none", "ring"])


def test_failures(search: Search) -> None:
    assert search.failures() == [("/lib/=f\udcff.mp4", "=cmd")]
    assert search.failures("/library") == []


def test_a_catalogue_on_a_disk_that_cannot_be_written(folder: Path) -> None:
    (folder / "catalogue.sqlite").chmod(0o444)
    folder.chmod(0o555)
    try:
        assert names(Search(folder / "catalogue.sqlite")) == "abecd"
    finally:
        folder.chmod(0o755)
    with pytest.raises(UsageError, match="does not exist; name the folder that phar batch wrote to"):
        Search(folder / "none")


def test_files_that_are_gone_are_forgotten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "here.mp4").touch()
    with Catalogue(folder) as catalogue:
        catalogue.enrol([Found(str(tmp_path / "here.mp4"), "here.mp4", None)])
        assert catalogue.forget_missing() == 7
    found = Search(folder).statistics()
    assert (found.videos, found.pending, found.labels) == (1, 1, ())


def test_parquet(search: Search, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    assert export(search, out) == {"videos": 7, "tags": 9, "spans": 6}
    assert export(search, out) == {"videos": 7, "tags": 9, "spans": 6}
    videos = polars.read_parquet(out / "videos.parquet")
    assert videos.filter(status="failed").select("path", "path_bytes", "error", "duration_s").rows() == [
        (r"/lib/=f\xff.mp4", b"/lib/=f\xff.mp4", "=cmd", None)
    ]
    tags = polars.read_parquet(out / "tags.parquet").join(videos, on="video_id").filter(label="ring")
    assert tags.select("path", "seconds", "clips", "has_audio").rows() == [
        ("/lib/a.mp4", 10.0, 3, True),
        ("/library/d.mp4", 30.0, 3, True),
    ]
    assert polars.read_parquet(out / "spans.parquet").filter(label="march").rows() == [
        (3, "march", 35.0, 95.0, 0.7)
    ]
    polars.DataFrame({"mine": [1]}).write_parquet(out / "tags.parquet")
    with pytest.raises(UsageError, match=r"tags\.parquet exists and was not written by phar"):
        export(search, out)
