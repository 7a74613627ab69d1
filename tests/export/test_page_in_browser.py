"""The page in a real browser, with a rendered video beside it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phar.cli.main import main
from phar.export import WRITERS, read_report
from phar.schema import Report, SegmentSpec, Video
from phar.timeline import lanes, segments

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "five_scenes.mp4"
DURATION_S = 58.0
WIDTHS_PX = (360, 390, 768, 1440)


@pytest.fixture
def long_report(make_report: Callable[..., Report], tmp_path: Path) -> Report:
    """A report of the sample video, which lies beside where the page will be."""
    (tmp_path / SAMPLE.name).symlink_to(SAMPLE)
    rng = np.random.default_rng(3)
    rows = []
    for i in range(9):
        row: dict[str, Any] = {"rgb": rng.dirichlet([0.4] * 4).round(3).tolist()}
        row["skeleton"] = "no person" if i % 3 == 0 else rng.dirichlet([1, 1]).round(3).tolist()
        row["audio"] = "too quiet" if i % 2 else [1.0]
        rows.append(row)
    video = Video(str(tmp_path / SAMPLE.name), DURATION_S, Fraction(30), 426, 240, True)
    return make_report(rows, DURATION_S, video=video)


@pytest.fixture
def page(browser: Any, long_report: Report, tmp_path: Path) -> Any:
    WRITERS["html"].write(long_report, tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    browser.wait("document.querySelector('video').readyState >= 2")
    return browser


def playhead(page: Any) -> float:
    return page.run("return document.querySelector('video').currentTime")


def timestamps(found: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "label": segment.label,
            "start_s": round(segment.start_s, 6),
            "end_s": round(segment.end_s, 6),
            "score": pytest.approx(segment.score, abs=1.1e-6),
        }
        for segment in found
    ]


def saved(page: Any) -> dict[str, Any]:
    page.click("#save-json")
    return json.loads(page.downloaded("five_scenes_segments.json"))


def test_a_click_seeks_the_video(page: Any) -> None:
    video = page.run("const v = document.querySelector('video'); return [v.videoWidth, v.duration]")
    assert video == [426, pytest.approx(DURATION_S, abs=0.1)]
    box = page.run("return document.querySelector('#lanes').getBoundingClientRect().toJSON()")
    page.run(
        "const at = {clientX: arguments[0], clientY: arguments[1], button: 0, pointerId: 1, bubbles: true};"
        "const plot = document.querySelector('#plot'); plot.setPointerCapture = () => {};"
        "plot.dispatchEvent(new PointerEvent('pointerdown', at))",
        box["x"] + box["width"] / 4,
        box["y"] + 5,
    )
    assert playhead(page) == pytest.approx(DURATION_S / 4, abs=DURATION_S / box["width"])
    page.wait("!document.querySelector('video').seeking")
    page.set("#seek", 40)
    assert playhead(page) == 40
    row = page.driver.find_elements("css selector", "#listing tbody tr")[-1]
    start = row.find_element("css selector", "button")
    minutes, seconds = start.text.split(":")
    start.click()
    assert playhead(page) == pytest.approx(60 * int(minutes) + float(seconds), abs=0.06)


def test_the_video_plays_and_is_blurred_until_asked(page: Any) -> None:
    blur = "return getComputedStyle(document.querySelector('video')).filter"
    assert page.run(blur).startswith("blur(")
    page.press("b")
    assert page.run(blur) == "none"
    page.press("b")
    assert page.run(blur).startswith("blur(")
    page.press(" ")
    page.wait("document.querySelector('video').currentTime > 0.2")
    page.press(" ")
    page.wait("document.querySelector('video').paused")


def test_settings_make_the_segments_python_makes(page: Any, long_report: Report, tmp_path: Path) -> None:
    assert saved(page)["timestamps"] == timestamps(list(long_report.timestamps))
    before = page.texts("#listing tbody td")
    page.set("#common .setting:nth-child(1) input[type=range]", 0.55)
    assert page.texts("#listing tbody td") != before
    spec = SegmentSpec(threshold=0.55)
    expected = segments(long_report.predictions, long_report.labels, spec)
    assert saved(page)["timestamps"] == timestamps(expected)

    page.set("#all-hysteresis", 0.15)
    page.set("#all-smooth_s", 14)
    page.set("#all-min_length_s", 7.5)
    page.set("#all-max_gap_s", 7)
    page.set("#label", 1)
    page.set("#one-threshold", 0.3)
    page.set("#one-min_length_s", 2)
    page.set("#one-max_gap_s", 21)
    spec = SegmentSpec(0.55, {"wave": 0.3}, 0.15, 14, 7.5, {"wave": 2}, 7, {"wave": 21})
    given = long_report.predictions, long_report.labels, spec
    answer = saved(page)
    assert answer["segments"] == spec.settings()
    assert answer["timestamps"] == timestamps(segments(*given))

    # The command the page shows makes the same of the JSON report.
    WRITERS["json"].write(long_report, tmp_path / "report.json")
    command = shlex.split(page.texts("#command")[0].replace("\\\n", ""))
    assert command[:2] == ["phar", "export"]
    paths = {"REPORT.json": "report.json", "OUT.json": "again.json"}
    assert main([str(tmp_path / paths[part]) if part in paths else part for part in command[1:]]) == 0
    again = read_report(tmp_path / "again.json")
    assert answer["timestamps"] == timestamps(list(again.timestamps))

    page.run("document.querySelector('input[value=lanes]').click()")
    page.settle()
    answer = saved(page)
    every = [segment for lane in lanes(*given).values() for segment in lane]
    order = {label: i for i, label in enumerate(long_report.labels)}
    every.sort(key=lambda segment: (segment.start_s, order[segment.label]))
    assert answer["kind"] == "lanes"
    assert answer["timestamps"] == timestamps(every)

    page.click("#reset")
    page.run("document.querySelector('input[value=segments]').click()")
    page.settle()
    assert saved(page)["timestamps"] == timestamps(list(long_report.timestamps))


def test_csv_has_a_line_per_segment(page: Any, long_report: Report) -> None:
    page.click("#save-csv")
    head, *lines = page.downloaded("five_scenes_segments.csv").split("\r\n")
    assert head == "label,start_s,end_s,score"
    assert [line.rsplit(",", 1)[0] for line in lines[:-1]] == [
        f"{s.label},{s.start_s:g},{s.end_s:g}" for s in long_report.timestamps
    ]


def test_the_panel_says_what_each_stream_added(page: Any, long_report: Report) -> None:
    page.set("#seek", 8)
    prediction = long_report.predictions[1]
    best = int(prediction.probs.argmax())
    rows = {
        cells[0]: cells[1:]
        for cells in page.run(
            "return [...document.querySelectorAll('#parts tbody tr')]"
            ".map((tr) => [...tr.children].map((cell) => cell.textContent))"
        )
    }
    assert rows["audio"] == ["silent: too quiet"]
    total = 0.5 + 0.6
    score = float(prediction.streams["rgb"].probs[best])
    assert rows["rgb"] == [f"{score:.2f}", "0.5", f"{0.5 * score / total:.2f}"]
    assert rows["fused"][-1] == f"{prediction.probs[best]:.2f}"
    assert page.texts("#verdict strong") == [long_report.labels[best]]
    passed = prediction.probs[best] >= 0.3
    assert page.texts("#verdict span")[0].startswith("Flagged" if passed else "Not flagged")


def test_the_panel_says_what_decided(browser: Any, make_report: Any, tmp_path: Path) -> None:
    march = [0.8, 0.45, 0.1, 0.8, 0.1, 0.1, 0.45, 0.1, 0.1]
    wave = [0, 0, 0, 0, 0, 0.7, 0, 0, 0.3]
    rows = [{"rgb": [m, w, 0, 0]} for m, w in zip(march, wave, strict=True)]
    WRITERS["html"].write(make_report(rows, 9 * 7.0), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    for name, value in {"threshold": 0.5, "hysteresis": 0.1, "max_gap_s": 7, "min_length_s": 8}.items():
        browser.set(f"#all-{name}", value)
    said = []
    for i in range(9):
        browser.set("#seek", 7 * i + 3)
        said.append((browser.texts("#verdict strong")[0], browser.texts("#verdict span")[0]))
    assert said == [
        ("march", "Flagged: 0.80 reaches the threshold of 0.5."),
        (
            "march",
            "Flagged: 0.45 misses the threshold of 0.5 by no more than the hysteresis of 0.1, "
            "beside a window that reaches it.",
        ),
        ("march", "Flagged: 0.10; the gap between two runs is bridged, being no longer than 7 s."),
        ("march", "Flagged: 0.80 reaches the threshold of 0.5."),
        ("march", "Not flagged: 0.10 misses the threshold of 0.5."),
        ("wave", "Not flagged: 0.70, but the run is shorter than the least length of 8 s."),
        ("march", "Not flagged: 0.45 is near the threshold of 0.5, but no window of its run reaches it."),
        ("march", "Not flagged: 0.10 misses the threshold of 0.5."),
        ("wave", "Not flagged: 0.30 misses the threshold of 0.5."),
    ]
    browser.click(".lane[data-label='0']")
    browser.set("#seek", 38)
    assert browser.texts("#verdict span") == ["Not flagged: 0.10; a run of wave here was dropped."]
    browser.set("#seek", 60)
    assert browser.texts("#verdict span") == ["Not flagged: 0.10; wave is higher."]


def test_terms_add_up_for_every_rule(
    browser: Any, make_report: Callable[..., Report], tmp_path: Path
) -> None:
    from phar.fusion import RULES, fuse

    rng = np.random.default_rng(4)
    vocabularies = {"rgb": range(5), "skeleton": (0, 1, 2), "audio": (2, 3)}
    WRITERS["html"].write(make_report([{"rgb": [1, 0, 0, 0]}], 5.0), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    script = """
    const [profile, streams, fused] = arguments;
    const made = streams.map(({ name, labels, weight, probs }) => ({
      name, labels, knows: (label) => labels.includes(label), silence: () => null, weight: () => weight,
      score: (w, label) => probs[labels.indexOf(label)],
    }));
    const terms = globalThis.phar.Fusion.terms(profile, made, 0, Float32Array.from(fused));
    return terms && Object.fromEntries(terms);
    """
    from phar.schema import StreamScore, Window

    window, labels = Window(0, 0, 7), [f"l{i}" for i in range(5)]
    for rule in RULES:
        for temperature in (1.0, 2.5):
            named = {name: [labels[i] for i in own] for name, own in vocabularies.items()}
            probs = {name: rng.dirichlet([1] * len(own)) for name, own in vocabularies.items()}
            scores = {n: StreamScore(n, window, p.astype(np.float32)) for n, p in probs.items()}
            weights = {"rgb": 0.5, "skeleton": 0.6, "audio": 1.0}
            temperatures = {"audio": temperature}
            label_weights = {"skeleton": {"l1": temperature}}
            biases = {"rgb": {"l4": 0.5}, "audio": {"l0": -0.3}}
            fused = fuse(rule, labels, named, weights, scores, temperatures, label_weights, biases).probs
            streams = [
                {"name": n, "labels": list(own), "weight": weights[n], "probs": scores[n].probs.tolist()}
                for n, own in vocabularies.items()
            ]
            profile = {
                "fusion": rule,
                "temperatures": temperatures,
                "label_weights": {"skeleton": [None, temperature, None, None, None]},
                "biases": {"rgb": [0, 0, 0, 0, 0.5], "audio": [-0.3, 0, 0, 0, 0]},
            }
            terms = browser.run(script, profile, streams, fused.tolist())
            sums = np.sum(list(terms.values()), axis=0)
            if rule == "stacked":
                sums = np.exp(sums) / np.exp(sums).sum()
            assert sums == pytest.approx(fused, abs=1e-6)
            if rule == "weighted_sum" and temperature == 1:
                assert terms["rgb"][0] == pytest.approx(0.5 * probs["rgb"][0] / 2.1, abs=1e-6)
                assert terms["rgb"][1] == pytest.approx(0.5 * probs["rgb"][1] / 2.5, abs=1e-6)
            wrong = [1 - score for score in fused.tolist()]
            assert browser.run(script, profile, streams, wrong) is None
    assert browser.run(script, {"fusion": "of another phar", "temperatures": {}}, [], []) is None


def test_labels_are_searched_and_picked(page: Any) -> None:
    assert sorted(page.texts(".lane span:first-child")) == ["march", "ring", "wave"]
    page.press("/")
    page.press("WA")
    assert page.texts(".lane span:first-child") == ["wave"]
    assert set(page.texts("#listing tbody td:nth-child(3)")) <= {"wave"}
    page.press("\ue00c")
    assert len(page.texts(".lane")) == 3
    page.click(".lane[data-label='2']")
    assert page.texts("#legend strong") == ["ring"]
    page.set("#seek", 30)
    assert page.texts("#verdict strong") == ["ring"], "a label that was picked stays"


def test_keys_go_from_segment_to_segment(page: Any, long_report: Report) -> None:
    starts = [segment.start_s for segment in long_report.timestamps if segment.label != "none"]
    for start in starts[1:3]:
        page.press("j")
        assert playhead(page) == start
    page.press("k")
    assert playhead(page) == starts[1]
    page.press("\ue014")
    assert playhead(page) == starts[1] + 5
    page.run("document.querySelector('#common input').focus()")
    page.press("k")
    assert playhead(page) == starts[1], "a slider needs arrows and no letters"
    page.press("?")
    assert page.run("return document.querySelector('#keys').open")
    assert len(page.texts("#keys tr")) == 12
    page.press("\ue00c")
    assert not page.run("return document.querySelector('#keys').open")


def test_a_video_that_is_not_there_is_asked_for(browser: Any, make_report: Any, tmp_path: Path) -> None:
    video = Video(str(tmp_path / "gone.mp4"), DURATION_S, Fraction(30), 426, 240, True)
    rows = [{"rgb": [0.1 * i, 0.5, 0, 0]} for i in range(9)]
    (tmp_path / "pages").mkdir()
    path = tmp_path / "pages" / "page.html"
    WRITERS["html"].write(make_report(rows, DURATION_S, video=video), path)
    browser.open(path)
    browser.wait("!document.querySelector('#missing').hidden")
    assert browser.texts("#missing-text")[0].startswith("gone.mp4 is not beside this page")
    browser.set("#seek", 30)
    assert browser.texts("#window") == ["window 5 of 9, 0:28.0 to 0:35.0"], "scores need no video"
    browser.driver.find_element("css selector", "#file").send_keys(str(SAMPLE))
    browser.wait("document.querySelector('video').readyState >= 2")
    assert playhead(browser) == 30
    assert browser.texts("#notice") == [""]
    assert browser.run("return document.querySelector('#missing').hidden")
    tried = [address.rsplit("/", 2)[-2:] for address in browser.requests() if address.endswith("mp4")]
    assert tried == [[tmp_path.name, "gone.mp4"], ["pages", "gone.mp4"]]


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_no_width_scrolls_sideways(browser: Any, make_report: Any, tmp_path: Path, width_px: int) -> None:
    labels = ("a_very_long_label_name_without_any_place_to_break_it_" * 2, "wave", "ring", "none")
    rows = [{"rgb": [0.9, 0.1, 0, 0]}, {"rgb": "x" * 120}, {"rgb": [0, 0.8, 0, 0.2]}]
    report = make_report(rows, 3 * 7.0)
    fields = {key: getattr(report, key) for key in report.__dataclass_fields__}
    fields["labels"] = labels
    fields["vocabularies"] = {"rgb": labels}
    WRITERS["html"].write(Report(**fields), tmp_path / "page.html")
    browser.screen(width_px, 740, mobile=width_px < 800)
    browser.open(tmp_path / "page.html")
    for position in (0, 8):
        browser.set("#seek", position)
        root, body, inside = browser.run(
            "const root = document.documentElement;"
            "return [root.scrollWidth, document.body.scrollWidth, root.clientWidth]"
        )
        assert root == body == inside
        assert width_px - 20 <= inside <= width_px


def contrast(one: str, other: str) -> float:
    """Return the ratio of two `rgb(r, g, b)` colours.

    Source: contrast ratio, WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


