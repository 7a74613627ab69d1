"""phar-demo with a real person detector named on the command line sees persons where people do."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_presence import CONFIG, SCORE_THR, table

from phar.cli import demo
from phar.profile import load_profile

EXPECTED = Path(__file__).parent.parent / "media" / "expected.csv"
#: Moments farther than this from an analysed frame are not compared.
NEAR_S = 0.1
LONGEST_S = 45


@pytest.mark.slow
def test_saved_boxes_agree_with_the_table(shared_media, tmp_path):
    document = dict(load_profile("demo").document)
    # Every window is to be looked at, whatever RGB proposes.
    document["streams"]["skeleton"] = {**document["streams"]["skeleton"], "gate": {}}
    document["streams"] = {name: document["streams"][name] for name in ("rgb", "skeleton")}
    document["persons"] = {**document["persons"], "detector_stride": 1}
    profile = tmp_path / "open.yaml"
    profile.write_text(yaml.safe_dump(document))
    lengths = {
        row["file"]: float(row["duration_s"])
        for row in csv.DictReader(EXPECTED.open(encoding="utf-8"))
        if row["duration_s"]
    }
    compared, wrong, clips = 0, [], 0
    for number, (clip, moments) in enumerate(table().items()):
        if lengths[f"people/{clip}"] > LONGEST_S:
            continue
        clips += 1
        out = tmp_path / f"{number}.json"
        weights = shared_media / "weights/derived/rtmdet_nano_person_from_onnx.pth"
        arguments = ["--profile", profile, "--det-config", CONFIG, "--det-checkpoint", weights]
        arguments += ["--det-score-thr", SCORE_THR, "--save-poses"]
        assert demo.main([str(a) for a in (shared_media / "people" / clip, out, *arguments)]) == 0
        saved = np.load(out.with_suffix(".poses.npz"))
        times_s, with_person = saved["frame_time_s"], set(saved["frame_index"].tolist())
        for time_s, seen in moments.items():
            nearest = int(np.abs(times_s - time_s).argmin())
            if abs(times_s[nearest] - time_s) <= NEAR_S:
                compared += 1
                if (nearest in with_person) != seen:
                    wrong.append((clip, time_s, seen))
    assert clips >= 10
    assert compared >= 40
    assert 1 - len(wrong) / compared >= 0.95, wrong
