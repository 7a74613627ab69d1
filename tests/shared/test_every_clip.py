"""phar-demo with the bundled models on every shared clip: a whole report or one clear line."""

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from phar.cli import demo
from phar.export.report import SCHEMA_PATH
from phar.profile import load_profile
from phar.streams import table

EXPECTED = Path(__file__).parent.parent / "media" / "expected.csv"
ROWS = {row["file"]: row for row in csv.DictReader(EXPECTED.open(encoding="utf-8"))}
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text()))


@pytest.fixture(scope="module")
def loaded_once():
    """Keep the nets of the first run for all the others: only the clips differ."""
    missing = load_profile("demo").missing_checkpoints()
    if missing:
        pytest.skip(f"the bundled models are not whole: {', '.join(missing)} missing; see docs/bundle.md")
    kept = []

    def load(*args, **kwargs):
        if not kept:
            kept.append(table.load_streams(*args, **kwargs))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phar.pipeline.load_streams", load)
        yield


def test_the_table_holds_good_and_nasty_clips():
    outcomes = [row["outcome"] for row in ROWS.values()]
    assert len(outcomes) == 140
    assert outcomes.count("exit 3") == 18


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_a_clip_ends_in_a_report_or_in_one_line(name, shared_media, loaded_once, tmp_path, capsys):
    row = ROWS[name]
    out = tmp_path / "out.json"
    code = demo.main([str(shared_media / name), str(out), "--profile", "demo"])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if row["outcome"] == "exit 3":
        assert code == 3
        assert said.err.startswith("phar-demo: ")
        assert len(said.err.splitlines()) == 1
        assert list(tmp_path.iterdir()) == []
        return
    assert code == 0, said.err
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]
    document = json.loads(out.read_text(encoding="utf-8"))
    VALIDATOR.validate(document)
    video = document["video"]
    assert video["duration_s"] == pytest.approx(float(row["duration_s"]), abs=0.05)
    assert len(document["clips"]) == int(row["num_windows"])
    assert (video["width_px"], video["height_px"]) == (int(row["width_px"]), int(row["height_px"]))
    assert video["has_audio"] == (row["has_audio"] == "1")
    assert document["clips"][-1]["end_s"] == video["duration_s"]