COLOURS = """
const probe = document.createElement("i");
document.body.append(probe);
const found = arguments[0].map((token) => {
  probe.style.color = `var(--${token})`;
  return getComputedStyle(probe).color;
});
probe.remove();
return found;
"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_theme_has_enough_contrast(page: Any, dark: bool) -> None:
    page.screen(1440, 900, dark=dark)
    inks = ["text", "dim", "accent", "alarm", "stream-0", "stream-1", "stream-2", "stream-3"]
    colours = dict(zip(inks, page.run(COLOURS, inks), strict=True))
    edge, *papers = page.run(COLOURS, ["edge", "page", "surface", "wash", "sunken"])
    assert (contrast(papers[1], "rgb(0, 0, 0)") < 2) == dark
    for name, ink in colours.items():
        grounds = papers if name in ("text", "dim") else papers[1:2]
        assert min(contrast(ink, paper) for paper in grounds) >= 4.5, name
    assert contrast(edge, papers[1]) >= 3, "borders of controls"
    page.click("#theme")
    page.click("#theme")
    assert page.texts("#theme") == ["Theme: dark"]
    assert contrast(page.run(COLOURS, ["surface"])[0], "rgb(0, 0, 0)") < 2


def test_every_control_has_a_name(page: Any) -> None:
    page.run("for (const part of document.querySelectorAll('details')) part.open = true")
    nodes = page.devtools("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "spinbutton", "searchbox", "combobox", "radio", "checkbox", "table", "img"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles - {"table"}
    ]
    assert len(found) > 40
    assert [entry for entry in found if not entry[1]] == []
    assert page.run("return document.querySelectorAll('#listing th[scope=col]').length") == 5
