"""Mined windows on their way to people: a table to fill in, and files for annotation tools."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phar.export import WRITERS, replacing
from phar.export.label_studio import CONTROL, OBJECT
from phar.export.label_studio import to_document as label_studio_tasks
from phar.export.via3 import to_document as via_project
from phar.moderation.mining import Candidate
from phar.schema import Report, Segment

#: What people may say; `phar dataset import` knows these words.
ANSWERS = ("accept", "reject", "unsure")

#: Columns of `phar dataset`'s tables, so that the filled-in table can be imported as it is.
_COLUMNS = ("video", "start_s", "end_s", "label", "category", "source", "verdict")

FORMATS = ("cvat", "label-studio", "via3")


def write_candidates(candidates: Sequence[Candidate], reports: Sequence[Report], folder: Path) -> Path:
    """Write candidates.csv: every verdict is `unsure` until a person writes another. Returns its path."""
    path = folder / "candidates.csv"
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        for each in candidates:
            source = f"mined: {each.category} {each.probability:.4f}, {each.why}"
            video = Path(reports[each.report].video.path).absolute()
            start_s, end_s = round(each.window.start_s, 6), round(each.window.end_s, 6)
            rows.writerow([video, start_s, end_s, each.label, "", source, "unsure"])
    return path


def write_for_tool(
    candidates: Sequence[Candidate], reports: Sequence[Report], folder: Path, form: str
) -> list[Path]:
    """Write what a tool opens, and what it must be told so that people can say accept or reject.

    Returns:
        The files. CVAT and VIA have one a video, Label Studio one for all.
    """
    shown = [
        (number, _with_candidates(report, [each for each in candidates if each.report == number]))
        for number, report in enumerate(reports)
        if any(each.report == number for each in candidates)
    ]
    labels = list(dict.fromkeys(each.label for each in candidates))
    if form == "label-studio":
        tasks = [task for _, report in shown for task in label_studio_tasks(report)]
        return [
            _written(folder / "tasks.json", tasks),
            _plain(folder / "labeling_interface.xml", _interface(labels)),
        ]
    found = []
    for number, report in shown:
        name = f"{number:04}_{re.sub(r'[^A-Za-z0-9._-]+', '_', Path(report.video.path).stem)[:80]}"
        if form == "via3":
            found.append(_written(folder / f"{name}.json", _with_answers(via_project(report))))
        else:
            path = folder / f"{name}.xml"
            WRITERS["cvat"].write(report, path)
            found.append(path)
    if form == "cvat":
        found.append(_written(folder / "labels.json", _cvat_labels(labels)))
    return found


def _with_candidates(report: Report, candidates: Sequence[Candidate]) -> Report:
    spans = [
        Segment(each.label, each.window.start_s, each.window.end_s, each.probability) for each in candidates
    ]
    return replace(report, timestamps=tuple(sorted(spans, key=lambda span: (span.start_s, span.label))))


def _with_answers(project: dict[str, Any]) -> dict[str, Any]:
    """Add a choice of verdicts to a VIA project; without one a span counts as accepted."""
    label = project["attribute"]["1"]
    verdict = {
        **label,
        "aname": "verdict",
        "desc": "is it so?",
        "options": {word: word for word in ANSWERS},
        "default_option_id": "unsure",
    }
    project["attribute"]["3"] = verdict
    for entry in project["metadata"].values():
        entry["av"]["3"] = "unsure"
    return project


def _interface(labels: Sequence[str]) -> str:
    from xml.sax.saxutils import quoteattr

    rows = "\n".join(f"    <Label value={quoteattr(label)}/>" for label in labels)
    choices = "\n".join(f'    <Choice value="{word}"/>' for word in ANSWERS)
    return (
        f'<View>\n  <TimelineLabels name="{CONTROL}" toName="{OBJECT}">\n{rows}\n  </TimelineLabels>\n'
        f'  <Video name="{OBJECT}" value="$video" frameRate="$fps"/>\n'
        f'  <Choices name="verdict" toName="{OBJECT}" perRegion="true">\n{choices}\n  </Choices>\n</View>\n'
    )


def _cvat_labels(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Labels for CVAT's raw constructor, each with the attribute by which people answer."""
    attribute = {
        "name": "verdict",
        "mutable": False,
        "input_type": "select",
        "default_value": "unsure",
        "values": list(ANSWERS),
    }
    return [{"name": label, "type": "any", "attributes": [attribute]} for label in labels]


def _written(path: Path, document: Mapping[str, Any] | Sequence[Any]) -> Path:
    return _plain(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def _plain(path: Path, text: str) -> Path:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")
    return path
