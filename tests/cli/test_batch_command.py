"""phar batch and phar find, with the bundled RGB net and with none."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from phar.cli import main as phar

NAMES = (b"plain.mp4", b"-rf.mp4", b"=1+1.mp4", b"new\nline.mp4", b"caf\xe9 \"'.mp4")


@pytest.fixture
def library(make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Short clips with odd names, each of another length, and a file that is no video."""
    folder = tmp_path / "lib"
    folder.mkdir()
    for i, name in enumerate(NAMES):
        shutil.copy(make_clip(1 + i * 0.5), folder / os.fsdecode(name))
    (folder / "bad.mp4").write_text("no video")
    monkeypatch.chdir(tmp_path)
    return folder


RGB_ONLY = ("--profile", "demo", "--skeleton-checkpoint", "", "--audio-checkpoint", "")


def test_from_library_to_answers(library: Path, capfdbinary) -> None:
    command = ["batch", "lib", "--out", "out", "--workers", "1", *RGB_ONLY]
    assert phar.main(command) == 7
    said, err = capfdbinary.readouterr()
    assert err.splitlines() == [
        b"phar batch: "
        + os.fsencode(library)
        + b"/bad.mp4: is not a media file that phar can read, or it is damaged"
    ]
    assert len(said.splitlines()) == 6
    assert b"out: 5 analysed, 1 failed; 0.00 h of video in " in said.splitlines()[-1]
    reports = {os.fsencode(path.name) for path in Path("out/reports/lib").iterdir()}
    assert reports == {name + b".json" for name in NAMES}
    before = json.loads(Path("out/reports/lib/plain.mp4.json").read_text())
    assert before["video"]["duration_s"] == 1
    assert before["profile"]["chosen"] == "asked for"

    # A change of settings needs neither nets nor decoding: it takes the report's word.
    assert phar.main([*command, "--format", "timestamps", "--topk", "2"]) == 7
    said, err = capfdbinary.readouterr()
    assert b"out: 5 recomputed, 1 failed before" in said.splitlines()[-1]
    after = json.loads(Path("out/reports/lib/plain.mp4.json").read_text())
    assert len(after["clips"][0].pop("topk")) == 2
    assert len(before["clips"][0].pop("topk")) == 5
    assert {**after, "created": ""} == {**before, "created": ""}

    (library / "bad.mp4").unlink()
    assert phar.main([*command, "--format", "timestamps", "--topk", "2"]) == 0
    said, err = capfdbinary.readouterr()
    assert said.splitlines()[-1] == b"out: 5 unchanged"

    assert phar.main(["find", "--catalogue", "out", "--print0"]) == 0
    assert set(capfdbinary.readouterr().out.split(b"\0")[:-1]) == {
        os.fsencode(library) + b"/" + name for name in NAMES
    }
    assert phar.main(["find", "--catalogue", "out", "--sort", "duration"]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0] == f"    0:03  {library}/caf\\xe9 \"'.mp4"
    assert lines[1] == f"    0:02  {library}/new\\nline.mp4"
    assert phar.main(["find", "--catalogue", "out", "--json", "--under", "lib"]) == 0
    paths = {row["path"]: row.get("path_hex") for row in json.loads(capfdbinary.readouterr().out)}
    assert paths[f"{library}/new\nline.mp4"] is None
    assert (
        bytes.fromhex(paths[f"{library}/caf\ufffd \"'.mp4"] or "") == os.fsencode(library) + b"/" + NAMES[4]
    )


@pytest.fixture
def catalogue(library: Path, small_profile: Path) -> list[str]:
    """A catalogue in which everything is still to do, as flags of phar find."""
    from phar.batch.catalogue import Catalogue
    from phar.batch.sources import find_videos

    with Catalogue(Path("out")) as opened:
        opened.enrol(find_videos(["lib"], []))
    return ["find", "--catalogue", "out"]


