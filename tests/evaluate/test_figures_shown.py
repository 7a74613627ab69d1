"""The figures as pictures, Markdown, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree, html
from scored import LABELS, answers_of, table_of, true_video

from phar.evaluate.markdown import markdown, number, percent, points
from phar.evaluate.output import check_output, write_output
from phar.evaluate.page import page
from phar.evaluate.pictures import by_label, confusion, encoded, reliability
from phar.evaluate.summary import Model, summarize
from phar.schema import Segment, UsageError

TRUTHS = (
    true_video("a", ("jog", 0, 20), ("sing", 20, 30), category="<b>x</b>"),
    true_video("b", ("sing", 0, 10), ("jog", 10, 20), category="y|z"),
)
FIRST = ([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.3, 0.6, 0.1]], [[0.0, 0.0, 0.0], [0.7, 0.2, 0.1]])
OTHER = ([[0.9, 0.1, 0.0], [0.6, 0.1, 0.3], [0.3, 0.6, 0.1]], [[0.1, 0.7, 0.1], [0.7, 0.2, 0.1]])
SEGMENTS = ([Segment("jog", 0, 30, 0.9)], [Segment("none", 0, 20, 0.9)])


@pytest.fixture(scope="module")
def document() -> Mapping[str, Any]:
    table = table_of(TRUTHS, (30.0, 20.0))
    models = [
        Model(name, table, {"fused": answers_of(table, rows, SEGMENTS)}, {})
        for name, rows in (("first", FIRST), ("other", OTHER))
    ]
    return summarize(models, controls=True)


def test_numbers_with_their_intervals() -> None:
    assert percent({"value": 0.729, "low": 0.68, "high": 0.7749}) == "72.9 % (68.0-77.5)"
    assert percent({"value": 1.0, "low": None, "high": None}) == "100.0 %"
    assert percent({"value": None, "low": None, "high": None}) == "-"
    assert points({"value": 0.021, "low": -0.005, "high": 0.046}) == "+2.1 (-0.5 to +4.6)"
    assert number({"value": 1.54, "low": 0.61, "high": 3.07}, " s") == "1.54 s (0.61-3.07)"


def test_markdown_holds_every_model_and_the_difference(document: Mapping[str, Any]) -> None:
    text = markdown(document)
    # 3 of 5 windows, and all 5: two fifths more, in each draw what its videos give.
    assert "| first | **fused** | 60.0 % (" in text
    assert "| other | **fused** | 100.0 % (100.0-100.0) |" in text
    assert "| other | +40.0 (+33.3 to +50.0) |" in text
    assert "| sing | y\\|z | 1 | 0.0 % (" in text


def test_the_page_is_whole_and_passes_nothing_on(document: Mapping[str, Any]) -> None:
    text = page(document)
    tree = html.document_fromstring(text)
    assert tree.findtext(".//title") == "Evaluation of first, other"
    assert tree.xpath("//script | //b | //link | //iframe") == []
    assert len(tree.xpath("//table")) == len(
        [line for line in markdown(document).splitlines() if "| --- |" in line]
    )
    cells = [cell.text_content() for cell in tree.xpath("//td")]
    assert "<b>x</b>" in cells
    assert "y|z" in cells
    sources = tree.xpath("//img/@src")
    assert len(sources) == 2 * 3
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)


def test_confusion_picture() -> None:
    figure = confusion([[2, 1, 0, 1], [0, 0, 0, 0], [1, 0, 3, 0]], list(LABELS))
    axes = figure.axes[0]
    # Rows of what is true somewhere, columns of what was named; silence has its own.
    assert axes.images[0].get_array().tolist() == [[0.5, 0.25, 0, 0.25], [0.25, 0, 0.75, 0]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["jog", "sing", "none", "silent"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["jog  4", "none  4"]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "1", "1", "2", "3"]


def test_reliability_picture() -> None:
    bins = [{"windows": 4, "score": 0.3, "right": 0.25}, {"windows": 8, "score": 0.8, "right": 1.0}]
    figure = reliability({"fused": bins, "rgb": []})
    assert [axes.get_title() for axes in figure.axes] == ["fused", "rgb"]
    points_shown = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert points_shown.tolist() == [[0.3, 0.25], [0.8, 1.0]]


def test_f1_picture(document: Mapping[str, Any]) -> None:
    answers = document["models"][0]["answers"]
    figure = by_label({"fused": answers["fused"]["labels"]}, list(LABELS))
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["jog", "sing"]
    # jog: named twice, both right, of 3. sing: named twice, once right, of 2.
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([4 / 5, 2 / 4])


def test_pictures_are_the_same_each_time() -> None:
    one, two = (encoded(confusion([[2, 1, 0]] * 2, ["jog", "sing"]), "svg") for _ in range(2))
    assert one == two
    assert etree.fromstring(one).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_folder_holds_all_forms_and_is_replaced_by_phar_alone(
    document: Mapping[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    check_output(folder)
    write_output(document, folder)
    names = {path.name for path in folder.iterdir()}
    assert {"eval.json", "eval.md", "eval.html", "first-f1.png", "other-reliability.svg"} <= names
    assert json.loads((folder / "eval.json").read_text()) == document
    check_output(folder)
    check_output(folder / "eval.html")
    (folder / "eval.md").write_text("# Mine\n")
    with pytest.raises(UsageError, match="was not written by phar"):
        check_output(folder)
