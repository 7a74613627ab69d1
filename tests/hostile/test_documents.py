"""Reports, profiles, tables and label files from strangers: refused in one line, or read as plain data."""

from __future__ import annotations

import copy
import csv
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_videos import small_video

from phar import foreign
from phar.cli import clips, demo, entry, export, tags
from phar.cli import filter as filtering
from phar.dataset.annotation import Annotation, write_table
from phar.dataset.importing import read_tables
from phar.dataset.problem import Problem, write_problems
from phar.export import WRITERS, read_report
from phar.export.poses import load_poses
from phar.export.report import to_document
from phar.moderation.policy import load_policy
from phar.profile import load_labels, load_profile
from phar.schema import PharError, ProfileError, Report, ReportError
from phar.training.metafile import record_checkpoint

#: Nine levels, each nine times the one before: 3 GB of text if it were written out.
LAUGHS = "a0: &a0 [ha]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
ITSELF = "a: &a [*a]\n"

YAML = {
    "laughs": (LAUGHS, "aliases are not read"),
    "merges": (MERGES, "aliases are not read"),
    "itself": (ITSELF, "aliases are not read"),
    "deep": ("[" * 5000 + "]" * 5000, "nested deeper"),
    "rather deep": ("a: " + "[" * 70 + "]" * 70, "nested deeper"),
    "object": ("!!python/object/apply:os.system [touch /tmp/owned]", "not YAML"),
    "module": ("!!python/module:os", "not YAML"),
    "date": ("a: 2001-99-99", "not YAML"),
    "digits": ("a: " + "9" * 10_000, "not YAML"),
    "control": ("a: \x00", "not YAML"),
    "bytes": (b"a: \xff\xfe", "not UTF-8 text"),
    "no number": ("a: [1, .nan]", "a number in it is too large or none"),
    "endless": ("a: {b: -.inf}", "a number in it is too large or none"),
    "beyond floats": ("a: 1" + "0" * 309, "a number in it is too large or none"),
}


@pytest.mark.parametrize("read", [load_profile, load_policy])
@pytest.mark.parametrize("kind", YAML)
def test_yaml_that_would_hurt_is_refused(tmp_path: Path, kind: str, read: Callable[[Path], Any]) -> None:
    text, said = YAML[kind]
    path = tmp_path / "profile.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ProfileError, match=said) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("read", "size"), [(load_profile, "256 KB"), (load_policy, "4 MB")])
def test_yaml_without_end_is_refused(tmp_path: Path, read: Callable[[Path], Any], size: str) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("a: " + "x" * (5 << 20))
    with pytest.raises(ProfileError, match=f"larger than {size}"):
        read(path)


def test_what_phar_writes_as_yaml_it_reads_again(tmp_path: Path) -> None:
    """Also where one thing stands in two places, which PyYAML by itself writes as an alias."""
    both = {"config": "net.py", "steps": [1, 2.5]}
    document = {"streams": {"rgb": both, "still": both}, "again": [both["steps"]] * 2, "label": "schön"}
    assert foreign.parse_yaml(foreign.to_yaml(document)) == document
    metafile = tmp_path / "metafile.yml"
    (tmp_path / "net.safetensors").write_bytes(b"weights")
    facts = {"checkpoint": "net.safetensors", "labels": both["steps"], "seen": both["steps"]}
    record_checkpoint(metafile, "net", facts)
    assert foreign.read_yaml(metafile)["models"]["net"]["seen"] == [1, 2.5]


