"""The page as a file: inert whatever it holds, allowed nothing, and known again as phar's own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from phar.cli.main import main
from phar.export import WRITERS, check_target, writer_for
from phar.export.html import PARTS, SCRIPTS, STYLES, contents, sources
from phar.schema import Report, Segment, UsageError, Video

HOSTILE = "</script><script>alert(1)</script><!--\u2028&amp;{{script}}"


class Elements(HTMLParser):
    """Elements with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        # What follows a script's end is not its text.
        if self.cdata_elem:
            self.texts[-1] += data

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(a, text) for (t, a), text in zip(self.found, self.texts, strict=True) if t == tag]


def written(report: Report, path: Path) -> Elements:
    WRITERS["html"].write(report, path)
    return Elements(path.read_text(encoding="utf-8"))


def test_the_suffix_picks_the_page(report: Report, tmp_path: Path) -> None:
    assert writer_for(Path("OUT.HTML")).name == "html"


def test_the_command_takes_settings_along(report: Report, tmp_path: Path) -> None:
    WRITERS["json"].write(report, tmp_path / "out.json")
    arguments = [str(tmp_path / "out.json"), str(tmp_path / "out.html"), "--threshold", "0.9"]
    assert main(["export", *arguments]) == 0
    page = Elements((tmp_path / "out.html").read_text())
    data = json.loads(page.of("script")[0][1])
    assert data["segments"]["threshold"] == 0.9
    assert data["reported"] is None


def test_a_page_may_be_replaced_and_other_pages_may_not(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    written(report, path)
    check_target(path)
    for text in (
        "<!doctype html>\n<p>mine",
        "<!doctype html>",
        "<html></html>",
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match="was not written by phar"):
            check_target(path)


def test_nothing_in_a_report_can_become_markup(make_report: Callable[..., Report], tmp_path: Path) -> None:
    labels = (HOSTILE, "</title><img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "none")
    report = make_report([{"rgb": HOSTILE, "skeleton": HOSTILE, "audio": HOSTILE}], 5.0)
    report = Report(
        **{
            **{name: getattr(report, name) for name in report.__dataclass_fields__},
            "labels": labels,
            "vocabularies": {"rgb": labels},
            "video": Video(f"{HOSTILE}.mp4".replace("/", "_"), 5.0, Fraction(25), 64, 48, True),
            "warnings": (HOSTILE,),
            "timestamps": (Segment(HOSTILE, 0, 5, 0.5),),
        }
    )
    plain = written(make_report([{"rgb": [0.5, 0.5, 0, 0]}], 5.0), tmp_path / "plain.html")
    hostile = written(report, tmp_path / "hostile.html")
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
    assert hostile.of("script")[1] == plain.of("script")[1]
    data = json.loads(hostile.of("script")[0][1])
    assert data["labels"] == list(labels)
    assert data["streams"][0]["states"] == [{"silent": HOSTILE}]
    assert data["reported"] == [[HOSTILE, 0, 5, 0.5]]


def test_the_page_allows_itself_alone(report: Report, tmp_path: Path) -> None:
    page = written(report, tmp_path / "out.html")
    policy = next(
        attributes["content"]
        for attributes, _ in page.of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    (_, data), (_, script) = page.of("script")
    ((_, style),) = page.of("style")
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "script-src": hashed(script),
        "style-src": hashed(style),
        "media-src": "'self' file: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert hashed(data) not in policy
    attributes = {name for _, attributes in page.found for name in attributes}
    assert not {name for name in attributes if name.startswith("on")} | (attributes & {"src", "style"})
    assert re.findall(r"\w+://[\w./]+", script + style) == ["http://www.w3.org/2000/svg"], (
        "a name, no address"
    )


def test_every_part_is_used() -> None:
    assert {path.name for path in PARTS.iterdir()} == {"page.html", *STYLES, *SCRIPTS}


def test_scores_and_times_are_kept_to_the_last_bit(report: Report, tmp_path: Path) -> None:
    data = contents(report, tmp_path / "out.html")
    scores = np.frombuffer(base64.b64decode(data["scores"]), "<f4").reshape(3, 4)
    assert np.array_equal(scores, [prediction.probs for prediction in report.predictions])
    assert np.frombuffer(base64.b64decode(data["bounds"]), "<f8").tolist() == [0, 7, 14, 16.5]
    audio = next(stream for stream in data["streams"] if stream["name"] == "audio")
    assert audio["labels"] == [2]
    assert audio["states"] == [{"silent": "too quiet"}, {"weight": 1.0}]
    assert np.frombuffer(base64.b64decode(audio["state"]), "<u4").tolist() == [0, 1, 0]
    assert np.frombuffer(base64.b64decode(audio["scores"]), "<f4").tolist() == [1.0]


def test_segments_that_scores_do_not_give_are_kept(report: Report, tmp_path: Path) -> None:
    assert contents(report, tmp_path / "out.html")["reported"] is None
    first, *rest = report.timestamps
    moved = Segment(first.label, first.start_s, first.end_s - 0.5, first.score)
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    snapped = Report(**{**fields, "timestamps": (moved, *rest)})
    reported = contents(snapped, tmp_path / "out.html")["reported"]
    assert reported[0][:3] == [first.label, first.start_s, first.end_s - 0.5]


def test_where_the_page_looks_for_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pages").mkdir()
    page = tmp_path / "pages" / "out.html"
    video = tmp_path / "my films" / "50% #1?.mp4"
    assert sources(str(video), page) == ["./../my%20films/50%25%20%231%3F.mp4", "./50%25%20%231%3F.mp4"]
    assert sources(str(page.with_name("a.mp4")), page) == ["./a.mp4"]
    monkeypatch.chdir(tmp_path)
    assert sources("javascript:alert(1).mp4", page) == [
        "./../javascript%3Aalert%281%29.mp4",
        "./javascript%3Aalert%281%29.mp4",
    ]
    assert sources("\udcff.mp4", page)[-1] == "./%FF.mp4"


def test_folders_of_this_machine_stay_out(make_report: Callable[..., Report], tmp_path: Path) -> None:
    report = make_report([{"rgb": [1, 0, 0, 0]}], 5.0)
    model = {"config": "/home/jo/x/a.py", "checkpoint": "/home/jo/x/a.safetensors", "sha256": None}
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    fields["profile"] = {**report.profile, "models": {"rgb": model}}
    fields["video"] = Video(str(tmp_path / "clip.mp4"), 5.0, Fraction(25), 64, 48, True)
    path = tmp_path / "out.html"
    WRITERS["html"].write(Report(**fields), path)
    text = path.read_text()
    assert "a.safetensors" in text
    assert not re.search(r"/home/jo|" + re.escape(str(tmp_path)), text)