def test_dry_run_does_nothing(library: Path, small_profile: Path, capsys) -> None:
    command = ["batch", "lib/*.mp4", "--out", "out", "--profile", str(small_profile), "--dry-run"]
    assert phar.main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"analyse\t{library}/-rf.mp4"
    assert said[-1] == "out: 6 videos; analyse 6 (0.0 GB)"
    assert not Path("out").exists()
    os.utime(library / "plain.mp4", (1, 1))
    assert phar.main([*command, "--since", "1d"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "out: 5 videos; analyse 5 (0.0 GB)"
    assert phar.main([*command[:-1], "--since", "2999-01-01"]) == 0
    assert capsys.readouterr().out == "out: no file has changed since 2999-01-01\n"


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        ((), 2, "no videos named; give folders"),
        (("nowhere",), 3, "nowhere: no such file or folder"),
        (("out",), 3, "out: no such file or folder"),
        (("lib", "--list", "none.txt"), 2, "list none.txt cannot be read: No such file"),
        (("lib", "--since", "soon"), 2, "'soon' is no date; write 2024-05-31"),
        (("lib", "--format", "json"), 2, "--format: invalid choice: 'json'"),
        (("lib", "--profile", "none"), 4, "profile 'none' is unknown"),
        (("lib", "--audio-checkpoint", "none.pth"), 4, "none.pth is missing"),
    ],
)
def test_refused_before_any_work(
    library: Path, capsys, flags: tuple[str, ...], code: int, reason: str
) -> None:
    assert phar.main(["batch", "--out", "out", *flags]) == code
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--label", "wave"), "label 'wave' is in no video; the catalogue knows none at all"),
        (("--min-seconds", "3"), "--min-seconds is about a label; name it with --label"),
        (("--sort", "score"), "--sort score is about a label"),
        (("--like", "lib/plain.mp4"), "no labels of this video are in the catalogue"),
        (("--like", "x", "--sort", "path"), "--like sorts by likeness"),
        (("--stats", "--print0"), "--print0 prints paths"),
        (("--json", "--csv"), "not allowed with argument"),
    ],
)
def test_questions_that_make_no_sense(
    catalogue: list[str], capsys, flags: tuple[str, ...], reason: str
) -> None:
    assert phar.main([*catalogue, *flags]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1


def test_find_without_a_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert phar.main(["find", "--label", "wave"]) == 2
    assert "catalogue.sqlite does not exist; name the folder" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "overwritten", "no text"])
def test_a_damaged_catalogue_is_told_in_one_line(
    catalogue: list[str], library: Path, small_profile: Path, capsys, damage: str
) -> None:
    path = Path("out/catalogue.sqlite")
    content = bytearray(path.read_bytes())
    at = content.index(os.fsencode(library)) & ~4095
    if damage == "cut":
        del content[at:]
    elif damage == "overwritten":
        content[4096:] = b"\xa5" * len(content[4096:])
    path.write_bytes(content)
    if damage == "no text":
        with sqlite3.connect(path) as database:
            database.execute("INSERT INTO label (name) VALUES (CAST(x'ff' AS TEXT))")
    for question in ([], ["--stats"], ["--failed"], ["--parquet", "tables"]):
        assert phar.main([*catalogue, *question]) == 2, question
        err = capsys.readouterr().err
        assert "cannot be read: " in err
        assert "if it is damaged move it away" in err
        assert err.count("\n") == 1
    assert phar.main(["batch", "lib", "--out", "out", "--profile", str(small_profile)]) in (2, 5)
    assert capsys.readouterr().err.count("\n") == 1


def test_csv_cells_are_no_formulas(library: Path, capsys) -> None:
    from phar.batch.catalogue import Catalogue, Failure
    from phar.batch.sources import Found

    with Catalogue(Path("out")) as opened:
        for i, error in enumerate(("=cmd|'/c calc'!A1", "+1", "-1", "@x", "\t=1", 'plain, and "quoted"')):
            opened.enrol([Found(f"/lib/{i}.mp4", f"lib/{i}.mp4", None)])
            opened.failed(i + 1, Failure(3, error), None, "analysis")
    assert phar.main(["find", "--catalogue", "out", "--failed", "--csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["path", "error"]
    assert [row[1] for row in rows[1:]] == [
        *("'=cmd|'/c calc'!A1", "'+1", "'-1", "'@x", "'\t=1", 'plain, and "quoted"')
    ]
    assert phar.main(["find", "--catalogue", "out", "--stats"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "videos    6: 0 done, 6 failed, 0 pending"