def test_other_yaml_is_read_with_the_same_care(
    tmp_path: Path, small_profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, video = tmp_path / "table.yaml", tmp_path / "video.mp4"
    path.write_text(LAUGHS)
    arguments = [str(video), str(tmp_path / "out.json"), "--profile", str(small_profile)]
    assert demo.main([*arguments, "--loudness-weights", str(path)]) == 4
    assert "aliases are not read" in capsys.readouterr().err


def test_json_that_would_hurt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text, said in (
        ("[" * 100_000, "nested deeper"),
        ("[" * 70 + "]" * 70, "nested deeper"),
        ('{"a": ' * 70 + "1" + "}" * 70, "nested deeper"),
        ("[NaN]", "not JSON"),
        ("[-Infinity]", "not JSON"),
        ("[1e999]", "too large"),
        ("[" + "9" * 5000 + "]", "not JSON"),
        ("[1" + "0" * 400 + ".5]", "too large"),
        ('["a', "not JSON"),
    ):
        path.write_text(text)
        with pytest.raises(foreign.Unreadable, match=said):
            foreign.read_json(path)
    path.write_bytes(b"[" + b"1," * 100 + b"1]")
    with pytest.raises(foreign.Unreadable, match="larger than 0 KB"):
        foreign.read_json(path, max_bytes=100)
    path.write_text('\ufeff["1e999 in a name", 1e300]')
    assert foreign.read_json(path) == ["1e999 in a name", 1e300]


def test_a_label_file_is_text_of_some_size(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    for content, said in ((b"\xff\xfe\x00", "not UTF-8"), (b"a\n" * (3 << 20), "larger than 4 MB")):
        path.write_bytes(content)
        with pytest.raises(ProfileError, match=said):
            load_labels(path)


#: What a stranger may put where anything else belongs.
ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        10**30,
        10**400,
        1e308,
        -1e308,
        1e-320,
        "",
        "x",
        "\x1b]0;owned\x07\n",
        "=1+1",
        "../../etc/passwd",
    ),
    *([], {}, [[]], {"a": {}}, ["a"] * 3, [None]),
)


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value, the first two of each list."""
    if path:
        yield path
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document[:2])
        if isinstance(document, list)
        else ()
    )
    for key, value in children:
        yield from leaves(value, (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


@pytest.fixture
def whole(report: Report) -> dict[str, Any]:
    """A good report as JSON gives it."""
    document: dict[str, Any] = json.loads(json.dumps(to_document(report)))
    return document


def test_a_report_with_any_value_changed_is_refused_or_can_be_written_in_every_form(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing but a PharError comes of reading, and of what was read every format can be made."""
    path = tmp_path / "x.json"
    forms = [name for name in WRITERS if name != "mp4"]
    read = 0
    for place, value in itertools.product(leaves(whole), ODD_VALUES):
        path.write_text(json.dumps(with_value(whole, place, value)))
        try:
            found = read_report(path)
        except ReportError as error:
            assert "\n" not in str(error)
            continue
        read += 1
        # One form in turn: all of them for each would take minutes.
        name = forms[read % len(forms)]
        try:
            WRITERS[name].write(found, tmp_path / f"out{WRITERS[name].suffix}")
        except PharError as error:
            assert "\n" not in str(error)
        except Exception as error:
            raise AssertionError(f"{name}: {place} = {value!r}") from error
    assert read > 100


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (tags, ["x.json"]),
        (tags, ["x.json", "--rule", "share"]),
        (export, ["x.json", "out.csv", "--threshold", "0.5"]),
        (clips, ["gone.mp4", "x.json", "shorts", "--label", "march", "--dry-run"]),
        (filtering, ["gone.mp4", "x.json", "out.mp4", "--drop", "march", "--dry-run"]),
    ],
    ids=lambda value: (
        " ".join(value) if isinstance(value, list) else value.__name__.rsplit(".", maxsplit=1)[-1]
    ),
)
def test_no_command_is_surprised(
    whole: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: Any,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for place, value in itertools.product(leaves(whole), (None, "\x1b[31m", -1, {"a": 1})):
        Path("x.json").write_text(json.dumps(with_value(whole, place, value)))
        code = entry.main(command, "phar", arguments)
        said = capsys.readouterr()
        assert code in (0, 2, 3), f"{place} = {value!r}: {said.err}"
        assert "\x1b" not in said.out + said.err


def test_labels_from_a_report_cannot_steer_a_terminal(
    whole: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(whole).replace('"march"', '"\\u001b[2Jmar\\nch"')
    (tmp_path / "x.json").write_text(text)
    assert tags.main([str(tmp_path / "x.json")]) == 0
    assert "\\x1b[2Jmar\\nch\t" in capsys.readouterr().out


def test_saved_poses_that_claim_more_than_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "out.poses.npz"
    good = {
        "phar_poses": np.array(1),
        "frame_time_s": np.array([0.0, 1.0]),
        "frame_index": np.array([0, 1]),
        "boxes": np.zeros((2, 5), np.float32),
        "keypoints": np.zeros((2, 17, 3), np.float32),
    }
    np.savez_compressed(path, **good)
    assert len(load_poses(path).boxes) == 2
    for name, value, said in (
        ("frame_index", np.array([0, 2]), "frames that there are not"),
        ("frame_index", np.array([-1, 0]), "frames that there are not"),
        ("frame_index", np.array([[0], [1]]), "no lists"),
        ("frame_time_s", np.array([0.0, np.nan]), "not finite"),
        ("boxes", np.zeros((3, 5), np.float32), "boxes have shape"),
        ("boxes", np.array(["a" * 5] * 2), "could not convert"),
        ("keypoints", np.array([{}, {}], object), "allow_pickle"),
    ):
        np.savez_compressed(path, **(good | {name: value}))
        with pytest.raises(ReportError, match=said):
            load_poses(path)


def test_saved_poses_that_unpack_to_more_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "out.poses.npz"
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 5), }"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("phar_poses", "frame_time_s", "frame_index", "boxes", "keypoints"):
            member = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
            archive.writestr(f"{name}.npy", member)
    with pytest.raises(ReportError, match="cannot be read"):
        load_poses(path)
    # What an archive claims is looked at before anything is unpacked.
    data = bytearray(path.read_bytes())
    entry_at = data.index(b"PK\x01\x02")
    data[entry_at + 24 : entry_at + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ReportError, match="unpacks to more than 2 GB"):
        load_poses(path)


def test_annotation_tables_run_nothing_in_a_spreadsheet(tmp_path: Path) -> None:
    """Labels of strangers go through the table and back, and are no formulas in it."""
    labels = ["=1+1", "-rf", "@home", "'=quoted", "'plain", "plain"]
    rows = [Annotation(tmp_path / "=clip.mp4", i, i + 1, label) for i, label in enumerate(labels)]
    write_table(rows, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    small_video(tmp_path / "=clip.mp4", 200)
    assert [(row.label, row.video.name) for row in read_tables([tmp_path / "table.csv"])] == [
        (label, "=clip.mp4") for label in labels
    ]
    write_problems([Problem("=a", "@b", "-c", "+d", "e", "kept")], tmp_path / "problems.csv")
    assert (tmp_path / "problems.csv").read_text().splitlines()[1] == "'=a,'@b,'-c,'+d,e,kept"
