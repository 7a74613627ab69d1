"""Videos whose names break shells, markup, tables and encodings: every output is made, and harmless."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from phar.cli import clips, dataset, demo, entry, export
from phar.cli import filter as filtering
from phar.dataset.importing import read_tables
from phar.media import probe, read_frames, write_excerpt

NAMES = (
    b"new\nline.mp4",
    b"quo\"te's.mp4",
    b"-rf.mp4",
    b"$(touch owned); touch owned.mp4",
    b"<script>owned<img src=x>.mp4",
    b"=HYPERLINK(1).mp4",
    b"%s%n%d.mp4",
    b"caf\xe9.mp4",
    b"\x1b[31mred.mp4",
    b"concat:a|b.mp4",
    b"a\\b.mp4",
    "\u202egpj.mp4".encode(),
)


class Elements(HTMLParser):
    """Names of all elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)


@pytest.mark.parametrize("name", NAMES)
def test_every_output_of_any_name(
    name: bytes,
    fake_streams: Callable[..., None],
    small_profile: Path,
    make_clip: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fake_streams(
        rgb=lambda start_s: [1, 0, 0, 0] if start_s == 0 else [0, 1, 0, 0],
        skeleton=lambda _: "no person",
        audio=lambda _: "too quiet",
    )
    folder = tmp_path / "odd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    video = folder / os.fsdecode(name)
    shutil.copy(make_clip(9), video)
    assert demo.main(["--profile", str(small_profile), "--", video.name, "out.json"]) == 0
    report = json.loads(Path("out.json").read_text())
    assert report["video"]["path"] == name.decode("utf-8", "replace")
    for out in ("out.html", "out.csv", "out.vtt", "out.xml"):
        assert entry.main(export, "phar export", ["out.json", out, "--video", str(video)]) == 0, out
    assert Elements(Path("out.html").read_text(encoding="utf-8")).names.count("script") == 2
    with Path("out.csv").open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    assert entry.main(export, "phar export", ["out.json", "--mux", "copy.mkv", "--video", str(video)]) == 0
    write_excerpt(video, 0.5, 1.5, "piece.mp4")
    assert len(list(read_frames("piece.mp4"))) > 1
    cut = ["--drop", "wave", "--", video.name, "out.json", "cut.mp4"]
    assert entry.main(filtering, "phar filter", cut) == 0
    assert probe("cut.mp4").duration_s == pytest.approx(7, abs=0.2)
    shorts = [f"./{video.name}", "out.json", "shorts", "--label", "march", "--length", "1..5"]
    assert entry.main(clips, "phar clips", shorts) == 0
    assert len(list(Path("shorts").glob("*.mp4"))) >= 1
    shutil.rmtree("shorts")
    # A table is UTF-8; of what it cannot hold nothing is written, and the rest is.
    scenes = ["scenes", f"./{video.name}", "cut.mp4", "--out", "shots.csv"]
    assert entry.main(dataset, "phar dataset", scenes) == (7 if b"\xe9" in name else 0)
    with Path("shots.csv").open(newline="") as stream:
        shown = {row["video"] for row in csv.DictReader(stream)}
    assert len(shown) == (1 if b"\xe9" in name else 2)
    known = {video.name, "out.json", "out.html", "out.csv", "out.vtt", "out.xml", "copy.mkv", "piece.mp4"}
    if b"\xe9" not in name:
        with Path("table.csv").open("w", newline="") as stream:
            rows = [["video", "start_s", "end_s", "label"], [video.name, 0, 2, "march"]]
            csv.writer(stream).writerows(rows)
        assert entry.main(dataset, "phar dataset", ["import", "table.csv", "--out", "marks.csv"]) == 0
        assert [row.video for row in read_tables([Path("marks.csv")])] == [video]
        known |= {"table.csv", "marks.csv", "marks.problems.csv"}
    said = capfd.readouterr()
    assert "\x1b" not in said.out + said.err
    known |= {"cut.mp4", "shots.csv"}
    assert {path.name for path in folder.iterdir()} == known
