"""Mining picks what is worth a look, in turn by reason, nothing twice; people's answers come back as data."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as etree

import numpy as np
import pytest
import yaml

from phar.cli.main import main
from phar.dataset.importing import ImportOptions, import_annotations
from phar.export import WRITERS
from phar.media import at_rate, write_video
from phar.moderation.mining import Candidate, Mining, disagreement, mine
from phar.moderation.policy import Policy, parse_policy
from phar.schema import Report

POLICY = {
    "policy": "house",
    "version": 1,
    "categories": {
        "noise": {"labels": ["ring"], "stream": "rgb", "truth": ["bell"], "actions": {"review": 0.6}},
        "motion": {"labels": ["march"], "stream": "rgb", "actions": {"review": 0.6}},
    },
}


@pytest.fixture
def policy() -> Policy:
    return parse_policy(yaml.safe_dump(POLICY, sort_keys=False).encode(), Path("house.yaml"))


def rows(ring: list[float]) -> list[dict[str, Any]]:
    return [{"rgb": [0.0, 0.0, p, 1 - p], "skeleton": "no person", "audio": "too quiet"} for p in ring]


def picked(found: list[Candidate]) -> list[tuple[int, float, str]]:
    return [(each.report, each.window.start_s, each.why) for each in found]


def everything_differs(number: int, time_s: float) -> int:
    # A bit pattern of its own for every place: 64-bit words with distances far above the limit.
    return int(np.random.default_rng([number, round(time_s)]).integers(0, 2**63))


def test_reasons_take_turns(policy: Policy, make_report: Callable[..., Report]) -> None:
    reports = [make_report(rows([0.95, 0.58, 0.3, 0.7, 0.45, 0.1, 0.62]), 49)]
    found = mine(policy, reports, Mining(quota=10), everything_differs)
    assert picked(found) == [
        (0, 0, "above"),  # 0.95
        (0, 7, "near"),  # 0.58
        (0, 42, "uncertain"),  # 0.62, the nearest to 0.6 but for 0.58, which is taken
        (0, 21, "above"),  # 0.70
        (0, 28, "near"),  # 0.45
        (0, 14, "near"),  # 0.30, half the threshold
    ]
    assert {each.label for each in found} == {"bell"}
    assert picked(mine(policy, reports, Mining(quota=2), everything_differs)) == [
        (0, 0, "above"),
        (0, 7, "near"),
    ]
    only = mine(policy, reports, Mining(reasons=("near",), lower=0.9), everything_differs)
    assert picked(only) == [(0, 7, "near")]


def test_what_looks_alike_is_taken_once(policy: Policy, make_report: Callable[..., Report]) -> None:
    reports = [make_report(rows([0.9, 0.8]), 14), make_report(rows([0.7]), 7)]
    # Eight bits apart are alike, nine are not.
    looks = {(0, 3.5): 0, (0, 10.5): 0b1111_1111, (1, 3.5): 0b1_1111_1111}
    found = mine(policy, reports, Mining(reasons=("above",)), lambda number, at: looks[number, at])
    assert picked(found) == [(0, 0, "above"), (1, 0, "above")]
    assert mine(policy, reports, Mining(), lambda *_: None) == []


def test_streams_that_contradict_each_other(policy: Policy, make_report: Callable[..., Report]) -> None:
    said = [
        {"rgb": [0.8, 0.1, 0.0, 0.1], "skeleton": [0.1, 0.9], "audio": "too quiet"},
        {"rgb": [0.8, 0.1, 0.0, 0.1], "skeleton": [0.8, 0.2], "audio": "too quiet"},
        # RGB sees neither of the two: what the skeleton says of them is no contradiction.
        {"rgb": [0.09, 0.01, 0.0, 0.9], "skeleton": [0.0, 1.0], "audio": "too quiet"},
    ]
    report = make_report(said, 21)
    motion = policy.categories[1]
    apart = [disagreement(motion, each, report.vocabularies) for each in report.predictions]
    # 8/9 of march and wave against 1/10, weighed with the 0.9 that RGB gives the two.
    assert apart == pytest.approx([(8 / 9 - 0.1) * 0.9, (8 / 9 - 0.8) * 0.9, 0.0], abs=1e-6)
    found = mine(policy, [report], Mining(reasons=("disagree",)), everything_differs)
    assert [(each.category, each.window.start_s) for each in found] == [("motion", 0)]


@pytest.fixture
def films(tmp_path: Path, make_report: Callable[..., Report]) -> list[Path]:
    """Reports of two videos of four scenes each; the second scenes of both look the same."""
    found = []
    scenes = np.random.default_rng(5).integers(0, 256, (7, 6, 8, 3), np.uint8)
    for name, order in (("one", (0, 1, 2, 3)), ("two", (4, 1, 5, 6))):
        video = tmp_path / f"{name}.mp4"
        pictures = [np.kron(scenes[i], np.ones((16, 16, 1), np.uint8)) for i in order for _ in range(28)]
        write_video(video, at_rate(iter(pictures), 4), Fraction(4))
        report = make_report(rows([0.9, 0.8, 0.1, 0.7]), 28)
        about = dataclasses.replace(
            report.video, path=str(video), fps=Fraction(4), width_px=128, height_px=96
        )
        WRITERS["json"].write(dataclasses.replace(report, video=about), tmp_path / f"{name}.json")
        found.append(tmp_path / f"{name}.json")
    (tmp_path / "house.yaml").write_text(yaml.safe_dump(POLICY, sort_keys=False))
    return found


def run(films: list[Path], out: Path, *flags: str) -> int:
    house = ["--policy", str(films[0].parent / "house.yaml")]
    return main(["moderate", "mine", *map(str, films), "--out", str(out), *house, "--why", "above", *flags])


def test_the_table_comes_back_with_answers(films: list[Path], tmp_path: Path, capsys) -> None:
    out = tmp_path / "look"
    assert run(films, out) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "noise: 5 windows (5 above)",
        "motion: 0 windows",
    ]
    with (out / "candidates.csv").open() as file:
        table = list(csv.DictReader(file))
    places = [(Path(row["video"]).stem, row["start_s"], row["label"], row["verdict"]) for row in table]
    # The second scene of two.mp4 looks like that of one.mp4, and scores no higher.
    assert places == [
        ("one", "0.0", "bell", "unsure"),
        ("two", "0.0", "bell", "unsure"),
        ("one", "7.0", "bell", "unsure"),
        ("one", "21.0", "bell", "unsure"),
        ("two", "21.0", "bell", "unsure"),
    ]
    for row, answer in zip(table, ("accept", "reject", "reject", "accept", "unsure"), strict=True):
        row["verdict"] = answer
    with (out / "answers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)
    back, problems = import_annotations([out / "answers.csv"], ImportOptions(format="csv"))
    assert [each.verdict for each in sorted(back, key=lambda row: (row.video.stem, row.start_s))] == [
        "accept",
        "reject",
        "accept",
        "reject",
        "unsure",
    ]
    assert problems == []
    # Answers are never written over.
    assert run(films, out) == 2
    assert "is not an empty folder" in capsys.readouterr().err


def answer_via(folder: Path) -> list[Path]:
    for path in folder.glob("*.json"):
        project = json.loads(path.read_text())
        for entry in project["metadata"].values():
            assert entry["av"]["3"] == "unsure"
            entry["av"]["3"] = "reject" if entry["z"][0] == 0 else "accept"
        path.write_text(json.dumps(project))
    return sorted(folder.glob("*.json"))


def answer_label_studio(folder: Path) -> list[Path]:
    """Accept the prediction as Label Studio does, with a choice for each region."""
    tasks = json.loads((folder / "tasks.json").read_text())
    for task in tasks:
        result = []
        for region in task.pop("predictions")[0]["result"]:
            choice = "reject" if region["value"]["ranges"][0]["start"] == 1 else "accept"
            result.append(region)
            result.append(
                {
                    "id": region["id"],
                    "from_name": "verdict",
                    "to_name": "video",
                    "type": "choices",
                    "value": {**region["value"], "choices": [choice]},
                }
            )
        task["annotations"] = [{"result": result}]
    (folder / "back.json").write_text(json.dumps(tasks))
    return [folder / "back.json"]


def answer_cvat(folder: Path) -> list[Path]:
    (label,) = json.loads((folder / "labels.json").read_text())
    assert (label["name"], label["attributes"][0]["values"]) == ("bell", ["accept", "reject", "unsure"])
    for path in folder.glob("*.xml"):
        tree = etree.parse(path)
        for box in tree.iter("box"):
            attribute = etree.SubElement(box, "attribute", name="verdict")
            first = next(track for track in tree.iter("track") if box in list(track)).find("box")
            assert first is not None
            attribute.text = "reject" if first.get("frame") == "0" else "accept"
        tree.write(path)
    return sorted(folder.glob("*.xml"))


@pytest.mark.parametrize(
    "form, answer",
    [("via3", answer_via), ("label-studio", answer_label_studio), ("cvat", answer_cvat)],
)
def test_answers_given_in_a_tool_come_back(
    form: str, answer: Callable[[Path], list[Path]], films: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "look"
    assert run(films, out, "--format", form) == 0
    back, _ = import_annotations(answer(out), ImportOptions(videos=(tmp_path,)))
    said = sorted(
        (row.video.stem, round(row.start_s), round(row.end_s), row.label, row.verdict) for row in back
    )
    assert said == [
        ("one", 0, 7, "bell", "reject"),
        ("one", 7, 14, "bell", "accept"),
        ("one", 21, 28, "bell", "accept"),
        ("two", 0, 7, "bell", "reject"),
        ("two", 21, 28, "bell", "accept"),
    ]


def test_videos_that_are_gone_are_named(films: list[Path], tmp_path: Path, capsys) -> None:
    (tmp_path / "two.mp4").unlink()
    assert run([tmp_path / "one.json", tmp_path / "two.json"], tmp_path / "look") == 0
    said = capsys.readouterr()
    assert said.err == f"phar moderate mine: {tmp_path / 'two.mp4'} cannot be read and was left out\n"
    assert "noise: 3 windows" in said.out
