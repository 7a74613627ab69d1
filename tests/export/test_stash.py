"""Stash: the file it imports, and markers pushed into a server with its schema."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from random_reports import assert_read_back, overlapping, with_segments

from phar.export import WRITERS, stash
from phar.export.stash_push import Pushed, Stash, push
from phar.export.wording import one_line
from phar.schema import NetworkError, OutputError, Report, UsageError
from stash_server import Library, serving

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

STRINGS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}

#: Source: scene.json in Stash's Import/Export JSON Specification.
SCENE = {
    "type": "object",
    "required": ["files", "created_at", "updated_at"],
    "properties": {
        "files": STRINGS,
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "markers": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["seconds", "primary_tag", "created_at", "updated_at"],
                "properties": {
                    "title": {"type": "string"},
                    "seconds": {"type": "string", "pattern": r"^\d+\.\d+$"},
                    "end_seconds": {"type": "string", "pattern": r"^\d+\.\d+$"},
                    "primary_tag": {"type": "string", "minLength": 1},
                    "tags": STRINGS,
                    "created_at": {"type": "string"},
                    "updated_at": {"type": "string"},
                },
            },
        },
    },
}


@pytest.fixture
def library() -> Iterator[Library]:
    with serving(Library()) as library:
        yield library


def report_of(path: str | Path, *rows: tuple[str, float, float], duration_s: float = 60) -> Report:
    report = with_segments(*rows, duration_s=duration_s)
    return dataclasses.replace(report, video=dataclasses.replace(report.video, path=str(path)))


def test_the_scene_that_is_imported(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "scene.json"
    WRITERS["stash"].write(report, path)
    scene = json.loads(path.read_text())
    jsonschema.validate(scene, SCENE)
    assert scene["files"] == [str(tmp_path / "clip.mp4")]
    assert scene["markers"][1] == {
        "title": "ring",
        "seconds": "7.0",
        "end_seconds": "14.0",
        "primary_tag": "ring",
        "tags": ["phar"],
        "created_at": "2024-05-01T12:00:00+00:00",
        "updated_at": "2024-05-01T12:00:00+00:00",
    }


def test_no_two_markers_of_an_import_start_together() -> None:
    scene = stash.to_document(with_segments(("a", 1, 5), ("b", 1, 6), ("c", 1.001, 1.002)))
    assert [m["seconds"] for m in scene["markers"]] == ["1.0", "1.001", "1.002"]
    assert "markers" not in stash.to_document(with_segments())


@quick
@given(report=overlapping())
def test_the_import_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "scene.json"
    stash.write(report, path)
    scene = json.loads(path.read_text())
    jsonschema.validate(scene, SCENE)
    found = [
        (m["primary_tag"], float(m["seconds"]), float(m["end_seconds"])) for m in scene.get("markers", [])
    ]
    assert len({start for _, start, _ in found}) == len(found)
    wanted = [(one_line(s.label), s.start_s, s.end_s) for s in report.timestamps]
    # Each of the few markers that start together is a millisecond later than the one before.
    slack = 0.0005 + 0.001 * len(found)
    by_time = sorted(wanted, key=lambda row: (round(row[1], 3), round(row[2], 3), row[0]))
    assert_read_back(found, by_time, slack)


def test_pushing_twice_changes_nothing_the_second_time(library: Library) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    report = report_of("/videos/clip.mp4", ("ring", 1, 2.5), ("wave", 2.5, 7), ("ring", 8, 9))
    done = push(report, Stash(library.url))
    assert done == Pushed(
        scene, created=3, updated=0, deleted=0, unchanged=0, theirs=0, new_tags=("phar", "ring", "wave")
    )
    assert library.rows(scene) == [
        ("ring", 1, 2.5, "ring", ["phar"]),
        ("wave", 2.5, 7, "wave", ["phar"]),
        ("ring", 8, 9, "ring", ["phar"]),
    ]
    library.changes.clear()
    again = push(report, Stash(f"{library.url}/graphql/"))
    assert dataclasses.replace(again, scene="") == Pushed("", 0, 0, 0, unchanged=3, theirs=0, new_tags=())
    assert library.changes == []


def test_markers_move_come_and_go_with_the_report(library: Library) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    server = Stash(library.url)
    push(report_of("/videos/clip.mp4", ("ring", 1, 2), ("wave", 3, 7), ("jog", 30, 31)), server)
    before = {m["id"] for m in library.markers.values()}
    favourite = library.add_tag("favourite")
    next(m for m in library.markers.values() if m["seconds"] == 3)["tag_ids"].append(favourite)
    done = push(report_of("/videos/clip.mp4", ("ring", 1, 2), ("wave", 3.5, 8), ("ring", 50, 51)), server)
    assert (done.created, done.updated, done.deleted, done.unchanged) == (1, 1, 1, 1)
    assert library.rows(scene) == [
        ("ring", 1, 2, "ring", ["phar"]),
        ("wave", 3.5, 8, "wave", ["favourite", "phar"]),
        ("ring", 50, 51, "ring", ["phar"]),
    ]
    assert len(before & set(library.markers)) == 2, "a marker that moves stays the same marker"
    assert push(report_of("/videos/clip.mp4"), server).deleted == 3
    assert library.rows(scene) == []


def test_markers_of_the_user_are_never_touched(library: Library) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    other = library.add_scene("/videos/other.mp4", duration_s=60)
    ring = library.add_tag("Ring")
    library.add_marker(scene, ring, 5.0, title="mine")
    report = report_of("/videos/clip.mp4", ("ring", 1, 2), ("ring", 5, 6))
    push(report_of("/videos/other.mp4", ("ring", 1, 2)), Stash(library.url))
    done = push(report, Stash(library.url))
    assert (done.created, done.theirs) == (1, 1), (
        "no second marker where the user has one of this tag and start"
    )
    assert library.rows(scene) == [("Ring", 1, 2, "ring", ["phar"]), ("Ring", 5, None, "mine", [])]
    handed_over = next(m for m in library.markers.values() if m["seconds"] == 1 and m["scene_id"] == scene)
    handed_over["tag_ids"].clear()
    push(report_of("/videos/clip.mp4"), Stash(library.url))
    assert [row[1] for row in library.rows(scene)] == [1, 5]
    assert [row[1] for row in library.rows(other)] == [1]


def test_tags_are_found_by_name_and_alias(library: Library) -> None:
    library.add_scene("/videos/clip.mp4", duration_s=60)
    library.add_tag("RING")
    library.add_tag("to wave", "wave")
    library.add_tag("aXb")
    report = report_of("/videos/clip.mp4", ("ring", 1, 2), ("wave", 2, 3), ("a_b", 4, 5))
    assert push(report, Stash(library.url)).new_tags == ("phar", "a_b")
    assert sorted(tag["name"] for tag in library.tags.values()) == ["RING", "aXb", "a_b", "phar", "to wave"]
    (own,) = (tag for tag in library.tags.values() if tag["name"] == "phar")
    assert own["description"].startswith("Markers that phar made.")


def test_the_scene_is_found_by_path_else_by_name_and_length(library: Library) -> None:
    library.add_scene("/videos/aXb 1.mp4", duration_s=60)
    exact = library.add_scene("/else/copy.mp4", "/videos/a_b 1.mp4", duration_s=60)
    server = Stash(library.url)
    row = ("ring", 1, 2)
    assert push(report_of("/videos/a_b 1.mp4", row), server).scene == exact
    assert push(report_of("/mnt/disk/a_b 1.mp4", row, duration_s=60.4), server).scene == exact
    with pytest.raises(OutputError, match=r"no scene of /mnt/a_b 1.mp4; scan it in Stash first, .* --scene"):
        push(report_of("/mnt/a_b 1.mp4", row, duration_s=65), server)
    windows = library.add_scene("D:\\old\\a_b 1.mp4", duration_s=60)
    with pytest.raises(
        OutputError, match=f"2 scenes of a_b 1.mp4: {exact}, {windows}; name one with --scene"
    ):
        push(report_of("/mnt/a_b 1.mp4", row), server)
    assert push(report_of("/mnt/a_b 1.mp4", row), server, scene=windows).scene == windows
    with pytest.raises(OutputError, match="Stash has no scene 999"):
        push(report_of("/mnt/a_b 1.mp4", row), server, scene="999")


def test_a_label_cannot_be_the_tag_that_marks_phars_own(library: Library) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    with pytest.raises(UsageError, match="'Phar' is the tag that marks phar's own markers"):
        push(report_of("/videos/clip.mp4", ("Phar", 1, 2)), Stash(library.url))
    assert library.rows(scene) == []


@pytest.mark.parametrize("names", [("phar",), ("pharmacy", "Phar")])
def test_a_tag_that_only_has_the_name_is_the_users(library: Library, names: tuple[str, ...]) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    theirs = library.add_tag(*names)
    library.add_marker(scene, library.add_tag("ring"), 7, tag_ids=[theirs])
    report = report_of("/videos/clip.mp4", ("ring", 1, 2))
    with pytest.raises(OutputError, match="that is not known to be phar's; rename it, or"):
        push(report, Stash(library.url))
    assert [row[1] for row in library.rows(scene)] == [7]
    library.tags[theirs]["description"] = "Markers that phar made"
    assert push(report, Stash(library.url)).updated == 1


def test_the_key_is_sent_and_never_to_another_address(library: Library) -> None:
    library.api_key = "secret"
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    report = report_of("/videos/clip.mp4", ("ring", 1, 2))
    for key in (None, "wrong"):
        with pytest.raises(NetworkError, match="set PHAR_STASH_API_KEY"):
            push(report, Stash(library.url, key))
    with pytest.raises(NetworkError, match="status 307 and no GraphQL"):
        push(report, Stash(f"{library.url}/moved", "secret"))
    assert library.changes == []
    assert push(report, Stash(library.url, "secret")).scene == scene


def test_what_is_no_stash(library: Library) -> None:
    report = report_of("/videos/clip.mp4", ("ring", 1, 2))
    with pytest.raises(NetworkError, match="status 404 and no GraphQL; is that a Stash"):
        push(report, Stash(f"{library.url}/blog"))
    with pytest.raises(NetworkError, match="cannot be reached"):
        push(report, Stash("http://127.0.0.1:9"))
    for wrong in ("localhost:9999", "ftp://host", "http://"):
        with pytest.raises(UsageError, match="is no address of a Stash"):
            Stash(wrong)


def test_what_stash_says_is_passed_on(library: Library) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    library.scenes[scene]["files"][0]["path"] = None
    with pytest.raises(NetworkError, match=r"Stash answers: .*; phar knows Stash 0\.28 and newer"):
        push(report_of("/videos/clip.mp4", ("ring", 1, 2)), Stash(library.url))


def test_an_interrupted_push_is_mended_by_the_next(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = library.add_scene("/videos/clip.mp4", duration_s=60)
    report = report_of("/videos/clip.mp4", ("ring", 1, 2), ("wave", 3, 4), ("jog", 5, 6))
    plain = Stash.ask
    asked = []

    def cut(self: Stash, query: str, **variables: object) -> object:
        asked.append(query)
        if sum("sceneMarkerCreate" in query for query in asked) == 3:
            raise KeyboardInterrupt
        return plain(self, query, **variables)

    monkeypatch.setattr(Stash, "ask", cut)
    with pytest.raises(KeyboardInterrupt):
        push(report, Stash(library.url))
    monkeypatch.undo()
    assert len(library.rows(scene)) == 2
    assert push(report, Stash(library.url)).created == 1
    assert [row[0] for row in library.rows(scene)] == ["ring", "wave", "jog"]
