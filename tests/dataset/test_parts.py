"""Spans, atoms, splits, sampling and likeness, without any video."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phar.dataset.annotation import Annotation
from phar.dataset.atoms import atoms_of
from phar.dataset.checks import flags_of, parse_checks
from phar.dataset.detectors import spaced
from phar.dataset.duplicates import likeness
from phar.dataset.index import VideoIndex
from phar.dataset.manifest import Clip, read_manifest, write_manifest
from phar.dataset.sampling import before_repeating, sample
from phar.dataset.spans import difference, intersection, pieces, union
from phar.dataset.splits import SPLITS, Group, assign
from phar.schema import UsageError

VIDEO = Path("/videos/a.mp4")
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def test_span_arithmetic() -> None:
    assert union([(3, 4), (0, 1), (1, 2), (3.5, 5), (7, 7)]) == [(0, 2), (3, 5)]
    assert intersection([(0, 2), (3, 5)], [(1, 4)]) == [(1, 2), (3, 4)]
    assert difference([(0, 5), (6, 7)], [(1, 2), (4, 6.5)]) == [(0, 1), (2, 4), (6.5, 7)]
    assert pieces((0, 9.9), 10) == [(0, 9.9)]
    assert pieces((1, 26), 10) == [
        (1, pytest.approx(9 + 1 / 3)),
        (pytest.approx(9 + 1 / 3), pytest.approx(17 + 2 / 3)),
        (pytest.approx(17 + 2 / 3), 26),
    ]
    assert pieces((0, 10.001), 10) == [(0, 10.001)]


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6).map(
    lambda pairs: union((min(pair), max(pair)) for pair in pairs)
)


@given(spans, spans)
def test_span_arithmetic_agrees_with_sets(ones, others) -> None:
    def cells(each):
        return {cell for start, end in each for cell in range(int(start), int(end))}

    assert cells(intersection(ones, others)) == cells(ones) & cells(others)
    assert cells(difference(ones, others)) == cells(ones) - cells(others)
    assert cells(union([*ones, *others])) == cells(ones) | cells(others)


def test_cuts_keep_their_distance() -> None:
    assert spaced([3.0, 0.2, 3.3, 3.6, 3.0], 0.5) == [3.0, 3.6]


def index(
    duration_s: float, cuts_s: list[float], content: str = "c", hashes: list[int] | None = None, **looks
) -> VideoIndex:
    count = int(np.ceil(duration_s / 0.25))
    values = {
        "dark": np.zeros(count, np.float32),
        "change": np.full(count, 9, np.float32),
        "contrast": np.full(count, 50, np.float32),
        "level_db": np.full(count, -20, np.float32),
        "hashes": np.array(hashes if hashes is not None else [0] * count, np.uint64),
    }
    return VideoIndex(content, duration_s, 25.0, True, np.array(cuts_s), **(values | looks))


def row(start: float, end: float, label: str, category: str = "", verdict: str = "accept") -> Annotation:
    return Annotation(VIDEO, start, end, label, category, "", verdict)


def cut(rows, *, duration_s=30.0, cuts_s=(5.0, 10.0, 20.0), **options):
    options = {"negative": "none", "margin_s": 1.0} | options
    atoms, contested = atoms_of(VIDEO, index(duration_s, list(cuts_s)), rows, **options)
    return (
        [(atom.start_s, atom.end_s, atom.label, atom.category, atom.origin) for atom in atoms],
        [(each.start_s, each.end_s, each.labels) for each in contested],
    )


def test_an_atom_is_a_shot_inside_an_annotation() -> None:
    atoms, contested = cut(
        [row(3, 12, "march", "street"), row(10, 13, "march", "street"), row(13, 14, "wave")]
    )
    assert atoms == [
        (3.0, 5.0, "march", "street", "annotated"),
        (5.0, 10.0, "march", "street", "annotated"),
        (10.0, 13, "march", "street", "annotated"),
        (13, 14, "wave", "", "annotated"),
    ]
    assert contested == []


def test_unlabelled_shots_of_a_complete_video_are_negatives() -> None:
    atoms, _ = cut([row(0, 30, "", verdict="complete"), row(3, 5, "march"), row(12, 13, "wave")])
    # A shot with a label keeps its distance of a second; shots without any are taken whole.
    assert [atom for atom in atoms if atom[2] == "none"] == [
        (0.0, 2.0, "none", "beside", "unlabelled"),
        (5.0, 10.0, "none", "beside", "unlabelled"),
        (10.0, 11.0, "none", "beside", "unlabelled"),
        (14.0, 20.0, "none", "beside", "unlabelled"),
        (20.0, 30.0, "none", "beside", "unlabelled"),
    ]
    assert cut([row(0, 12, "", verdict="complete")])[0] == [
        (0.0, 5.0, "none", "apart", "unlabelled"),
        (5.0, 10.0, "none", "apart", "unlabelled"),
        (10.0, 12.0, "none", "apart", "unlabelled"),
    ]
    assert cut([row(0, 30, "", verdict="complete")], negative=None)[0] == []
    assert cut([row(3, 5, "march")])[0] == [(3.0, 5.0, "march", "", "annotated")]


def test_rejected_spans_are_hard_negatives_and_unsure_ones_are_nothing() -> None:
    rows = [
        row(0, 30, "", verdict="complete"),
        row(1, 9, "march", verdict="reject"),
        row(7, 8, "wave"),
        row(22, 24, "wave", verdict="unsure"),
    ]
    atoms, _ = cut(rows)
    assert atoms == [
        (1.0, 5.0, "none", "not-march", "rejected"),
        (5.0, 7.0, "none", "not-march", "rejected"),
        (7.0, 8.0, "wave", "", "annotated"),
        (8.0, 9.0, "none", "not-march", "rejected"),
        (10.0, 20.0, "none", "beside", "unlabelled"),
        (20.0, 21.0, "none", "beside", "unlabelled"),
        (25.0, 30.0, "none", "beside", "unlabelled"),
    ]


def test_contradictions_become_no_atoms_unless_kept() -> None:
    rows = [row(0, 4, "march"), row(3, 5, "wave"), row(6, 8, "jog"), row(7, 9, "jog", verdict="reject")]
    atoms, contested = cut(rows)
    assert contested == [(3.0, 4.0, ("march", "wave")), (7.0, 8.0, ("jog",))]
    assert [atom[:3] for atom in atoms] == [
        (0.0, 3.0, "march"),
        (4.0, 5.0, "wave"),
        (6.0, 7.0, "jog"),
        (8.0, 9.0, "none"),
    ]
    assert [atom[:3] for atom in cut(rows, keep_contested=True)[0]] == [
        (0.0, 4.0, "march"),
        (3.0, 5.0, "wave"),
        (6.0, 8.0, "jog"),
        (8.0, 9.0, "none"),
    ]


def test_black_frozen_and_silent_hold_for_most_of_a_span() -> None:
    looks = {
        "dark": np.array([1, 1, 1, 1] + [0.5] * 8, np.float32),
        "change": np.array([9, 0, 0, 0, 9, 0, 0, 0, 9, 9, 9, 9], np.float32),
        "level_db": np.array([-20] * 8 + [-90] * 4, np.float32),
    }
    found = index(3.0, [], hashes=[0] * 12, **looks)
    assert flags_of(found, (0.0, 1.0)) == ("black", "frozen")
    assert flags_of(found, (1.0, 2.0)) == ("frozen",)
    assert flags_of(found, (2.0, 3.0)) == ("silent",)
    assert flags_of(found, (1.5, 3.0)) == ()


def test_names_of_checks() -> None:
    assert parse_checks("black, frozen") == ("black", "frozen")
    assert parse_checks("none") == ()
    assert len(parse_checks("all")) == 7
    with pytest.raises(UsageError, match="'dark' is unknown; use short, clash, duplicate"):
        parse_checks("dark")


def hashed(content: str, *shots: tuple[int, float]) -> VideoIndex:
    """A video of shots given by (hash, seconds)."""
    hashes = [value for value, seconds in shots for _ in range(round(seconds * 4))]
    ends = np.cumsum([seconds for _, seconds in shots])
    return index(float(ends[-1]), [float(end) for end in ends[:-1]], content, hashes)


def test_likeness_tells_copies_from_bumpers() -> None:
    rng = np.random.default_rng(7)
    (bumper, shared, *own) = (int(value) for value in rng.integers(0, 2**63, 40, dtype=np.uint64))
    near = bumper ^ 0b10110111  # six bits differ
    far = bumper ^ 0xFFFFF
    videos = [
        hashed("a", (bumper, 3), (own[0], 20), (own[1], 9)),
        hashed("b", (near, 3), (own[2], 20), (own[3], 9)),
        hashed("c", (bumper, 3), (own[4], 20), (shared, 8)),
        # Another cut of c, without the bumper.
        hashed("d", (own[4], 20), (own[5], 6)),
        # One shot shared with c: they must stay together, though they are no versions of each other.
        hashed("e", (own[6], 60), (shared, 8)),
        hashed("f", (far, 3), (own[7], 20)),
    ]
    found = likeness(videos)
    assert [found.group[number] == found.group[2] for number in range(6)] == [
        False,
        False,
        True,
        True,
        True,
        False,
    ]
    assert len(set(found.group)) == 4
    names = {number: [] for number in range(int(found.cluster.max()) + 1)}
    for video, first in enumerate(found.first_shot):
        for shot in range(len(videos[video].shots())):
            if found.cluster[first + shot] >= 0:
                names[int(found.cluster[first + shot])].append((videos[video].content, shot))
    assert sorted(names.values()) == [
        [("a", 0), ("b", 0), ("c", 0)],
        [("c", 1), ("d", 0)],
        [("c", 2), ("e", 1)],
    ]
    (repeated,) = found.repeated
    assert names[repeated] == [("a", 0), ("b", 0), ("c", 0)]


def test_flat_pictures_are_like_nothing() -> None:
    flat = {"contrast": np.zeros(8, np.float32)}
    found = likeness([index(2, [], "a", [5] * 8, **flat), index(2, [], "b", [5] * 8, **flat)])
    assert list(found.cluster) == [-1, -1]
    assert found.group[0] != found.group[1]


def groups(count: int, labels=("x",), weight: float = 10.0) -> list[Group]:
    return [Group((f"video{number}",), weight, frozenset(labels)) for number in range(count)]


def test_many_groups_split_as_asked_and_stay_where_they_are() -> None:
    many = groups(2000)
    before = assign(many, SHARES, seed=3)
    counts = Counter(before)
    assert [round(counts[name] / 2000, 2) for name in SPLITS] == [
        pytest.approx(0.8, abs=0.03),
        pytest.approx(0.1, abs=0.03),
        pytest.approx(0.1, abs=0.03),
    ]
    # Another hundred come, and a hundred go: nobody else moves.
    more = [*many[100:], *[Group((f"new{number}",), 10.0, frozenset("x")) for number in range(100)]]
    assert assign(more, SHARES, seed=3)[:1900] == before[100:]
    assert assign(many, SHARES, seed=4) != before
    assert assign(list(reversed(many)), SHARES, seed=3) == before[::-1]


@pytest.mark.parametrize("seed", range(20))
def test_few_groups_still_fill_every_split(seed: int) -> None:
    for count in (3, 5, 10, 30):
        held = Counter(assign(groups(count), SHARES, seed))
        assert set(held) == set(SPLITS), (count, held)
        assert held["train"] >= max(held["val"], held["test"])


@pytest.mark.parametrize("seed", range(20))
def test_a_label_of_three_groups_is_in_every_split_that_has_room(seed: int) -> None:
    many = [*groups(40, ("x",)), *[Group((f"rare{n}",), 10.0, frozenset("xy")) for n in range(3)]]
    splits = assign(many, SHARES, seed)
    assert {split for split, group in zip(splits, many, strict=True) if "y" in group.labels} == set(SPLITS)


def test_pinned_groups_do_not_move() -> None:
    pinned = [Group((f"p{n}",), 10.0, frozenset("x"), "test") for n in range(4)]
    splits = assign([*pinned, *groups(10)], SHARES, 0)
    assert splits[:4] == ["test"] * 4
    with pytest.raises(UsageError, match="adding up to 1"):
        assign(pinned, {"train": 0.8, "val": 0.1, "test": 0.2}, 0)


def clip(video: str, shot_s: float, label="x", category="", split="train", piece: int = 0) -> Clip:
    name = f"{video}-{shot_s:g}-{piece}-{label}-{category}"
    return Clip(
        name, split, label, category, Path(f"/{video}.mp4"), shot_s + piece, shot_s + piece + 1, shot_s
    )


def test_samples_are_even_over_classes_and_categories() -> None:
    pool = [clip(f"v{n}", 0, "x", "street") for n in range(30)]
    pool += [clip(f"v{n}", 5, "x", "hall") for n in range(3)]
    pool += [clip(f"v{n}", 9, "y") for n in range(7)]
    pool += [clip(f"v{n}", 9, "y", split="test") for n in range(30, 34)]
    pool += [clip(f"v{n}", 0, "x", "hall", split="test") for n in range(30, 32)]
    pool += [clip(f"v{n}", 0, "x", "street", split="test") for n in range(30, 50)]
    chosen, supports = sample(pool, {"train": 40, "val": 10, "test": 20}, seed=1)
    counts = Counter((each.split, each.label, each.category) for each in chosen)
    # Test holds nothing twice: the street fills up for the hall, nobody does for y.
    assert counts == {
        ("train", "x", "street"): 10,
        ("train", "x", "hall"): 10,
        ("train", "y", ""): 20,
        ("test", "x", "hall"): 2,
        ("test", "x", "street"): 8,
        ("test", "y", ""): 4,
    }
    halls = Counter(each.id for each in chosen if (each.split, each.category) == ("train", "hall"))
    assert sorted(halls.values()) == [3, 3, 4]
    assert len({(each.id, each.split, each.repeat) for each in chosen}) == len(chosen)
    held = {(row.split, row.label, row.category): row for row in supports}
    hall = held["train", "x", "hall"]
    assert (hall.num_shots, hall.num_clips, hall.num_wanted, hall.num_taken, hall.num_repeats) == (
        3,
        3,
        10,
        10,
        7,
    )
    # 3 clips of one of two categories of one of two classes.
    assert before_repeating(supports, "train") == 12
    assert len(sample(pool, {}, seed=1)[0]) == len(pool)


def test_another_piece_of_a_shot_comes_before_a_repeat_and_after_another_shot() -> None:
    pool = [clip("v", 0, piece=piece) for piece in range(3)] + [clip("w", 0)]
    taken = [sample(pool, {"train": number}, seed=0)[0] for number in (2, 4, 5)]
    assert {each.video.stem for each in taken[0]} == {"v", "w"}
    assert len({each.id for each in taken[1]}) == 4
    assert sorted(each.repeat for each in taken[2]) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("number", [12, 40, 90])
def test_a_new_video_changes_only_what_it_brings(number: int) -> None:
    pool = [clip(f"v{n}", shot) for n in range(20) for shot in range(3)]
    new = [clip("new", shot) for shot in range(3)]

    def taken(clips):
        return {(each.id, each.repeat) for each in sample(clips, {"train": number}, seed=5)[0]}

    before, after = taken(pool), taken(pool + new)
    came, went = after - before, before - after
    assert all(name.startswith("new-") for name, _ in came)
    assert len(came) == len(went) <= 3 + 2 * (number > 60)
    assert taken(list(reversed(pool))) == before


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_manifest_is_read_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    clips = (
        Clip(
            "0" * 16,
            "train",
            "x",
            "a, b",
            tmp_path / "v.mp4",
            0.0,
            2.5,
            0.0,
            1,
            "rejected",
            ("black", "silent"),
            "g",
        ),
        Clip("1" * 16, "test", "y", "", Path("/far/w.mp4"), 1.0, 2.0, 0.5),
    )
    path = tmp_path / f"manifest{suffix}"
    write_manifest(clips, path)
    assert read_manifest(path) == clips


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="has no column id"):
        read_manifest(path)
    with pytest.raises(UsageError, match="cannot be read as a manifest"):
        read_manifest(tmp_path / "none.csv")
