"""The stream that says safe or unsafe, from a file on: an untrained net, but all that is around it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from phar import analyze
from phar.export import WRITERS
from phar.export.report import SCHEMA_PATH
from phar.media import at_rate, write_video
from phar.openmmlab import Recognizer
from phar.profile import RESOURCES, load_profile, with_overrides

CONFIG = RESOURCES / "configs/moderation/i3d_demo.py"


def test_windows_of_a_portrait_video_are_scored_as_the_net_scores_the_same_frames(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Coarse blocks survive compression.
    pictures = [
        np.kron(rng.integers(0, 256, (8, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(75)
    ]
    video = write_video(tmp_path / "portrait.mp4", at_rate(iter(pictures), 25), Fraction(25), crf=1) or (
        tmp_path / "portrait.mp4"
    )
    untrained = with_overrides(load_profile("moderation"), {"streams": {"moderation": {"checkpoint": None}}})
    report = analyze(video, untrained, backend="torch")
    assert [(p.window.start_s, p.window.end_s) for p in report.predictions] == [(0, 2), (2, 3)]
    net = Recognizer.load(CONFIG, None, 2, backend="torch", sampling="seconds")
    for prediction, first, count in zip(report.predictions, (0, 50), (50, 25), strict=True):
        shown = net.clip.frame_indices(count, np.arange(count) / 25)
        (expected,) = net.predict([np.stack([pictures[first + i] for i in shown])])
        assert prediction.probs == pytest.approx(expected, abs=0.02)
        assert prediction.probs.sum() == pytest.approx(1, abs=1e-4)
    WRITERS["json"].write(report, tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA_PATH.read_text()))
    assert document["profile"]["coefficients"] == {"moderation": 1.0}
    assert set(document["clips"][0]["streams"]["moderation"]["scores"]) == {"safe", "unsafe"}
